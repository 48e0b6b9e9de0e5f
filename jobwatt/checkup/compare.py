"""A GPU's energy counter against its polled power. Pure.

The counter is a staircase with a step about every 100 ms, so only the time between its first and
its last step counts. `nvmlDeviceGetPowerUsage` is the mean of the last second on Ampere and later
but GA100 (NVML API reference), so it lags behind a power that changes: by at most this second
times the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from jobwatt.checkup.findings import Comparison
from jobwatt.energy.units import format_power

TOLERANCE_FRACTION = 0.10
AVERAGING_SECONDS = 1.0
MIN_SECONDS = 0.4
"""Below it the time between two samples is too large a part of the whole."""


class Sample(NamedTuple):
    """One look at one GPU."""

    time_seconds: float
    energy_joules: float | None
    power_watts: float | None


def compare(samples: Sequence[Sample]) -> Comparison:
    """Whether both sensors tell of the same energy."""
    energies = [s for s in samples if s.energy_joules is not None]
    powers = [s.power_watts for s in samples if s.power_watts is not None]
    if len(energies) < 2:
        return Comparison("unknown", "no energy counter to compare")
    if len(powers) < 2:
        return Comparison("unknown", "no polled power to compare")
    if any(b.energy_joules < a.energy_joules for a, b in pairwise(energies)):  # type: ignore[operator]
        return Comparison("unknown", "the counter was reset meanwhile")
    steps = [b for a, b in pairwise(energies) if b.energy_joules != a.energy_joules]
    length = energies[-1].time_seconds - energies[0].time_seconds
    if not steps:
        if max(powers) == 0:
            return Comparison("agrees", "both say 0 W", 0.0, 0.0, length)
        text = f"the counter stands still at {format_power(sum(powers) / len(powers))}"
        return Comparison("unknown", text, 0.0, None, length)
    return _between(steps[0], steps[-1], samples)


def _between(first: Sample, last: Sample, samples: Sequence[Sample]) -> Comparison:
    seconds = last.time_seconds - first.time_seconds
    if seconds < MIN_SECONDS or first.energy_joules is None or last.energy_joules is None:
        return Comparison("unknown", "the time was too short to compare")
    inside = [
        (s.time_seconds, s.power_watts)
        for s in samples
        if s.power_watts is not None and first.time_seconds <= s.time_seconds <= last.time_seconds
    ]
    span = inside[-1][0] - inside[0][0] if inside else 0.0
    if span < 0.8 * seconds:
        return Comparison("unknown", "polled power failed too often to compare")
    polled = sum((t1 - t0) * (p0 + p1) / 2 for (t0, p0), (t1, p1) in pairwise(inside))
    polled *= seconds / span
    counted = last.energy_joules - first.energy_joules
    values = (counted, polled, seconds)
    difference = abs(counted - polled)
    larger = max(counted, polled)
    if difference <= TOLERANCE_FRACTION * larger:
        percent = 100 * difference / larger if larger else 0.0
        return Comparison("agrees", f"counter and power agree within {percent:.1f} %", *values)
    powers = [power for _, power in inside]
    both = f"counter {format_power(counted / seconds)}, polled {format_power(polled / seconds)}"
    lag_joules = AVERAGING_SECONDS * (max(powers) - min(powers))
    if difference <= TOLERANCE_FRACTION * larger + lag_joules:
        return Comparison("unsteady", f"power changed too fast to compare ({both})", *values)
    text = f"DISAGREE by {100 * difference / larger:.0f} %: {both}"
    return Comparison("disagrees", text, *values)
