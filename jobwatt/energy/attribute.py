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

Column = Sequence[float | None]

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
    return share_spans(
        [energy_joules], [step_cpu_seconds], [node_busy_seconds], [node_total_seconds], [cores]
    )


def share_spans(
    energies_joules: Column,
    step_cpu_seconds: Column,
    node_busy_seconds: Column,
    node_total_seconds: Column,
    core_fractions: Sequence[float],
) -> Share | None:
    """Share of many spans, each by its own CPU times. None when no span has one.

    One loop over plain numbers: a day of a node has 35,000 of these spans.
    """
    busy_joules = idle_joules = low_joules = high_joules = 0.0
    any_known = False
    columns = (energies_joules, step_cpu_seconds, node_busy_seconds, node_total_seconds)
    for energy, step, busy, total, cores in zip(*columns, core_fractions, strict=True):
        if energy is None:
            continue
        by_cores = energy * cores
        if step is None or not busy or not total:
            if cores == 0.0:
                continue
            idle_joules += by_cores
            high_joules += energy
        else:
            busy_fraction = busy / total if busy < total else 1.0
            # The two clocks tick apart: a step never uses more than the whole node does.
            by_cpu = energy * step / busy if step < busy else energy
            busy_joules += by_cpu * busy_fraction
            idle_joules += by_cores * (1.0 - busy_fraction)
            if not cores:
                low_joules += by_cpu * busy_fraction
            else:
                low_joules += by_cpu if by_cpu < by_cores else by_cores
            high_joules += by_cpu if by_cpu > by_cores else by_cores
        any_known = True
    return Share(busy_joules, idle_joules, low_joules, high_joules) if any_known else None


def share_by_span(
    energies_joules: Column,
    step_cpu_seconds: Column,
    node_busy_seconds: Column,
    node_total_seconds: Column,
    core_fractions: Sequence[float],
) -> list[float | None]:
    """The same span by span, in joules; `share_spans` is their sum. None where there is none."""
    shares: list[float | None] = []
    columns = (energies_joules, step_cpu_seconds, node_busy_seconds, node_total_seconds)
    for energy, step, busy, total, cores in zip(*columns, core_fractions, strict=True):
        if energy is None:
            shares.append(None)
        elif step is None or not busy or not total:
            shares.append(energy * cores if cores else None)
        else:
            busy_fraction = busy / total if busy < total else 1.0
            by_cpu = step / busy if step < busy else 1.0
            shares.append(energy * (by_cpu * busy_fraction + cores * (1.0 - busy_fraction)))
    return shares
