"""What is said of an account, before any layout: groups of devices, findings, gaps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobwatt.energy.integrate import mean_over_time
from jobwatt.energy.merge import METERED, sum_energies, total
from jobwatt.energy.unread import is_unread
from jobwatt.model import ESTIMATED, UNAVAILABLE, Account, DeviceEnergy, Energy
from jobwatt.sources.base import CPU_ESTIMATE, DRAM, GPU, NODE, PACKAGE

MIN_IDLE_SECONDS = 10.0
MIN_IDLE_FRACTION = 0.1
"""A GPU is named idle in the summary from a tenth of the step on; less is starting up."""

NODE_LABEL = "node"
"""The machine's own meter, which no total has in it."""
_GROUPS = (
    (GPU, "GPU"),
    (PACKAGE, "CPU"),
    (DRAM, "memory"),
    (CPU_ESTIMATE, "CPU"),
    (NODE, NODE_LABEL),
)


@dataclass(frozen=True)
class Group:
    """All devices of one kind, over all nodes."""

    label: str
    devices: tuple[DeviceEnergy, ...]
    energy: Energy
    power_mean_watts: float | None
    utilization_mean_percent: float | None
    idle_part_joules: float | None
    rule: str


@dataclass(frozen=True)
class Idle:
    """A GPU that was held and did nothing for a while."""

    node: str
    name: str
    index: int
    idle_seconds: float
    energy_joules: float | None


@dataclass(frozen=True)
class Report:
    """One step or job, as every view tells it."""

    title: str
    account: Account
    groups: tuple[Group, ...]
    metered: Energy | None
    """Measured and attributed joules of GPUs, packages and DRAM."""
    estimated: Energy | None
    """Never part of `metered`."""
    whole_time_joules: float | None
    """What `metered` would be had the whole time been covered at the same mean power."""
    idle: tuple[Idle, ...]


def build(account: Account) -> Report:
    """Group the devices and find what deserves a line of its own."""
    groups = []
    for kind, label in _GROUPS:
        devices = tuple(d for d in account.devices if d.device_kind == kind)
        if devices:
            groups.append(_group(label, devices))
    name = f"{account.job}.{account.step}" if account.step else account.job
    where = f" on {account.cluster}" if account.cluster else ""
    again = f", restart {account.restart}" if account.restart else ""
    return Report(
        f"{name}{where}{again}",
        account,
        tuple(groups),
        total(account.devices, METERED),
        total(account.devices, (ESTIMATED,)),
        _whole_time_joules(account.devices),
        tuple(_idle_gpus(account)),
    )


def _group(label: str, devices: tuple[DeviceEnergy, ...]) -> Group:
    rules = dict.fromkeys(d.rule for d in devices if d.rule and not is_unread(d))
    known = [d.power_mean_watts for d in devices if d.power_mean_watts is not None]
    idle = [d.idle_part_joules for d in devices if d.idle_part_joules is not None]
    return Group(
        label,
        devices,
        sum_energies([device.energy for device in devices]) or Energy(None, UNAVAILABLE),
        sum(known) if known else None,
        mean_over_time(
            [device.utilization_mean_percent for device in devices],
            [device.covered_seconds for device in devices],
        ),
        sum(idle) if idle else None,
        "; ".join(rules),
    )


def _whole_time_joules(devices: Sequence[DeviceEnergy]) -> float | None:
    """Each device's energy over its coverage; None where one of them has none."""
    metered = [d for d in devices if d.energy.kind in METERED and d.device_kind != NODE]
    if not metered or not all(d.coverage for d in metered):
        return None
    return sum((d.energy.joules or 0.0) / (d.coverage or 1.0) for d in metered)


def _idle_gpus(account: Account) -> Sequence[Idle]:
    found = []
    positions: dict[str, int] = {}
    for device in account.devices:
        if device.device_kind != GPU:
            continue
        index = positions[device.node] = positions.get(device.node, -1) + 1
        seconds = device.idle_seconds or 0.0
        if seconds >= max(MIN_IDLE_SECONDS, MIN_IDLE_FRACTION * account.duration_seconds):
            found.append(Idle(device.node, device.name, index, seconds, device.idle_energy_joules))
    return sorted(found, key=lambda idle: -(idle.energy_joules or 0.0))
