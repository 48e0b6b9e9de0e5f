"""A step of our own beside those of a running job: which job, and how srun is asked for it. Pure.

The step shares everything with the job's steps (`--overlap`, complete since Slurm 22.05), so it
takes nothing that the job's next step waits for. Its GPUs are named by number: left alone, srun
gives each node what the job asked for per task or node, or the smallest number that one has, and
a device cgroup hides the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jobwatt.errors import NotFoundError, UsageError

SQUEUE_FORMAT = "%i|%A|%U|%T|%D|%P|%a|%q|%S|%e|%F|%K|%N|%j"
"""Fields of a job (squeue(1)); the name is last, since it may hold anything."""
SHARING_VERSION = (22, 5)
"""Since then `--overlap` shares GPUs and memory as well as CPUs (release notes of 22.05)."""
IMMEDIATE_SECONDS = 10

_JOB = re.compile(r"[0-9]{1,12}([_+][0-9]{1,9})?")
_NODES = re.compile(r"^ +Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(\S*)", re.MULTILINE)
_GPUS = re.compile(r"(?:^|,)gpu((?::[^:,(]+)*):([0-9]+)\(")
_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
_DROPPED = ("SLURM", "SRUN_", "SBATCH_", "SALLOC_", "SQUEUE_", "PMI")
_GPU_LISTS = (
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
)


class Component(NamedTuple):
    """A running job, or one component of a heterogeneous job."""

    shown: str
    """Its id as squeue shows it: `123`, `5_1`, `123+1`."""
    job: str
    """What srun and the journal call it: the raw id, of a het job the leader's."""
    raw: str
    """Its own raw id."""
    het_group: str
    user_id: str
    state: str
    nodes: int
    node_list: str
    details: tuple[tuple[str, str], ...] = ()
    """Names and values as the environment of a step has them."""


class SideStep(NamedTuple):
    """One srun. A node's first task measures it, and says so; others end at once."""

    nodes: int
    het_group: str
    options: tuple[str, ...]
    task_options: tuple[tuple[str, ...], ...]
    """Tasks and GPUs, best first; the next is for a Slurm that refuses the one before."""


def check_job(text: str) -> None:
    """UsageError: it is no id of a job."""
    if not _JOB.fullmatch(text):
        raise UsageError(f"{text!r:.40} is no job id", "write: jobwatt attach 123 (or 5_1, 123+1)")


def parse_squeue(text: str) -> list[Component]:
    """Rows of `squeue -h -o SQUEUE_FORMAT`, times as Unix seconds; others are left out."""
    found = []
    for line in text.splitlines():
        fields = line.split("|", 13)
        if len(fields) != 14 or not fields[4].isdecimal():
            continue
        shown, raw, user, state, nodes, partition, account, qos = fields[:8]
        start, end, array_job, array_task, node_list, name = fields[8:]
        leader, _, group = shown.partition("+")
        is_task = "_" in shown
        details = {
            "SLURM_JOB_NAME": name,
            "SLURM_JOB_PARTITION": partition,
            "SLURM_JOB_ACCOUNT": account,
            "SLURM_JOB_QOS": qos,
            "SLURM_JOB_NODELIST": node_list,
            "SLURM_ARRAY_JOB_ID": array_job if is_task else "",
            "SLURM_ARRAY_TASK_ID": array_task if is_task else "",
            "SLURM_HET_JOB_ID": leader if group else "",
            "SLURM_HET_JOB_OFFSET": group,
            "SLURM_JOB_START_TIME": start if start.isdecimal() else "",
            "SLURM_JOB_END_TIME": end if end.isdecimal() else "",
        }
        known = tuple((key, value) for key, value in details.items() if value)
        job = leader if group else raw
        found.append(Component(shown, job, raw, group, user, state, int(nodes), node_list, known))
    return found


def choose(rows: Sequence[Component], wanted: str, user_id: int) -> list[Component]:
    """The job asked for: one row, or all components of a het job.

    NotFoundError: there is none, or it does not run. UsageError: somebody else's, or several.
    """
    named = [row for row in rows if row.shown == wanted]
    if not named and wanted.isdecimal():
        named = list(rows)
    if not named:
        raise NotFoundError(f"no job {wanted}", "squeue lists yours: squeue -u $USER")
    if any(row.user_id != str(user_id) for row in named):
        raise UsageError(f"job {wanted} is another user's", "only its owner can attach to it")
    running = [row for row in named if row.state == "RUNNING"]
    if len(named) > 1 and not named[0].het_group:
        names = ", ".join(row.shown for row in running[:8]) or "none of its tasks is running"
        raise UsageError(f"job {wanted} is an array", f"name one of its tasks: {names}")
    if len(running) < len(named):
        state = next(row.state for row in named if row.state != "RUNNING")
        raise NotFoundError(f"job {wanted} is not running (it is {state})")
    return sorted(running, key=lambda row: int(row.het_group or 0))


