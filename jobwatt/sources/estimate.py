"""A model of the CPUs' power, for nodes that let nobody read a meter. Never a measurement.

`idle + (maximum - idle) x busy fraction`, linear in the CPU time of `/proc/stat`. The constants
are Cloud Carbon Footprint's averages per hardware thread, 0.74 W idle and 3.5 W busy, from
SPECpower_ssj2008 results (methodology, AWS averages); its own table of processor families spans
1.7 to 4.7 W busy, and vector code draws more than ssj2008: hence an error band of 60 %.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jobwatt.sources.base import (
    ABSENT,
    CPU_ESTIMATE,
    ESTIMATE,
    NO_READING,
    OK,
    Device,
    Probe,
    Reading,
)
from jobwatt.sources.files import read_number, read_text

IDLE_WATTS_PER_THREAD = 0.74
BUSY_WATTS_PER_THREAD = 3.5
THREADS_PER_CORE = 2
"""The constants are for threads of two-thread cores; without SMT a CPU is a whole core."""
ERROR_FRACTION = 0.6

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def modelled_power_watts(cpu_count: int, busy_fraction: float, smt: bool = True) -> float:
    """Power of all CPUs of a node, `cpu_count` being what Linux calls CPUs."""
    threads = cpu_count if smt else cpu_count * THREADS_PER_CORE
    span = BUSY_WATTS_PER_THREAD - IDLE_WATTS_PER_THREAD
    return threads * (IDLE_WATTS_PER_THREAD + span * min(max(busy_fraction, 0.0), 1.0))


class Ticks(NamedTuple):
    """Busy and total CPU time of the node since boot, in clock ticks (proc(5))."""

    busy: int
    total: int

    @classmethod
    def parse(cls, proc_stat: str | None) -> Ticks | None:
        """From the first line of `/proc/stat`; guest time is in user time already."""
        words = proc_stat.partition("\n")[0].split() if proc_stat else []
        if len(words) < 6 or words[0] != "cpu":
            return None
        try:
            ticks = [int(word) for word in words[1:9]]
        except ValueError:
            return None
        return cls(sum(ticks) - ticks[3] - ticks[4], sum(ticks))


class Estimate:
    """Modelled energy of the node's CPUs since the probe, as a counter."""

    name = "estimate"

    def __init__(self, root: Path, cpu_count: int | None = None) -> None:
        """`cpu_count` None takes the CPUs that `/proc/stat` lists."""
        self._root = root
        self._cpu_count = cpu_count
        self._listed_cpus = 1
        self._smt = True
        self._before: Ticks | None = None
        self._energy_joules = 0.0
        self._power_watts: float | None = None

    def probe(self) -> Probe:
        """Count the CPUs. ABSENT only where `/proc/stat` cannot be read."""
        text = read_text(self._root / "proc/stat")
        self._before = Ticks.parse(text)
        if text is None or self._before is None:
            return Probe(self.name, ABSENT, detail="/proc/stat cannot be read")
        lines = text.split("\n")
        self._listed_cpus = sum(line[:3] == "cpu" and line[3:4].isdigit() for line in lines) or 1
        if self._cpu_count is None:
            self._cpu_count = self._listed_cpus
        self._smt = read_number(self._root / "sys/devices/system/cpu/smt/active") != 0
        idle, busy = (self._model(fraction) for fraction in (0.0, 1.0))
        device = Device(
            CPU_ESTIMATE,
            "cpus",
            f"{self._cpu_count} CPUs (estimated)",
            self.name,
            ESTIMATE,
            error_fraction=ERROR_FRACTION,
        )
        return Probe(
            self.name,
            OK,
            [device],
            f"estimated from CPU time: {idle:.0f} W idle, {busy:.0f} W with every CPU busy",
            resolution=f"a model, right within about {ERROR_FRACTION:.0%}",
            covers="the node's CPUs, estimated; no memory, GPU, disk, network or fan",
        )

    def read(self) -> Sequence[Reading]:
        """Modelled energy since the probe, and mean power since the previous read."""
        now = Ticks.parse(read_text(self._root / "proc/stat"))
        before = self._before
        if now is None or before is None:
            return [NO_READING]
        counted = now.total - before.total
        if counted > 0:
            self._power_watts = self._model((now.busy - before.busy) / counted)
            seconds = counted / _TICKS_PER_SECOND / self._listed_cpus
            self._energy_joules += self._power_watts * seconds
            self._before = now
        return [Reading(self._energy_joules, self._power_watts)]

    def close(self) -> None:
        """Nothing is held."""

    def _model(self, busy_fraction: float) -> float:
        return modelled_power_watts(self._cpu_count or 1, busy_fraction, self._smt)
