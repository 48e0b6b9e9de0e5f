"""Answers of sacct and squeue -> jobs, tolerant of what Slurm 20.11 to 26.05 print. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobwatt.slurm.fold import Run, fold
from jobwatt.slurm.jobs import ABBREVIATIONS, PENDING, RUNNING, SlurmJob, outcome
from jobwatt.slurm.rows import Row, read_rows
from jobwatt.slurm.values import (
    OUT_OF_MEMORY_SIGNAL,
    duration_seconds,
    exit_status,
    gres_gpus,
    integer,
    known,
    memory_bytes,
    state_word,
    tres,
    tres_gpus,
    wall_seconds,
)

SACCT_FIELDS = (
    "JobIDRaw", "JobID", "Cluster", "User", "Account", "Partition", "State", "Reason", "ExitCode",
    "DerivedExitCode", "Submit", "Start", "End", "ElapsedRaw", "TimelimitRaw", "NNodes",
    "NodeList", "NCPUS", "ReqMem", "AllocTRES", "AllocGRES", "Restarts", "SubmitLine", "JobName",
)  # fmt: skip
"""What sacct is asked for, where `sacct --helpformat` lists it; the order matters (`rows`)."""

SQUEUE_FIELDS = (
    "JobID", "JobArrayID", "Cluster", "UserName", "Account", "Partition", "State", "Reason",
    "exit_code", "DerivedEC", "SubmitTime", "StartTime", "EndTime", "TimeUsed", "TimeLimit",
    "NumNodes", "NodeList", "NumCPUs", "tres-alloc", "tres-per-node", "RestartCnt", "Name",
)  # fmt: skip
"""Fields of `squeue -O`; one that a version does not know comes back empty."""


def parse_sacct(
    text: str, fields: Sequence[str], delimiter: str, since_wall_seconds: float = 0.0
) -> tuple[list[SlurmJob], int]:
    """Jobs of `sacct -X -D -n -P`, the latest run of each, and how many rows could not be read.

    `since_wall_seconds`: from when on sacct was asked; earlier runs of a job are not known.
    """
    runs, bad = read_rows(text, fields, delimiter, _sacct_run)
    return fold(gpus_known(runs), since_wall_seconds), bad


def parse_squeue(text: str, fields: Sequence[str], delimiter: str) -> tuple[list[SlurmJob], int]:
    """Jobs of `squeue -h --states=all -O`, and how many rows could not be read."""
    # Each field of -O has the delimiter behind it, the last one too.
    runs, bad = read_rows(text, [*fields, ""], delimiter, _squeue_run)
    return fold(gpus_known(runs)), bad


def _sacct_run(row: Row) -> Run:
    def get(name: str) -> str:
        return row.get(name, "")

    nodes, cpus = integer(get("NNodes")) or None, integer(get("NCPUS")) or None
    allocated = get("AllocTRES")
    gpus = tres_gpus(allocated)
    leader, offset, array_job, array_task = ids(get("JobID"), get("JobIDRaw"))
    job = SlurmJob(
        job=leader,
        cluster=known(get("Cluster")),
        array_job=array_job,
        array_task=array_task,
        name=get("JobName"),
        user=known(get("User")),
        account=known(get("Account")),
        partition=known(get("Partition")),
        command=get("SubmitLine"),
        state=get("State"),
        reason=known(get("Reason")),
        submit_wall_seconds=wall_seconds(get("Submit")),
        start_wall_seconds=wall_seconds(get("Start")),
        end_wall_seconds=wall_seconds(get("End")),
        elapsed_seconds=_float(integer(get("ElapsedRaw"))),
        time_limit_seconds=_minutes(get("TimelimitRaw")),
        nodes=nodes,
        node_list=known(get("NodeList")),
        cpus=cpus,
        gpus=gres_gpus(get("AllocGRES")) if gpus is None else gpus,
        memory_bytes=memory_bytes(tres(allocated).get("mem", ""), None, None)
        or memory_bytes(get("ReqMem"), nodes, cpus),
        restarts=integer(get("Restarts")),
        source="sacct",
    )
    return Run(get("JobIDRaw"), offset, with_end(job, get("ExitCode"), get("DerivedExitCode")))


def _squeue_run(row: Row) -> Run:
    def get(name: str) -> str:
        return row.get(name, "")

    nodes = integer(get("NumNodes").partition("-")[0]) or None
    allocated = get("tres-alloc")
    gpus = tres_gpus(allocated)
    if gpus is None:
        a_node = gres_gpus(get("tres-per-node"))
        gpus = a_node * nodes if a_node is not None and nodes else None
    leader, offset, array_job, array_task = ids(get("JobArrayID"), get("JobID"))
    job = SlurmJob(
        job=leader,
        cluster=known(get("Cluster")),
        array_job=array_job,
        array_task=array_task,
        name=get("Name"),
        user=known(get("UserName")),
        account=known(get("Account")),
        partition=known(get("Partition")),
        state=get("State"),
        reason=known(get("Reason")),
        submit_wall_seconds=wall_seconds(get("SubmitTime")),
        start_wall_seconds=wall_seconds(get("StartTime")),
        end_wall_seconds=wall_seconds(get("EndTime")),
        elapsed_seconds=duration_seconds(get("TimeUsed")),
        time_limit_seconds=duration_seconds(get("TimeLimit")),
        nodes=nodes,
        node_list=known(get("NodeList")),
        cpus=integer(get("NumCPUs")) or None,
        gpus=gpus,
        memory_bytes=memory_bytes(tres(allocated).get("mem", ""), None, None),
        restarts=integer(get("RestartCnt")),
        source="squeue",
    )
    return Run(get("JobID"), offset, with_end(job, get("exit_code"), get("DerivedEC")))


def ids(shown: str, raw: str) -> tuple[str, int, str, str]:
    """Job, component, array and index of `12`, `12+1`, `5_1` or `5_[3-9%2]`.

    A het job's steps all run under the leader's id, so its components are the leader's job.
    """
    leader, plus, offset = shown.strip().partition("+")
    if plus and integer(leader) is not None and integer(offset) is not None:
        return leader, int(offset), "", ""
    array_job, underline, task = shown.strip().partition("_")
    if underline and integer(array_job) is not None:
        return raw.strip(), 0, array_job, task
    return raw.strip(), 0, "", ""


def with_end(job: SlurmJob, status: str, worst_step: str) -> SlurmJob:
    """State, exit code and times as they follow from each other.

    Slurm gives expected times to a job that has not begun or not ended, and 0:0 to one that it
    ended itself. A step out of memory makes a job FAILED only: `DerivedExitCode` still says it.
    """
    state = state_word(job.state)
    state = ABBREVIATIONS.get(state, state)
    what = outcome(state)
    code, signal = exit_status(status)
    _, sign, step_signal = worst_step.partition(":")
    if not sign and (raw := integer(worst_step)) is not None:
        step_signal = str(raw & 0x7F)
    if state == "FAILED" and integer(step_signal) == OUT_OF_MEMORY_SIGNAL:
        state = "OUT_OF_MEMORY"
    elif state == "FAILED" and code and code < 128 and integer(step_signal) == code:
        code += 128  # a shell's word for a step that a signal ended; sacct prints it less 128
    if state not in ("COMPLETED", "FAILED", "OUT_OF_MEMORY") and not code:
        code = None
    job = job._replace(state=state, exit_code=code, exit_signal=signal)
    if what != PENDING and job.source == "sacct":
        job = job._replace(reason="")  # accounting keeps why it once waited
    if what == PENDING:
        return job._replace(
            start_wall_seconds=None, end_wall_seconds=None, elapsed_seconds=None,
            exit_code=None, exit_signal=None, node_list="",
        )  # fmt: skip
    if what == RUNNING:
        return job._replace(end_wall_seconds=None, exit_code=None, exit_signal=None)
    return job


def gpus_known(runs: Iterable[Run]) -> list[Run]:
    """No GPU named is 0 GPUs only where this Slurm counts them at all (AccountingStorageTRES)."""
    listed = list(runs)
    if all(run.job.gpus is None for run in listed):
        return listed
    return [
        run._replace(job=run.job._replace(gpus=0)) if _has_none(run.job) else run for run in listed
    ]


def _has_none(job: SlurmJob) -> bool:
    return job.gpus is None and job.start_wall_seconds is not None


def _minutes(text: str) -> float | None:
    number = integer(text)
    return number * 60.0 if number else None


def _float(number: int | None) -> float | None:
    return None if number is None else float(number)
