"""What the environment of a Slurm task says of its step. Pure; sampler-side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_PER_TASK_GPUS = (
    "SLURM_GPUS_PER_TASK",
    "SLURM_TRES_PER_TASK",
    "SLURM_GPU_BIND",
    "SLURMD_TRES_BIND",
    "SLURM_TRES_BIND",
)

DETAILS = (
    "SLURM_JOB_NAME",
    "SLURM_JOB_PARTITION",
    "SLURM_JOB_ACCOUNT",
    "SLURM_JOB_QOS",
    "SLURM_JOB_NODELIST",
    "SLURM_STEP_NODELIST",
    "SLURM_STEP_NUM_NODES",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_HET_JOB_ID",
    "SLURM_HET_JOB_OFFSET",
    "SLURM_JOB_START_TIME",
    "SLURM_JOB_END_TIME",
    "SLURM_MEM_PER_NODE",
    "SLURM_MEM_PER_CPU",
)
"""Variables that the head keeps, for views where Slurm's accounting cannot be asked."""


class StepIdentity(NamedTuple):
    """Which step, on which node, and this task's place in it."""

    job: str
    step: str
    restart: int = 0
    node: str = ""
    rank: int = 0
    local_rank: int = 0
    cluster: str = ""
    tasks_on_node: int | None = None
    cpus_allocated: int | None = None
    """CPUs (as Slurm counts them) that the job holds on this node; None if not known."""
    step_nodes: int | None = None
    gpus_per_task: bool = False
    """Whether tasks of one node may see different GPUs."""


def step_identity(environ: Mapping[str, str], host: str) -> StepIdentity | None:
    """The step that this environment belongs to; None outside a Slurm job."""
    job = environ.get("SLURM_JOB_ID", "")
    if not job.isdecimal():
        return None
    node_index = _integer(environ.get("SLURM_NODEID")) or 0
    return StepIdentity(
        job=job,
        step=_step_name(environ),
        restart=_integer(environ.get("SLURM_RESTART_COUNT")) or 0,
        node=environ.get("SLURMD_NODENAME") or host,
        rank=_integer(environ.get("SLURM_PROCID")) or 0,
        local_rank=_integer(environ.get("SLURM_LOCALID")) or 0,
        cluster=environ.get("SLURM_CLUSTER_NAME", ""),
        tasks_on_node=_nth(environ.get("SLURM_STEP_TASKS_PER_NODE", ""), node_index),
        cpus_allocated=_job_cpus(environ),
        step_nodes=_integer(environ.get("SLURM_STEP_NUM_NODES")),
        gpus_per_task=any(environ.get(name) for name in _PER_TASK_GPUS),
    )


def _step_name(environ: Mapping[str, str]) -> str:
    """Slurm's ids, its special steps by name; `0+1` for a het job's second component."""
    number = _integer(environ.get("SLURM_STEP_ID"))
    if number is None:
        return "batch"
    special = {-1: "pending", -4: "extern", -5: "batch", -6: "interactive"}
    name = special.get(number if number < 2**31 else number - 2**32, str(number))
    offset = environ.get("SLURM_HET_JOB_OFFSET", "") or environ.get("SLURM_PACK_JOB_OFFSET", "")
    component = _integer(environ.get("SLURM_HET_SIZE") and offset)
    return f"{name}+{component}" if component else name


def _job_cpus(environ: Mapping[str, str]) -> int | None:
    """The job's CPUs on this node, where all its nodes have the same; else the step's own."""
    groups = expand_counts(environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    if groups and len(set(groups)) == 1:
        return groups[0]
    return _integer(environ.get("SLURM_CPUS_ON_NODE"))


def expand_counts(text: str) -> list[int]:
    """Slurm's `4(x2),3` -> [4, 4, 3]; anything else -> []."""
    counts: list[int] = []
    for part in text.split(",") if text else []:
        number, _, times = part.partition("(x")
        repeat = times.rstrip(")") or "1"
        if not number.isdecimal() or not repeat.isdecimal() or int(repeat) > 100_000:
            return []
        counts.extend([int(number)] * int(repeat))
    return counts


def _nth(text: str, index: int) -> int | None:
    counts = expand_counts(text)
    return counts[index] if index < len(counts) else None


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text and len(text) < 20 else None
    except ValueError:
        return None
