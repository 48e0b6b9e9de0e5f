"""Adding up devices: over kinds for a total, over steps for one row per device. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from jobwatt.energy.integrate import known_sum
from jobwatt.energy.unread import without_read_nodes
from jobwatt.model import (
    ATTRIBUTED,
    ESTIMATED,
    MEASURED,
    UNAVAILABLE,
    Account,
    DeviceEnergy,
    Energy,
    NodeUse,
)
from jobwatt.sources.base import NODE

METERED = (MEASURED, ATTRIBUTED)
_TRUST = (MEASURED, ATTRIBUTED, ESTIMATED, UNAVAILABLE)


def total(devices: Sequence[DeviceEnergy], kinds: Sequence[str] = METERED) -> Energy | None:
    """Sum of the devices whose energy is of one of these kinds, without the node's own meter.

    Its kind is that of the least trusted part. None if there is no part.
    """
    return sum_energies(
        [d.energy for d in devices if d.device_kind != NODE and d.energy.kind in kinds]
    )


def sum_energies(parts: Sequence[Energy]) -> Energy | None:
    """Sum of the known energies. Bands add up linearly: sensors of one model err alike.

    Where a part has no band, the sum has none.
    """
    known = [part for part in parts if part.joules is not None]
    if not known:
        return None
    return Energy(
        sum(part.joules or 0.0 for part in known),
        max((part.kind for part in known), key=_TRUST.index),
        _sum_of_all([part.low_joules for part in known]),
        _sum_of_all([part.high_joules for part in known]),
    )


def _sum_of_all(values: Sequence[float | None]) -> float | None:
    return None if None in values else sum(value or 0.0 for value in values)


def join_accounts(parts: Sequence[Account]) -> Account:
    """One account of several of the same job that count nothing twice: of nodes, or of times."""
    if len(parts) == 1:
        return parts[0]
    ordered = sorted(parts, key=lambda part: part.start_wall_seconds)
    start = ordered[0].start_wall_seconds
    steps = tuple(dict.fromkeys(step for part in ordered for step in part.steps))
    devices = merge_devices([device for part in ordered for device in part.devices])
    return replace(
        ordered[0],
        step=steps[0] if len(steps) == 1 else "",
        restart=max(part.restart for part in ordered),
        duration_seconds=max(p.start_wall_seconds + p.duration_seconds for p in ordered) - start,
        running=any(part.running for part in ordered),
        coverage=lowest_coverage(devices),
        nodes=_join_nodes([node for part in ordered for node in part.nodes]),
        devices=tuple(devices),
        events=tuple(event for part in ordered for event in part.events),
        problems=tuple(dict.fromkeys(line for part in ordered for line in part.problems)),
        steps=steps,
        exit_code=ordered[-1].exit_code,
    )


def lowest_coverage(devices: Sequence[DeviceEnergy]) -> float | None:
    """Coverage of the device where it is lowest, the node's own meter left out."""
    known = [d.coverage for d in devices if d.coverage is not None and d.device_kind != NODE]
    return min(known, default=None)


def _join_nodes(nodes: Sequence[NodeUse]) -> tuple[NodeUse, ...]:
    joined: dict[str, NodeUse] = {}
    for b in nodes:
        a = joined.get(b.node)
        if a is None:
            joined[b.node] = b
            continue
        joined[b.node] = NodeUse(
            b.node,
            known_sum([a.cpu_seconds, b.cpu_seconds]),
            a.cpus_allocated if b.cpus_allocated is None else b.cpus_allocated,
            max((m for m in (a.memory_peak_bytes, b.memory_peak_bytes) if m is not None),
                default=None),
            known_sum([a.read_bytes, b.read_bytes]),
            known_sum([a.written_bytes, b.written_bytes]),
            a.sampler_cpu_seconds + b.sampler_cpu_seconds,
            a.missed_ticks + b.missed_ticks,
            a.bad_lines + b.bad_lines,
        )  # fmt: skip
    return tuple(joined.values())


def merge_devices(devices: Sequence[DeviceEnergy]) -> list[DeviceEnergy]:
    """One row per node and device: the parts of several steps added up."""
    merged: dict[tuple[str, str], DeviceEnergy] = {}
    for device in without_read_nodes(devices):
        key = (device.node, device.device_id)
        merged[key] = _add(merged[key], device) if key in merged else device
    return list(merged.values())


def _add(a: DeviceEnergy, b: DeviceEnergy) -> DeviceEnergy:
    seconds = a.covered_seconds + b.covered_seconds
    energy = sum_energies([a.energy, b.energy]) or a.energy
    held = a.held_seconds + b.held_seconds

    def plus(field: Callable[[DeviceEnergy], float | None]) -> float | None:
        return known_sum([field(a), field(b)])

    def mean(field: Callable[[DeviceEnergy], float | None]) -> float | None:
        known = [(value, d.covered_seconds) for d in (a, b) if (value := field(d)) is not None]
        weight = sum(w for _, w in known)
        return sum(value * w for value, w in known) / weight if weight > 0 else None

    def larger(field: Callable[[DeviceEnergy], float | None]) -> float | None:
        return max((value for d in (a, b) if (value := field(d)) is not None), default=None)

    memory = larger(lambda d: d.memory_peak_bytes)
    processes = larger(lambda d: d.processes_peak)
    reasons = [d.event_reasons for d in (a, b) if d.event_reasons is not None]
    rules = dict.fromkeys(rule for d in (a, b) for rule in d.rule.split("; ") if rule)
    return replace(
        a,
        energy=energy,
        rule="; ".join(rules),
        coverage=min(1.0, seconds / held) if held > 0 else None,
        covered_seconds=seconds,
        held_seconds=held,
        whole_joules=plus(lambda d: d.whole_joules),
        idle_part_joules=plus(lambda d: d.idle_part_joules),
        power_mean_watts=energy.joules / seconds if energy.joules is not None and seconds else None,
        power_peak_watts=larger(lambda d: d.power_peak_watts),
        utilization_mean_percent=mean(lambda d: d.utilization_mean_percent),
        memory_utilization_mean_percent=mean(lambda d: d.memory_utilization_mean_percent),
        memory_peak_bytes=None if memory is None else int(memory),
        sm_clock_mean_mhz=mean(lambda d: d.sm_clock_mean_mhz),
        temperature_peak_celsius=larger(lambda d: d.temperature_peak_celsius),
        event_reasons=reasons[0] | reasons[-1] if reasons else None,
        processes_peak=None if processes is None else int(processes),
        idle_seconds=plus(lambda d: d.idle_seconds),
        idle_energy_joules=plus(lambda d: d.idle_energy_joules),
    )
