"""What Slurm knows of the jobs, kept in the index: it is asked once a minute at the most."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jobwatt.history.index import Index
from jobwatt.history.measured import JOURNAL, with_slurm
from jobwatt.history.rows import JobRow
from jobwatt.slurm.jobs import SlurmJob

if TYPE_CHECKING:
    from jobwatt.slurm.ask import Answer

FIRST_SECONDS = 62 * 86400.0
"""The first question goes back this far: a month and the month before it."""
MARGIN_SECONDS = 900.0
"""Later ones go back to the last answer and this much more: clocks differ, slurmdbd lags."""

Ask = Callable[[float], "Answer"]
"""Unix seconds from which on -> what Slurm knows of the user's jobs since."""


def refresh(
    index: Index, ask: Ask, since_wall_seconds: float, now_wall_seconds: float, interval: float
) -> list[str]:
    """Ask if it is time to, and take the answer in. One line for each thing Slurm could not say."""
    if not _is_due(index, now_wall_seconds, interval):
        return index.note("slurm problems").splitlines()
    with index.writing():
        if not _is_due(index, now_wall_seconds, interval):  # another process was faster
            return index.note("slurm problems").splitlines()
        index.put_note("slurm asked", now_wall_seconds)
    covered = _seconds(index.note("slurm since"), float("inf"))
    since = min(since_wall_seconds, now_wall_seconds - FIRST_SECONDS)
    if covered <= since:
        since = _seconds(index.note("slurm heard"), since) - MARGIN_SECONDS
    answer = ask(since)
    with index.writing():
        index.put_note("slurm problems", "\n".join(answer.problems))
        index.put_note("slurm source", answer.source)
        if answer.cluster:
            index.put_note("cluster", answer.cluster)
        if answer.accounting:
            index.put_note("slurm since", min(since, covered))
            index.put_note("slurm heard", now_wall_seconds)
        if answer.source:
            _take(index, answer, now_wall_seconds)
    return list(answer.problems)


def _is_due(index: Index, now_wall_seconds: float, interval: float) -> bool:
    asked = _seconds(index.note("slurm asked"), 0.0)
    return not 0 <= now_wall_seconds - asked < interval


def _take(index: Index, answer: Answer, now_wall_seconds: float) -> None:
    named = [job._replace(cluster=job.cluster or answer.cluster) for job in answer.jobs]
    told = {(job.job, job.cluster) for job in named}
    for job in named:
        _put(index, job)
    for row in index.running():
        cluster = row.cluster or answer.cluster
        unheard = cluster == answer.cluster and (row.job, cluster) not in told
        if row.source != JOURNAL and unheard:
            _lost(index, row, now_wall_seconds)


def _put(index: Index, told: SlurmJob) -> None:
    """Journals of an old Slurm name no cluster: theirs is the job of the same id without one."""
    key = (told.job, told.cluster)
    bare, row = index.row_of((told.job, "")), index.row_of(key)
    if told.cluster and bare is not None and not (row and row.origin):
        if row is not None:  # told before the journals were found
            index.remove(row.key)
        row = bare
    row = row or JobRow(*key)
    place, written = index.place_of(row.key)
    index.put([(with_slurm(row, told), place, written)])
    # It may have begun a new life: its directories are looked at again.
    index.reopen(row.key, told.start_wall_seconds)


def _lost(index: Index, row: JobRow, now_wall_seconds: float) -> None:
    """It ran or waited when Slurm was last asked, and Slurm no longer knows it."""
    place, written = index.place_of(row.key)
    end = row.seen_wall_seconds or now_wall_seconds
    index.put([(row._replace(state="", end_wall_seconds=end, source=JOURNAL), place, written)])


def _seconds(text: str, otherwise: float) -> float:
    return float(text) if text else otherwise