def job_text(scontrol: str, raw: str) -> str:
    """One job's part of `scontrol show job -d`, which shows a het leader's components too."""
    parts = re.split(r"(?m)^(?=JobId=)", scontrol)
    return next((part for part in parts if part.startswith(f"JobId={raw} ")), "")


def restart_of(text: str) -> int:
    """How often the job was requeued; 0 where it is not said."""
    found = re.search(r"^ +Requeue=\S+ Restarts=([0-9]{1,6})\b", text, re.MULTILINE)
    return int(found[1]) if found else 0


def gpus_by_nodes(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Node lists of a job with the GPUs that each of their nodes gives it: `a100:2`, or `2`."""
    return [
        (nodes, tuple(f"{kind}:{count}".lstrip(":") for kind, count in _GPUS.findall(gres)))
        for nodes, gres in _NODES.findall(text)
    ]


def version_of(text: str) -> tuple[int, int]:
    """`slurm-wlm 22.05.8` -> (22, 5). One that cannot be read is taken for a recent one."""
    found = re.search(r"\b([0-9]{2})\.([0-9]{2})\b", text)
    return (int(found[1]), int(found[2])) if found else SHARING_VERSION


def side_steps(
    component: Component,
    gpus: Sequence[tuple[str, tuple[str, ...]]],
    version: tuple[int, int],
    expand: Callable[[str], Sequence[str]],
) -> list[SideStep]:
    """The sruns that together have a task on each node, and all of the job's GPUs in sight.

    `expand` makes node names of a node list.
    """
    every = component.nodes
    if not any(own for _, own in gpus):
        return [_step(component, every, "", _one_each(every))]
    if version < SHARING_VERSION:  # the job's next step would wait for GPUs that this one holds
        return [_step(component, every, "", _one_each(every, "--gres=none"))]
    if len({own for _, own in gpus}) == 1:
        named = "--gres=" + ",".join(f"gpu:{own}" for own in gpus[0][1])
        return [_step(component, every, "", _one_each(every, named), *_rest(every))]
    # srun takes no number for one node that its first node has not (22.05), but places one task
    # for each GPU; where all GPUs are wanted, that leaves no choice.
    having = [node for nodes, own in gpus if own for node in expand(nodes)]
    lacking = [node for nodes, own in gpus if not own for node in expand(nodes)]
    count = sum(
        len(expand(nodes)) * int(kind.rpartition(":")[2]) for nodes, own in gpus for kind in own
    )
    a_task_each = (f"--ntasks={count}", "--gpus-per-task=1", "--gpu-bind=none", "--overcommit")
    held = len(having)
    steps = [_step(component, held, ",".join(having), a_task_each, *_rest(held))]
    if lacking:
        none = _one_each(len(lacking), "--gres=none")
        steps.append(_step(component, len(lacking), ",".join(lacking), none))
    return steps


def _one_each(nodes: int, *options: str) -> tuple[str, ...]:
    return (f"--ntasks={nodes}", "--ntasks-per-node=1", *options)


def _rest(nodes: int) -> tuple[tuple[str, ...], ...]:
    """For a srun that refuses: what it gives by itself, then a step without GPUs."""
    return _one_each(nodes), _one_each(nodes, "--gres=none")


def _step(
    component: Component, nodes: int, node_list: str, *task_options: tuple[str, ...]
) -> SideStep:
    options = [
        f"--jobid={component.job}",
        *([f"--het-group={component.het_group}"] if component.het_group else []),
        *([f"--nodelist={node_list}"] if node_list else []),
        f"--nodes={nodes}",
        "--overlap",
        "--mem=0",  # what the job has, not a part of it
        "--cpu-bind=none",
        "--mpi=none",
        "--export=ALL",
        "--propagate=NONE",  # the limits of this shell are not those of the nodes
        "--chdir=/",
        "--job-name=jobwatt-attach",
        f"--immediate={IMMEDIATE_SECONDS}",
        "--wait=0",  # a task that is done ends no other
        "--kill-on-bad-exit=0",
        "--quiet",
    ]
    return SideStep(nodes, component.het_group, tuple(options), task_options)


def side_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """For our step: nothing of another job that this shell may belong to."""
    return {
        name: value
        for name, value in environ.items()
        if name in _KEPT or not (name.startswith(_DROPPED) or name in _GPU_LISTS)
    }
