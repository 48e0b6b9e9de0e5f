"""Every power source of this machine, watched under a short CPU load."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobwatt.checkup.compare import Sample, compare
from jobwatt.checkup.findings import (
    CPU_ROLE,
    GPU_ROLE,
    NODE_ROLE,
    DeviceFinding,
    SourceFinding,
    Use,
)
from jobwatt.checkup.words import short_name, use_of, why
from jobwatt.sampler.meters import STUCK_AFTER_SECONDS, Meters, Wish
from jobwatt.sources.base import (
    ESTIMATE,
    GPU,
    NODE,
    OK,
    Device,
    Probe,
    Reading,
    Source,
)
from jobwatt.sources.ladder import CPU_LADDER, probe_all
from jobwatt.sources.nvml import Nvml
from jobwatt.sources.stuck import burn, judged, moves

GPU_PERIOD_SECONDS = 0.02
"""Short against the 100 ms by which a GPU's counter moves."""
MIN_WATCH_SECONDS = STUCK_AFTER_SECONDS


@dataclass(frozen=True)
class Metering:
    """What came of the sources."""

    gpu_rule: str
    uses: tuple[Use, ...]
    sources: tuple[SourceFinding, ...]


class _Probed(NamedTuple):
    source: Source
    probe: Probe
    role: str


class _Watched(NamedTuple):
    """Readings before and after the load, and what `moves` says of them."""

    seconds: float
    before: Sequence[Reading]
    after: Sequence[Reading]
    moved: Sequence[bool | None]


def examine(
    wish: Wish, load_seconds: float, clock: Callable[[], float] = time.monotonic
) -> Metering:
    """Probe all sources, watch them for `load_seconds` of load, and say what the sampler takes."""
    meters = Meters(wish)  # the sampler's own choice, not a copy of its rules
    nvml = Nvml(wish.environ, wish.nvml_library, wish.whole_node)
    probed = [_Probed(nvml, nvml.probe(), GPU_ROLE)]
    for index, (source, probe) in enumerate(probe_all(wish.root)):
        role = CPU_ROLE if index < len(CPU_LADDER) else NODE_ROLE
        probed.append(_Probed(source, probe, role))
    try:
        working = [item for item in probed if item.probe.state == OK]
        watched, looks = _watch(working, load_seconds, clock)
    finally:
        meters.close()
        for item in probed:
            item.source.close()
    used = {_role(track.device): track.device.source for track in meters.tracks}
    findings = []
    for item in probed:
        mine = watched.get(item.source.name)
        verdict, devices = _judge(item, mine, looks)
        is_used = used.get(item.role) == item.source.name
        findings.append(
            SourceFinding(
                item.source.name,
                item.role,
                verdict.state,
                is_used,
                why(verdict, item.role, is_used, used, wish.disabled),
                verdict.detail,
                verdict.remedy,
                verdict.resolution,
                verdict.covers,
                devices,
            )
        )
    uses = tuple(use_of(role, findings) for role in (GPU_ROLE, CPU_ROLE, NODE_ROLE))
    return Metering(nvml.choice.rule, uses, tuple(findings))


def _role(device: Device) -> str:
    return {GPU: GPU_ROLE, NODE: NODE_ROLE}.get(device.kind, CPU_ROLE)


def _watch(
    working: Sequence[_Probed], load_seconds: float, clock: Callable[[], float]
) -> tuple[dict[str, _Watched], list[list[Sample]]]:
    """One load for all sources; the GPUs are looked at all the while."""
    if load_seconds < MIN_WATCH_SECONDS:
        return {}, []
    sources = [item.source for item in working]
    nvml = next((item.source for item in working if item.role == GPU_ROLE), None)
    looks: list[list[Sample]] = []
    before: list[Sequence[Reading]] = []
    after: list[Sequence[Reading]] = []
    length_seconds = load_seconds

    def load(seconds: float) -> None:
        nonlocal length_seconds
        before.extend(source.read() for source in sources)
        start = clock()
        while clock() < start + seconds:
            if nvml is not None:
                looks.append(_look(nvml, clock))
            burn(min(GPU_PERIOD_SECONDS, max(start + seconds - clock(), 0.0)))
        length_seconds = clock() - start
        after.extend(source.read() for source in sources)

    moved = _moves_of_all(sources, load_seconds, load)
    watched = {
        source.name: _Watched(length_seconds, first, last, ones)
        for source, first, last, ones in zip(sources, before, after, moved, strict=True)
    }
    return watched, looks


def _moves_of_all(
    sources: Sequence[Source], seconds: float, load: Callable[[float], None]
) -> list[list[bool | None]]:
    """`moves` of each, under one load: the load of the first is the `moves` of the others."""
    if not sources:
        load(seconds)
        return []
    others: list[list[bool | None]] = []
    first = moves(
        sources[0],
        seconds,
        lambda length: others.extend(_moves_of_all(sources[1:], length, load)),
    )
    return [first, *others]


def _look(nvml: Source, clock: Callable[[], float]) -> list[Sample]:
    start = clock()
    readings = nvml.read()
    middle = (start + clock()) / 2
    return [Sample(middle, reading.energy_joules, reading.power_watts) for reading in readings]


def _judge(
    item: _Probed, watched: _Watched | None, looks: Sequence[Sequence[Sample]]
) -> tuple[Probe, tuple[DeviceFinding, ...]]:
    """The probe after the load, and each of its devices."""
    devices = item.probe.devices
    if watched is None:
        return item.probe, tuple(DeviceFinding(device) for device in devices)
    findings = []
    for index, device in enumerate(devices):
        first, last, moved = watched.before[index], watched.after[index], watched.moved[index]
        if device.method == ESTIMATE or (moved is False and last.power_watts == 0):
            moved = None  # nothing to move: a model, or a device that draws nothing
        samples = [look[index] for look in looks] if item.role == GPU_ROLE else []
        rise = _rise(device, first, last)
        power = last.power_watts
        known = [sample.power_watts for sample in samples if sample.power_watts is not None]
        if known:
            power = sum(known) / len(known)
        elif power is None and rise is not None:
            power = rise / watched.seconds
        comparison = compare(samples) if item.role == GPU_ROLE else None
        findings.append(DeviceFinding(device, moved, rise, power, comparison))
    named = item.probe._replace(devices=[d._replace(name=short_name(d)) for d in devices])
    return judged(named, [finding.moved for finding in findings]), tuple(findings)


def _rise(device: Device, first: Reading, last: Reading) -> float | None:
    if device.method == ESTIMATE or first.energy_joules is None or last.energy_joules is None:
        return None
    rise = last.energy_joules - first.energy_joules
    if rise < 0 and device.range_joules:
        rise += device.range_joules
    return rise if rise >= 0 else None
