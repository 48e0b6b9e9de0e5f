"""A step's share of a measured node. Pure.

Rule: every core-second of the node costs the same. Of a package's energy in a span

    the busy part (node's busy core-seconds / all core-seconds) is shared by CPU time,
    the idle part (the rest) by allocated cores,

so the shares of all jobs never exceed the node. The error band is spanned by the two extremes:
all by CPU time (nothing idles) and all by allocated cores (everything idles).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RULE = "busy part by CPU time, idle part by allocated cores"
RULE_UNALLOCATED = "busy part by CPU time; idle part of the machine not counted"
RULE_CORES = "by allocated cores (no CPU time of the step)"
RULE_WHOLE = "node held whole: all of it"
RULE_MACHINE = "the whole machine, other jobs included"
RULE_NONE = "neither CPU time of the step nor allocated cores to share it by"


@dataclass(frozen=True)
class Share:
    """A share of one span's energy, or of a whole step's; all in joules."""

    busy_joules: float
    idle_joules: float
    low_joules: float
    high_joules: float

    @property
    def joules(self) -> float:
        """The share itself."""
        return self.busy_joules + self.idle_joules


def core_fraction(cpus_allocated: int | None, cpus_total: int) -> float:
    """Part of the node's cores that the job holds; 0 where nothing was allocated."""
    if cpus_allocated is None or cpus_total <= 0:
        return 0.0
    return min(1.0, cpus_allocated / cpus_total)


def share_span(
    energy_joules: float,
    step_cpu_seconds: float | None,
    node_busy_seconds: float | None,
    node_total_seconds: float | None,
    cores: float,
) -> Share | None:
    """One span's share. None when neither CPU time nor allocated cores are known."""
    by_cores = energy_joules * cores
    if step_cpu_seconds is None or not node_busy_seconds or not node_total_seconds:
        if cores == 0.0:
            return None
        return Share(0.0, by_cores, 0.0, energy_joules)
    busy_fraction = min(1.0, node_busy_seconds / node_total_seconds)
    # The two clocks tick apart: a step never uses more than the whole node does.
    step_fraction = min(1.0, step_cpu_seconds / node_busy_seconds)
    by_cpu = energy_joules * step_fraction
    return Share(
        by_cpu * busy_fraction,
        by_cores * (1.0 - busy_fraction),
        min(by_cpu, by_cores) if cores else by_cpu * busy_fraction,
        max(by_cpu, by_cores),
    )


def total_share(shares: Sequence[Share]) -> Share:
    """Sum over spans."""
    return Share(
        sum(share.busy_joules for share in shares),
        sum(share.idle_joules for share in shares),
        sum(share.low_joules for share in shares),
        sum(share.high_joules for share in shares),
    )
