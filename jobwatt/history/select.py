"""Which jobs a list shows, in which order, and arrays as one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from jobwatt.errors import UsageError
from jobwatt.history.rows import JobRow
from jobwatt.slurm.jobs import ABBREVIATIONS, NO_RESULT, OUTCOMES, PENDING

SORTS: dict[str, Callable[[JobRow], Any]] = {
    "start": lambda row: row.start_wall_seconds or row.submit_wall_seconds,
    "end": lambda row: row.end_wall_seconds,
    "id": lambda row: (int(row.job) if row.job.isdecimal() and len(row.job) < 19 else 0, row.job),
    "name": lambda row: row.name,
    "state": lambda row: row.state,
    "elapsed": lambda row: row.elapsed_seconds,
    "nodes": lambda row: row.nodes,
    "gpus": lambda row: row.gpus,
    "energy": lambda row: row.metered_joules,
    "power": lambda row: row.power_mean_watts,
    "use": lambda row: row.utilization_mean_percent,
    "idle": lambda row: row.gpu_idle_joules,
    "lost": lambda row: row.no_result_joules,
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

    @property
    def first(self) -> JobRow:
        """The job, or the array's first task in the list."""
        return self.rows[0]

    @property
    def is_array(self) -> bool:
        """Whether it stands for several tasks."""
        return len(self.rows) > 1


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


def ordered(rows: Sequence[JobRow], sort: str) -> list[JobRow]:
    """By a column, the largest or latest first, `-COLUMN` reversed; unknown values last.

    UsageError: no such column.
    """
    name = sort.removeprefix("-") or "start"
    if name not in SORTS:
        raise UsageError(f"cannot sort by {name!r:.40}", f"columns: {', '.join(SORTS)}")
    value = SORTS[name]
    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    reverse = (name not in _ASCENDING) != sort.startswith("-")
    return sorted(known, key=value, reverse=reverse) + unknown


def lines(rows: Sequence[JobRow], every_task: bool) -> list[Line]:
    """An array's tasks together, at the place of the first of them."""
    if every_task:
        return [Line((row,)) for row in rows]
    groups: dict[tuple[str, str], list[JobRow]] = {}
    for row in rows:
        key = (row.array_job or f"job {row.job}", row.cluster)
        groups.setdefault(key, []).append(row)
    return [Line(tuple(group)) for group in groups.values()]


def without_result(rows: Sequence[JobRow]) -> list[JobRow]:
    """Jobs that ended without their result; cancelled ones are not among them."""
    return [row for row in rows if row.outcome in NO_RESULT]
