"""Ticks -> journal spans: minimum, mean, maximum and sums. Pure but for its own running sums."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from jobwatt.sources.base import Reading

EARLY_SPAN_SECONDS = 0.5
AGE_FRACTION = 0.02
COARSE_JOULES = 1000.0
"""From here on a tenth of a joule is below 0.01 %."""


def span_limit_seconds(age_seconds: float, longest_seconds: float, watched: bool) -> float:
    """How long a span may grow: 0.5 s at first, never beyond 2 % of the step's age, up to a limit.

    What a kill takes is then small at every age, and so is the file.
    """
    if watched:
        return EARLY_SPAN_SECONDS
    return min(longest_seconds, max(EARLY_SPAN_SECONDS, AGE_FRACTION * age_seconds))


class Mean:
    """Running minimum, maximum and time-weighted mean of one quantity."""

    __slots__ = ("high", "low", "weight", "weighted")

    def __init__(self) -> None:
        self.low: float | None = None
        self.high: float | None = None
        self.weighted = 0.0
        self.weight = 0.0

    def add(self, value: float | None, seconds: float) -> None:
        """Unknown values leave no trace."""
        if value is None:
            return
        if self.low is None or value < self.low:
            self.low = value
        if self.high is None or value > self.high:
            self.high = value
        self.weighted += value * seconds
        self.weight += seconds

    def mean(self) -> float | None:
        """Time-weighted mean; None if nothing was known."""
        return self.weighted / self.weight if self.weight > 0 else self.high


class DeviceSpan:
    """What one device did since the span began."""

    __slots__ = (
        "clock",
        "energy_joules",
        "idle_joules",
        "idle_seconds",
        "memory_bytes",
        "memory_utilization",
        "power",
        "processes",
        "reasons",
        "temperature",
        "utilization",
    )

    def __init__(self) -> None:
        self.energy_joules: float | None = None
        self.idle_joules: float | None = None
        self.idle_seconds: float | None = None
        self.memory_bytes: int | None = None
        self.processes: int | None = None
        self.reasons: int | None = None
        self.temperature: float | None = None
        self.power, self.utilization = Mean(), Mean()
        self.memory_utilization, self.clock = Mean(), Mean()

    def add(self, reading: Reading, energy_joules: float | None, seconds: float) -> None:
        """One tick: the reading at its end and the energy of its interval."""
        if energy_joules is not None:
            self.energy_joules = (self.energy_joules or 0.0) + energy_joules
        power = reading.power_watts
        if power is None and energy_joules is not None and seconds > 0:
            power = energy_joules / seconds
        self.power.add(power, seconds)
        if reading.utilization_percent is not None:
            self.utilization.add(reading.utilization_percent, seconds)
            idle = reading.utilization_percent == 0
            self.idle_seconds = (self.idle_seconds or 0.0) + (seconds if idle else 0.0)
            if energy_joules is not None:
                self.idle_joules = (self.idle_joules or 0.0) + (energy_joules if idle else 0.0)
        self.memory_utilization.add(reading.memory_utilization_percent, seconds)
        self.clock.add(reading.sm_clock_mhz, seconds)
        self.memory_bytes = _larger(self.memory_bytes, reading.memory_used_bytes)
        self.temperature = _larger(self.temperature, reading.temperature_celsius)
        self.processes = _larger(self.processes, reading.processes)
        if reading.event_reasons is not None:
            self.reasons = (self.reasons or 0) | reading.event_reasons

    def power_row(self) -> list[Any]:
        """Columns of `format.POWER_COLUMNS`."""
        energy = self.energy_joules
        digits = 1 if energy is not None and energy >= COARSE_JOULES else 3
        return [rounded(energy, digits), _whole(self.power.low), _whole(self.power.high)]

    def gpu_row(self) -> list[Any]:
        """Columns of `format.GPU_COLUMNS`."""
        mebibytes = None if self.memory_bytes is None else self.memory_bytes >> 20
        return [
            *self.power_row(),
            _whole(self.utilization.mean()),
            self.utilization.low,
            self.utilization.high,
            _whole(self.memory_utilization.mean()),
            mebibytes,
            _whole(self.clock.mean()),
            self.temperature,
            self.reasons,
            self.processes,
            rounded(self.idle_seconds, 1),
            rounded(self.idle_joules, 1),
        ]


class Totals(NamedTuple):
    """Cumulative figures of the step, the node and the sampler itself; None is unknown."""

    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    node_busy_seconds: float | None = None
    node_total_seconds: float | None = None
    own_cpu_seconds: float = 0.0


def rounded(value: float | None, digits: int) -> float | int | None:
    """Fewer characters: no digits beyond use, no `.0`."""
    if value is None:
        return None
    short = round(value, digits)
    return int(short) if short == int(short) else short


def span_line(
    time_seconds: float,
    length_seconds: float,
    wall_seconds: float,
    gpus: Sequence[DeviceSpan],
    others: Sequence[DeviceSpan],
    before: Totals,
    after: Totals,
    missed_ticks: int,
) -> bytes:
    """One journal line; see `jobwatt.journal.format`."""
    line = [rounded(time_seconds, 2), rounded(length_seconds, 3), round(wall_seconds)]
    for gpu in gpus:
        line += gpu.gpu_row()
    for other in others:
        line += other.power_row()
    line += [
        rounded(_rise(before.cpu_seconds, after.cpu_seconds), 3),
        None if after.memory_bytes is None else after.memory_bytes >> 20,
        rounded(_mebi(_rise(before.read_bytes, after.read_bytes)), 1),
        rounded(_mebi(_rise(before.written_bytes, after.written_bytes)), 1),
        rounded(_rise(before.node_busy_seconds, after.node_busy_seconds), 2),
        rounded(_rise(before.node_total_seconds, after.node_total_seconds), 2),
        rounded(after.own_cpu_seconds - before.own_cpu_seconds, 4),
        missed_ticks,
    ]
    return encode(line)


def encode(line: object) -> bytes:
    """A whole line of the journal."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _rise(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _mebi(value: float | None) -> float | None:
    return None if value is None else value / 2**20


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _larger(old: Any, new: Any) -> Any:
    if new is None:
        return old
    return new if old is None or new > old else old
