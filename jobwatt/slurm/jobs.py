"""A job as Slurm tells it, whichever of its interfaces was asked. Pure."""

from __future__ import annotations

from typing import NamedTuple

COMPLETED = "completed"
FAILED = "failed"
OUT_OF_MEMORY = "out of memory"
TIMEOUT = "timed out"
NODE_FAIL = "node failure"
CANCELLED = "cancelled"
RUNNING = "running"
PENDING = "pending"
UNKNOWN = "unknown"

NO_RESULT = (FAILED, OUT_OF_MEMORY, TIMEOUT, NODE_FAIL)
"""Outcomes of jobs that ended without their result. Cancelled ones are counted apart."""

OUTCOMES = {
    "COMPLETED": COMPLETED,
    "FAILED": FAILED,
    "LAUNCH_FAILED": FAILED,
    "RECONFIG_FAIL": FAILED,
    "OUT_OF_MEMORY": OUT_OF_MEMORY,
    "TIMEOUT": TIMEOUT,
    "DEADLINE": TIMEOUT,
    "NODE_FAIL": NODE_FAIL,
    "BOOT_FAIL": NODE_FAIL,
    "CANCELLED": CANCELLED,
    "PREEMPTED": CANCELLED,
    "REVOKED": CANCELLED,
    "RUNNING": RUNNING,
    "COMPLETING": RUNNING,
    "SUSPENDED": RUNNING,
    "STOPPED": RUNNING,
    "RESIZING": RUNNING,
    "SIGNALING": RUNNING,
    "STAGE_OUT": RUNNING,
    "PENDING": PENDING,
    "CONFIGURING": PENDING,
    "POWER_UP_NODE": PENDING,
    "REQUEUED": PENDING,
    "REQUEUE_FED": PENDING,
    "REQUEUE_HOLD": PENDING,
    "RESV_DEL_HOLD": PENDING,
    "SPECIAL_EXIT": PENDING,
}
"""Slurm's job states (squeue(1), JOB STATE CODES, 20.11 to 26.05) and what each means here."""

ABBREVIATIONS = {
    "BF": "BOOT_FAIL",
    "CA": "CANCELLED",
    "CD": "COMPLETED",
    "CF": "CONFIGURING",
    "CG": "COMPLETING",
    "DL": "DEADLINE",
    "F": "FAILED",
    "NF": "NODE_FAIL",
    "OOM": "OUT_OF_MEMORY",
    "PD": "PENDING",
    "PR": "PREEMPTED",
    "R": "RUNNING",
    "RQ": "REQUEUED",
    "RS": "RESIZING",
    "RV": "REVOKED",
    "S": "SUSPENDED",
    "ST": "STOPPED",
    "TO": "TIMEOUT",
}
"""Slurm's short names of states, as people type them."""


class SlurmJob(NamedTuple):
    """One job. None and the empty text are unknown. Times are Unix seconds."""

    job: str
    """The raw id, as `SLURM_JOB_ID` has it; of a het job the leader's."""
    cluster: str = ""
    array_job: str = ""
    """Of an array's task: the array's id, and in `array_task` its index."""
    array_task: str = ""
    name: str = ""
    user: str = ""
    account: str = ""
    partition: str = ""
    command: str = ""
    """The line that submitted it, where Slurm keeps that (21.08 and later)."""
    state: str = ""
    """Slurm's word in capitals, without `by UID`: a key of `OUTCOMES`, or one yet unknown.

    OUT_OF_MEMORY also where Slurm says FAILED and a step ran out of memory.
    """
    reason: str = ""
    exit_code: int | None = None
    """None while it runs, and where Slurm or a signal ended it."""
    exit_signal: int | None = None
    """The signal that ended it, 1 to 64; None where none did."""
    submit_wall_seconds: float | None = None
    start_wall_seconds: float | None = None
    end_wall_seconds: float | None = None
    """None while it runs."""
    elapsed_seconds: float | None = None
    time_limit_seconds: float | None = None
    """None: unknown, or no limit."""
    nodes: int | None = None
    node_list: str = ""
    cpus: int | None = None
    gpus: int | None = None
    """0 is known to have none."""
    memory_bytes: int | None = None
    components: int | None = None
    """Of a het job: how many it has; its ids are `job+0`, `job+1`, … None for other jobs."""
    restarts: int | None = None
    """How often it was requeued and started again."""
    source: str = ""
    """Who said so: `sacct`, `squeue` or `pyslurm`."""


def outcome(state: str) -> str:
    """What a state means; `unknown` for the empty text and for words of a later Slurm."""
    return OUTCOMES.get(state, UNKNOWN)
