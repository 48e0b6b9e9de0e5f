"""Journals -> mean power and GPU utilisation over time, on a grid of equal bins. Pure.

The power of the bins times their length adds up to the energies of `account`. Nodes share the wall
clock of their journals' heads; within a node, time is its monotonic clock's. What two steps both
saw counts once, as in `account`. A bin that no span touches is None; one that is covered in part
has that part's energy spread over its whole length.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import add, sub

from jobwatt.energy import integrate
from jobwatt.energy.attribute import core_fraction, share_by_span
from jobwatt.energy.integrate import Column, Weights
from jobwatt.energy.overlap import Parts, node_of, parts_that_count
from jobwatt.energy.spread import Spread, Sums
from jobwatt.journal.reader import MAX_VALUE, Journal
from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED
from jobwatt.sources.base import CPU_ESTIMATE, ESTIMATE, PACKAGE

MAX_BINS = 480
MIN_BIN_SECONDS = 1.0
"""The sampler's own tick: finer bins would show how spans lie, not what the power was."""

Values = tuple[float | None, ...]
_Key = tuple[str, str]
_DUST = 1e-9
"""Of a bin: what differences of large sums leave where nothing is."""
_TRUST = ("", MEASURED, ATTRIBUTED, ESTIMATED)


@dataclass(frozen=True)
class GpuSeries:
    """One GPU; of a MIG instance its share of the whole."""

    node: str
    device_id: str
    power_watts: Values
    utilization_percent: Values


@dataclass(frozen=True)
class Series:
    """A step or job over time. None is unknown."""

    start_wall_seconds: float
    bin_seconds: float
    gpus: tuple[GpuSeries, ...]
    gpu_power_watts: Values
    """Sum over the GPUs."""
    gpu_utilization_percent: Values
    """Mean over the GPUs whose use is known."""
    gpu_kind: str
    """That of the least trusted part: `measured`, or `estimated`; empty where there is no GPU."""
    cpu_power_watts: Values
    """The job's share of all CPU packages by the rule of `attribute`; the memory is not in it."""
    cpu_kind: str

    @property
    def end_wall_seconds(self) -> float:
        """End of the last bin."""
        return self.start_wall_seconds + self.bin_seconds * len(self.gpu_power_watts)


class _Track:
    """One device's sums by bin, over all journals that saw it."""

    def __init__(self, bins: int) -> None:
        self.kind = ""
        self.joules, self.covered_seconds = [0.0] * bins, [0.0] * bins
        self.use_seconds, self.watched_seconds = [0.0] * bins, [0.0] * bins

    def add_energy(self, kind: str, joules: Sums, seconds: Sums) -> None:
        self.kind = max(self.kind, kind, key=_TRUST.index)
        self.joules = list(map(add, self.joules, joules))
        self.covered_seconds = list(map(add, self.covered_seconds, seconds))

    def add_use(self, percent_seconds: Sums, seconds: Sums) -> None:
        self.use_seconds = list(map(add, self.use_seconds, percent_seconds))
        self.watched_seconds = list(map(add, self.watched_seconds, seconds))


def series_of(
    journals: Sequence[Journal],
    max_bins: int = MAX_BINS,
    limits_wall_seconds: tuple[float, float] | None = None,
) -> Series | None:
    """All nodes and steps of one job. None if there is no span, or no time.

    The grid goes from the first span's start to the last one's end, or between the limits.
    """
    started = sorted(
        ((_start(journal), journal) for journal in journals if journal.time_seconds),
        key=lambda pair: pair[0],
    )
    if not started:
        return None
    ordered = [journal for _, journal in started]
    start, end = limits_wall_seconds or (started[0][0], max(map(_end, ordered)))
    if end <= start:
        return None
    bins = max(1, min(max_bins, math.floor((end - start) / MIN_BIN_SECONDS)))
    edges = [start + (end - start) * number / bins for number in range(bins)] + [end]
    gpus: dict[_Key, _Track] = {}
    cpus: dict[_Key, _Track] = {}
    for journal, part in zip(ordered, parts_that_count(ordered), strict=True):
        zero = _number(journal.head.get("wall_seconds"))
        ends = [zero + (time or 0.0) for time in journal.time_seconds]
        lengths = [length or 0.0 for length in journal.length_seconds]
        _add(journal, Spread(ends, lengths, edges), part, bins, gpus, cpus)
    length = (end - start) / bins
    return Series(
        start,
        length,
        tuple(
            GpuSeries(*key, _power([track], length, bins), _use([track], length, bins))
            for key, track in gpus.items()
        ),
        _power(gpus.values(), length, bins),
        _use(gpus.values(), length, bins),
        max((track.kind for track in gpus.values()), key=_TRUST.index, default=""),
        _power(cpus.values(), length, bins),
        max((track.kind for track in cpus.values()), key=_TRUST.index, default=""),
    )


