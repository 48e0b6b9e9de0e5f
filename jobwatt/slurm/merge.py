"""Two answers on the same jobs, accounting's and the controller's, put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from jobwatt.slurm.jobs import PENDING, RUNNING, SlurmJob, outcome

_NEWS_SECONDS = 300.0
"""A job submitted so recently may be in one answer and not yet in the other."""

_LASTING = (
    "array_job", "array_task", "name", "user", "account", "partition", "command",
    "time_limit_seconds", "nodes", "cpus", "gpus", "memory_bytes", "restarts",
)  # fmt: skip
"""What is the same in every run of a job."""

_OF_A_RUN = (
    "reason", "exit_code", "exit_signal", "start_wall_seconds", "end_wall_seconds",
    "elapsed_seconds", "node_list",
)  # fmt: skip


def merge(
    accounting: Iterable[SlurmJob],
    queue: Iterable[SlurmJob] | None,
    now_wall_seconds: float,
) -> list[SlurmJob]:
    """Each job once: by accounting where it has ended, by the controller while it waits or runs.

    `queue` is None where the controller did not answer. Where it did, a job that accounting still
    believes to run and the controller does not know is left out: slurmdbd missed its end
    (`sacctmgr show runawayjobs`), and nobody knows what became of it.
    """
    live = {job.job: job for job in queue or ()}
    merged: list[SlurmJob] = []
    for job in accounting:
        other = live.pop(job.job, None)
        if other is not None:
            merged.append(_one(job, other))
        elif queue is None or _has_ended(job) or _is_news(job, now_wall_seconds):
            merged.append(job)
    return [*merged, *live.values()]


def _one(booked: SlurmJob, live: SlurmJob) -> SlurmJob:
    same_run = booked.submit_wall_seconds == live.submit_wall_seconds
    # A requeue gives a new time of submission: what accounting says then is of an earlier run.
    if _has_ended(booked) and (same_run or _is_later(booked, live)):
        best, other = booked, live
    else:
        best, other = live, booked
    names = (*_LASTING, *_OF_A_RUN) if same_run and _has_ended(best) else _LASTING
    filled = {
        name: getattr(other, name) for name in names if getattr(best, name) in (None, "")
    }
    if same_run and best.exit_code is not None and live.exit_code is not None:
        filled["exit_code"] = live.exit_code  # accounting's are less 128 from 128 on
    if best.restarts is not None and other.restarts is not None:
        filled["restarts"] = max(best.restarts, other.restarts)
    return best._replace(**filled)


def _has_ended(job: SlurmJob) -> bool:
    return outcome(job.state) not in (PENDING, RUNNING)


def _is_later(job: SlurmJob, other: SlurmJob) -> bool:
    return (job.submit_wall_seconds or 0.0) > (other.submit_wall_seconds or 0.0)


def _is_news(job: SlurmJob, now_wall_seconds: float) -> bool:
    submitted = job.submit_wall_seconds
    return submitted is None or submitted > now_wall_seconds - _NEWS_SECONDS
