"""Rows -> jobs: the latest run of each, the components of a het job put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jobwatt.slurm.jobs import CANCELLED, COMPLETED, SlurmJob, outcome

_REQUEUE_SECONDS = 3600.0
"""A requeued job is submitted anew when its last run has ended; its epilog may take a while."""


class Run(NamedTuple):
    """One row: a job's run, or that of one component of a het job."""

    raw: str
    """Raw id, of the component."""
    offset: int
    """Component of a het job; 0 for the leader and for every other job."""
    job: SlurmJob


def fold(runs: Iterable[Run], since_wall_seconds: float | None = None) -> list[SlurmJob]:
    """One job for each id, in the order of their first rows.

    Slurm requeues under the same id, and may give an id to another job when its counter starts
    anew: the one submitted last counts. With `since_wall_seconds` (sacct's rows) restarts are
    counted by rows where Slurm does not tell them; None where earlier rows may be missing.
    """
    by_raw: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by_raw.setdefault((run.job.cluster, run.raw), []).append(run)
    by_leader: dict[tuple[str, str], list[Run]] = {}
    for same in by_raw.values():
        latest = _latest(same, since_wall_seconds)
        by_leader.setdefault((latest.job.cluster, latest.job.job), []).append(latest)
    return [_together(components) for components in by_leader.values()]


def _latest(same: Sequence[Run], since_wall_seconds: float | None) -> Run:
    ordered = sorted(same, key=lambda run: _when(run.job))
    last = ordered[-1]
    if last.job.restarts is not None or since_wall_seconds is None:
        return last
    restarts = 1 if last.job.state == "REQUEUED" else 0
    first = last.job
    for earlier in reversed(ordered[:-1]):
        if not _requeued(earlier.job, first):
            break
        restarts, first = restarts + 1, earlier.job
    complete = (first.submit_wall_seconds or 0.0) >= since_wall_seconds
    return last._replace(job=last.job._replace(restarts=restarts if complete else None))


def _when(job: SlurmJob) -> tuple[float, float]:
    return job.submit_wall_seconds or 0.0, job.start_wall_seconds or 0.0


def _requeued(earlier: SlurmJob, later: SlurmJob) -> bool:
    """Whether these are two runs of one job, not two jobs to which Slurm gave the same id."""
    end, submit = earlier.end_wall_seconds, later.submit_wall_seconds
    if (earlier.user, earlier.name) != (later.user, later.name):
        return False
    if earlier.state == "REQUEUED":
        return True
    return end is not None and submit is not None and 0 <= submit - end <= _REQUEUE_SECONDS


def _together(components: Sequence[Run]) -> SlurmJob:
    """The leader with what all components hold. It completed only if all did."""
    ordered = sorted(components, key=lambda run: run.offset)
    jobs = [run.job for run in ordered]
    leader = jobs[0]
    if len(jobs) == 1:
        return leader
    ends = [job.end_wall_seconds for job in jobs]
    starts = [job.start_wall_seconds for job in jobs if job.start_wall_seconds is not None]
    leader = leader._replace(
        components=len(jobs),
        nodes=_sum([job.nodes for job in jobs]),
        cpus=_sum([job.cpus for job in jobs]),
        gpus=_sum([job.gpus for job in jobs]),
        memory_bytes=_sum([job.memory_bytes for job in jobs]),
        node_list=",".join(dict.fromkeys(job.node_list for job in jobs if job.node_list)),
        start_wall_seconds=min(starts, default=None),
        end_wall_seconds=None if None in ends else max(end for end in ends if end is not None),
    )
    if outcome(leader.state) != COMPLETED:
        return leader
    failed = [job for job in jobs[1:] if outcome(job.state) not in (COMPLETED, CANCELLED)]
    return leader._replace(
        **{name: getattr(failed[0], name) for name in ("state", "exit_code", "exit_signal")}
    ) if failed else leader  # fmt: skip


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
