"""Which sources are tried, in which order. A new source is one file beside this one and one name
in one of the two tuples below.

The first source of a ladder that works is used alone: two sources are never mixed, because their
domains overlap. GPUs have no ladder: `nvml.py` is the only source of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jobwatt.sources.base import OK, Probe, Source
from jobwatt.sources.estimate import Estimate
from jobwatt.sources.hwmon import Hwmon
from jobwatt.sources.perf_event import PerfEvent
from jobwatt.sources.pm_counters import PmCounters
from jobwatt.sources.powercap import Powercap

Factory = Callable[[Path], Source]
"""Makes a source that reads below the given root (`/`, or a folder in tests)."""

CPU_LADDER: tuple[Factory, ...] = (Powercap, PerfEvent, Estimate)
"""Power of the CPUs, best first. The estimate is last and always works."""

NODE_SOURCES: tuple[Factory, ...] = (PmCounters, Hwmon)
"""Power of the whole node, best first."""


def choose(probes: Sequence[Probe]) -> int | None:
    """Index of the first probe that is OK, as a whole: no domain is taken from a lower rung."""
    return next((index for index, probe in enumerate(probes) if probe.state == OK), None)


def probe_all(root: Path) -> list[tuple[Source, Probe]]:
    """Every source of both ladders with its probe, for `jobwatt doctor`. Close each when done."""
    sources = [factory(root) for factory in (*CPU_LADDER, *NODE_SOURCES)]
    return [(source, source.probe()) for source in sources]
