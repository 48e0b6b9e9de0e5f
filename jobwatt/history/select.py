"""Which jobs a list shows, in which order, and arrays as one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from jobwatt.energy.integrate import known_sum, mean_over_time
from jobwatt.errors import UsageError
from jobwatt.history.rows import JobRow
from jobwatt.model import ATTRIBUTED
from jobwatt.slurm.jobs import ABBREVIATIONS, NO_RESULT, OUTCOMES, PENDING

SORTS: dict[str, Callable[[Line], Any]] = {
    "start": lambda line: line.row.start_wall_seconds or line.row.submit_wall_seconds,
    "end": lambda line: line.row.end_wall_seconds,
    "id": lambda line: (line.row.job.isdecimal() and len(line.row.job), line.row.job),
    "name": lambda line: line.row.name,
    "state": lambda line: line.row.state,
    "elapsed": lambda line: line.row.elapsed_seconds,
    "nodes": lambda line: line.row.nodes,
    "gpus": lambda line: line.row.gpus,
    "energy": lambda line: line.row.metered_joules,
    "power": lambda line: line.row.power_mean_watts,
    "use": lambda line: line.row.utilization_mean_percent,
    "idle": lambda line: line.row.gpu_idle_joules,
    "lost": lambda line: known_sum([row.no_result_joules for row in line.rows]),
}
"""Columns that `--sort` knows; all but the name and the state begin with the largest."""
_ASCENDING = ("name", "state")


@dataclass(frozen=True)
class Filter:
    """What a job must be to be shown; empty takes all."""

    states: Collection[str] = ()
    name: str = ""
    """A pattern with `*` and `?`."""
    accounts: Collection[str] = ()
    partitions: Collection[str] = ()
    measured: bool = False

    def takes(self, row: JobRow) -> bool:
        """Whether the job is wanted. Pending ones only where asked for by state."""
        return (
            (row.state in self.states if self.states else row.outcome != PENDING)
            and (not self.name or fnmatchcase(row.name, self.name))
            and (not self.accounts or row.account in self.accounts)
            and (not self.partitions or row.partition in self.partitions)
            and (not self.measured or bool(row.origin))
        )


@dataclass(frozen=True)
class Line:
    """A line of the list: a job, or an array's tasks together."""

    rows: tuple[JobRow, ...]
    row: JobRow
    """The job; of an array its tasks as one, see `together`."""

    @property
    def is_array(self) -> bool:
        """Whether it stands for several tasks."""
        return len(self.rows) > 1


def together(rows: Sequence[JobRow]) -> JobRow:
    """An array's tasks as one job: energies add up, its time is from the first start to the last
    end, nodes and GPUs are the most that one task had. The state is that of the first task.
    """
    if len(rows) == 1:
        return rows[0]
    starts = [row.start_wall_seconds for row in rows if row.start_wall_seconds is not None]
    ends = [
        row.start_wall_seconds + row.elapsed_seconds
        for row in rows
        if row.start_wall_seconds is not None and row.elapsed_seconds is not None
    ]
    weights = [row.elapsed_seconds for row in rows]
    kinds = [row.metered_kind for row in rows if row.metered_kind]
    return rows[0]._replace(
        start_wall_seconds=min(starts, default=None),
        end_wall_seconds=max(ends) if len(ends) == len(rows) else None,
        elapsed_seconds=max(ends) - min(starts) if ends else None,
        nodes=max((row.nodes for row in rows if row.nodes is not None), default=None),
        gpus=max((row.gpus for row in rows if row.gpus is not None), default=None),
        metered_kind=ATTRIBUTED if ATTRIBUTED in kinds else "".join(kinds[:1]),
        metered_joules=known_sum([row.metered_joules for row in rows]),
        estimated_joules=known_sum([row.estimated_joules for row in rows]),
        gpu_idle_joules=known_sum([row.gpu_idle_joules for row in rows]),
        power_mean_watts=None,
        utilization_mean_percent=mean_over_time(
            [row.utilization_mean_percent for row in rows], weights
        ),
    )


def words(text: str) -> tuple[str, ...]:
    """`a,b` -> (a, b)."""
    return tuple(word for word in text.replace(",", " ").split() if word)


def states(text: str) -> frozenset[str]:
    """Slurm's states by their names or short names. UsageError: no such state."""
    found: set[str] = set()
    for word in words(text):
        name = ABBREVIATIONS.get(word.upper(), word.upper())
        if name not in OUTCOMES:
            raise UsageError(f"no state {word!r:.40}", f"there are: {', '.join(OUTCOMES)}")
        found.add(name)
    return frozenset(found)


def lines(rows: Sequence[JobRow], every_task: bool) -> list[Line]:
    """An array's tasks together, at the place of the first of them."""
    if every_task:
        return [Line((row,), row) for row in rows]
    groups: dict[tuple[str, str], list[JobRow]] = {}
    for row in rows:
        key = (row.array_job or f"job {row.job}", row.cluster)
        groups.setdefault(key, []).append(row)
    return [Line(tuple(group), together(group)) for group in groups.values()]


def ordered(found: Sequence[Line], sort: str) -> list[Line]:
    """By a column, the largest or latest first, `-COLUMN` reversed; unknown values last.

    UsageError: no such column.
    """
    name = sort.removeprefix("-") or "start"
    if name not in SORTS:
        raise UsageError(f"cannot sort by {name!r:.40}", f"columns: {', '.join(SORTS)}")
    value = SORTS[name]
    known = [line for line in found if value(line) is not None]
    unknown = [line for line in found if value(line) is None]
    reverse = (name not in _ASCENDING) != sort.startswith("-")
    return sorted(known, key=value, reverse=reverse) + unknown


def without_result(rows: Sequence[JobRow]) -> list[JobRow]:
    """Jobs that ended without their result; cancelled ones are not among them."""
    return [row for row in rows if row.outcome in NO_RESULT]
