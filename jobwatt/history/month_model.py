"""What `jobwatt month` knows of a period, before any layout. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from jobwatt.history.periods import Period
from jobwatt.history.rows import JobRow
from jobwatt.model import Energy


@dataclass(frozen=True)
class Slice:
    """One line of a breakdown."""

    label: str
    """Empty: the jobs did not say."""
    energy_joules: float | None
    share: float | None
    """Of the metered total, 0 to 1."""
    jobs: int


@dataclass(frozen=True)
class Breakdown:
    """The total by one thing, largest first."""

    slices: tuple[Slice, ...]
    others: Slice | None = None
    """All that have no line of their own, as one."""
    others_labels: int = 0


@dataclass(frozen=True)
class Large:
    """One of the largest jobs."""

    row: JobRow
    energy: Energy
    """Within the period."""
    share: float | None
    whole: bool
    """All of its energy lies within the period."""


@dataclass(frozen=True)
class Totals:
    """Sums over one period. None is unknown."""

    jobs: int
    """That ran within it, imported ones left out."""
    jobs_measured: int
    jobs_told_by_slurm: int
    metered: Energy
    """GPUs, packages and DRAM, measured or attributed."""
    estimated_joules: float | None
    """Not in `metered`."""
    imported_joules: float | None
    """What other tools said; in no other figure."""
    imported_estimated_joules: float | None
    jobs_imported: int
    coverage: float | None
    """For which part of the measured jobs' time the energy is known, 0 to 1."""
    power_mean_watts: float | None
    """Metered energy over the length of the period."""
    gpu_joules: float | None
    gpu_held_seconds: float | None
    """Allocated GPUs times run time, of all jobs of which Slurm says how many they had."""
    gpu_held_measured_seconds: float
    """Those of measured jobs."""
    gpu_utilization_mean_percent: float | None
    """Weighted by measured time and GPUs."""
    gpu_idle_joules: float | None
    """At 0 % utilisation."""
    gpu_idle_seconds: float | None
    no_result_joules: float | None
    """Of jobs that failed, ran out of memory or time, or lost a node."""
    no_result_jobs: int
    cancelled_joules: float | None
    cancelled_jobs: int


@dataclass(frozen=True)
class Month:
    """One period beside the one before it."""

    period: Period
    before: Period
    made_wall_seconds: float
    totals: Totals
    totals_before: Totals
    day_joules: tuple[float | None, ...]
    """For each of `period.days`; None: jobs ran, none was measured."""
    day_joules_before: tuple[float | None, ...]
    outcomes: Breakdown
    """In the order of `jobwatt.slurm.jobs.OUTCOMES`, all of them."""
    names: Breakdown
    accounts: Breakdown
    partitions: Breakdown
    gpu_models: Breakdown
    largest: tuple[Large, ...]
