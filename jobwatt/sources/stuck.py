"""Counters that exist and never move, as some virtual machines show.

`moves` puts the CPUs to work and looks (for `jobwatt doctor`); `watch` and `is_stuck` only look,
for whoever may not make a load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jobwatt.sources.base import OK, STUCK, Probe, Source

STUCK_SECONDS = 3.0
"""A package always draws power, and RAPL's smallest step is below 1 mJ: no load is needed."""
STUCK_SECONDS_BUSY = 1.0
BUSY_FRACTION = 0.05


class Watch(NamedTuple):
    """Since when a counter has stood where it stands."""

    counter_joules: float | None = None
    since_seconds: float = 0.0


def watch(before: Watch, time_seconds: float, counter_joules: float | None) -> Watch:
    """Feed one reading of the counter. An unknown one changes nothing."""
    if counter_joules is None or counter_joules == before.counter_joules:
        return before
    return Watch(counter_joules, time_seconds)


def is_stuck(state: Watch, time_seconds: float, busy_fraction: float | None) -> bool:
    """Whether a counter has stood still for too long, given how busy the node's CPUs were."""
    if state.counter_joules is None:
        return False
    busy = busy_fraction is not None and busy_fraction > BUSY_FRACTION
    limit_seconds = STUCK_SECONDS_BUSY if busy else STUCK_SECONDS
    return time_seconds - state.since_seconds >= limit_seconds


def burn(seconds: float) -> None:
    """Keep one CPU busy."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def moves(
    source: Source, seconds: float = 0.3, load: Callable[[float], None] = burn
) -> list[bool | None]:
    """For each device of a probed source, whether its counter moved while `load(seconds)` ran.

    None where there is no counter to judge (polled power, failed read).
    """
    before = source.read()
    load(seconds)
    after = source.read()
    return [
        None
        if first.energy_joules is None or last.energy_joules is None
        else first.energy_joules != last.energy_joules
        for first, last in zip(before, after, strict=True)
    ]


def judged(probe: Probe, moved: Sequence[bool | None]) -> Probe:
    """The probe with what `moves` saw: STUCK if no counter moved, else a note of the dead ones."""
    still = [device.name for device, one in zip(probe.devices, moved, strict=True) if one is False]
    if probe.state != OK or not still:
        return probe
    detail = "does not move under load: " + ", ".join(still)
    if any(moved):
        return probe._replace(detail=f"{probe.detail}; {detail}")
    return probe._replace(state=STUCK, detail=detail)
