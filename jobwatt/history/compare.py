"""Jobs side by side, and the median of a job's earlier runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from jobwatt.history.rows import JobRow
from jobwatt.slurm.jobs import COMPLETED, PENDING, RUNNING

ENOUGH_RUNS = 3
"""From so many on, a group is worth a median of its own."""
COMMON_NAMES = frozenset(
    {"", "bash", "sh", "wrap", "interactive", "python", "python3", "srun", "jupyter"}
)
"""Names that say nothing of what ran: there the command must be the same."""
SAME_COMMAND = "with the same command"


@dataclass(frozen=True)
class Quantity:
    """A figure of a job: its name with the unit, its label, and where it is found."""

    name: str
    label: str
    value: Callable[[JobRow], float | None]


QUANTITIES = (
    Quantity("elapsed_seconds", "elapsed", lambda row: row.elapsed_seconds),
    Quantity("nodes", "nodes", lambda row: row.nodes),
    Quantity("gpus", "GPUs", lambda row: row.gpus),
    Quantity("cpus", "CPUs", lambda row: row.cpus),
    Quantity("metered_joules", "energy", lambda row: row.metered_joules),
    Quantity("gpu_joules", "  GPUs", lambda row: row.gpu_joules),
    Quantity("cpu_joules", "  CPUs", lambda row: row.cpu_joules),
    Quantity("dram_joules", "  memory", lambda row: row.dram_joules),
    Quantity("estimated_joules", "estimated", lambda row: row.estimated_joules),
    Quantity("gpu_idle_joules", "idle GPUs", lambda row: row.gpu_idle_joules),
    Quantity("power_mean_watts", "mean power", lambda row: row.power_mean_watts),
    Quantity("utilization_mean_percent", "GPU use", lambda row: row.utilization_mean_percent),
    Quantity("coverage", "covers", lambda row: row.coverage),
)


@dataclass(frozen=True)
class Earlier:
    """The median of a job's earlier runs, by name of quantity; None where none is known."""

    medians: dict[str, float | None]
    runs: int
    """How many runs it is of."""
    rule: str
    """Which of the runs of this name those are, for people: goes on after `3 earlier runs`."""


def earlier(job: JobRow, runs: Sequence[JobRow]) -> Earlier:
    """Of `runs` (measured jobs of the same name) those before the job that are like it.

    The narrowest group of at least three is taken: of the same command and completed, completed,
    all that have ended. A name that says nothing needs the same command.
    """
    before = [
        run
        for run in runs
        if run.key != job.key
        and (run.start_wall_seconds or 0.0) < (job.start_wall_seconds or 0.0)
        and run.outcome not in (RUNNING, PENDING)
    ]
    same_command = [run for run in before if job.command and run.command == job.command]
    needed = ""
    if job.name in COMMON_NAMES:
        before, needed = same_command, f" {SAME_COMMAND}"
    groups = (
        (f"that completed {SAME_COMMAND}", [r for r in same_command if r.outcome == COMPLETED]),
        (f"that completed{needed}", [r for r in before if r.outcome == COMPLETED]),
        (f"that ended in any way{needed}", before),
    )
    rule, found = next((group for group in groups if len(group[1]) >= ENOUGH_RUNS), groups[-1])
    return Earlier({q.name: middle(q, found) for q in QUANTITIES}, len(found), rule)


def middle(quantity: Quantity, rows: Sequence[JobRow]) -> float | None:
    """The median of the known values."""
    known = [value for row in rows if (value := quantity.value(row)) is not None]
    return float(median(known)) if known else None