def _add(
    journal: Journal,
    spread: Spread,
    parts: Parts,
    bins: int,
    gpus: dict[_Key, _Track],
    cpus: dict[_Key, _Track],
) -> None:
    node = node_of(journal)
    gpu_parts, other_parts = parts.devices[: len(journal.gpus)], parts.devices[len(journal.gpus) :]
    for device, columns, new in zip(journal.gpus, journal.gpu_columns, gpu_parts, strict=True):
        track = gpus.setdefault((node, device.id), _Track(bins))
        joules, seconds = spread.energy(columns["energy_joules"], new)
        if device.share < 1.0:
            joules = [each * device.share for each in joules]
        track.add_energy(ESTIMATED if device.share < 1.0 else MEASURED, joules, seconds)
        track.add_use(*spread.over_time(columns["utilization_mean_percent"], new))
    for device, columns, new in zip(
        journal.others, journal.other_columns, other_parts, strict=True
    ):
        if device.kind in (PACKAGE, CPU_ESTIMATE):
            track = cpus.setdefault((node, device.id), _Track(bins))
            energies: Column = columns["energy_joules"]
            kind, weights = MEASURED, new
            if journal.head.get("whole_node") is not True:
                energies, kind = _share(journal, energies, new, parts.cpu), ATTRIBUTED
                weights = None  # within the share already, of which only a part counts once
            kind = ESTIMATED if device.method == ESTIMATE else kind
            track.add_energy(kind, *spread.energy(energies, weights))


def _share(
    journal: Journal, energies: Column, weights: Weights, cpu_weights: Weights
) -> Column:
    """The step's share of a package. Shares by CPU time are no overlap of steps, cores are."""
    total, allocated = journal.head.get("cpus_total"), journal.head.get("cpus_allocated")
    cores = core_fraction(
        None if allocated is None else int(_number(allocated)), int(_number(total))
    )
    node = journal.node_columns
    return share_by_span(
        energies,
        integrate.weighted(journal.step_columns["cpu_seconds"], cpu_weights),
        node["cpu_busy_seconds"],
        node["cpu_total_seconds"],
        [cores] * len(energies) if weights is None else [cores * weight for weight in weights],
    )


def _power(tracks: Collection[_Track], length: float, bins: int) -> Values:
    joules = _sum([track.joules for track in tracks], bins)
    seconds = _sum([track.covered_seconds for track in tracks], bins)
    known = zip(joules, seconds, strict=True)
    return tuple(j / length if s > _DUST * length else None for j, s in known)


def _use(tracks: Collection[_Track], length: float, bins: int) -> Values:
    percents = _sum([track.use_seconds for track in tracks], bins)
    seconds = _sum([track.watched_seconds for track in tracks], bins)
    known = zip(percents, seconds, strict=True)
    return tuple(p / s if s > _DUST * length else None for p, s in known)


def _sum(tracks: Sequence[Sums], bins: int) -> Sums:
    return [sum(cells) for cells in zip(*tracks, strict=True)] or [0.0] * bins


def _start(journal: Journal) -> float:
    """Wall time at which the first span began."""
    first: float = min(map(sub, journal.time_seconds, journal.length_seconds))
    return _number(journal.head.get("wall_seconds")) + first


def _end(journal: Journal) -> float:
    last = integrate.peak(journal.time_seconds)
    return _number(journal.head.get("wall_seconds")) + (last or 0.0)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and abs(value) < MAX_VALUE else 0.0
