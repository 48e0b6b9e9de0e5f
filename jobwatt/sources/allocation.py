"""Which of the visible GPUs belong to this job. Pure; sampler-side.

The allocation decides, not the processes: a GPU that is held and unused is the one that matters
most. NVML inside a Slurm device cgroup already lists the allowed GPUs alone, renumbered from 0;
where devices are not constrained it lists all of the node's, and Slurm's variables tell which.
Indices are matched as what they are: `SLURM_*_GPUS` names device files (minor numbers),
`CUDA_VISIBLE_DEVICES` names positions among the visible GPUs, or UUIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class MigInstance(NamedTuple):
    """One MIG device (a slice of a GPU)."""

    uuid: str
    gpu_instance_id: int | None = None
    compute_instance_id: int | None = None


class VisibleGpu(NamedTuple):
    """One GPU as NVML lists it, in its order."""

    uuid: str
    minor_number: int | None = None
    mig: Sequence[MigInstance] = ()


class Choice(NamedTuple):
    """UUIDs of the GPUs (or MIG instances) to measure, and the rule that chose them."""

    uuids: tuple[str, ...]
    rule: str
    problems: tuple[str, ...] = ()


def choose_gpus(
    gpus: Sequence[VisibleGpu], environ: Mapping[str, str], whole_node: bool = False
) -> Choice:
    """The job's GPUs among those visible.

    `whole_node`: the job holds all CPUs of the node, so on a site that does not manage GPUs in
    Slurm they are all its own.
    """
    every = tuple(gpu.uuid for gpu in gpus)
    cuda = environ.get("CUDA_VISIBLE_DEVICES")
    if "SLURM_JOB_ID" not in environ:
        if cuda is None:
            return Choice(every, "all GPUs of this machine")
        return _from_cuda(gpus, cuda)
    if cuda is not None and "MIG-" in cuda:
        return _from_cuda(gpus, cuda)
    for name in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        numbers = _numbers(environ.get(name, ""))
        if not numbers:
            continue
        if len(gpus) <= len(numbers):
            return Choice(every, f"{name} (device cgroup)")
        named = tuple(gpu.uuid for gpu in gpus if gpu.minor_number in numbers)
        if named:
            return Choice(named, name)
    if cuda is not None and (_numbers(cuda) or "GPU-" in cuda):
        return _from_cuda(gpus, cuda)
    if whole_node and cuda is None:
        return Choice(every, "all GPUs of this node (held whole)")
    return Choice((), "no GPU allocated")


def count_allocated(environ: Mapping[str, str]) -> int | None:
    """How many GPUs Slurm gave this step (or batch script) on this node, be there a driver or not.

    None: nothing says so. A step inherits the batch script's SLURM_JOB_GPUS though it may have no
    GPU. A task bound to one GPU is told of that one; SLURM_GPUS_ON_NODE counts all of the step's.
    """
    if "SLURM_JOB_ID" not in environ:
        return None
    names = ["SLURM_STEP_GPUS"] if _is_step(environ) else ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS"]
    cuda = environ.get("CUDA_VISIBLE_DEVICES")
    if cuda is None and not any(name in environ for name in names):
        return None
    lists = [set(_numbers(environ.get(name, ""))) for name in names]
    named = next((len(found) for found in lists if found), 0) or len(set(_cuda_names(cuda or "")))
    on_node = environ.get("SLURM_GPUS_ON_NODE", "")
    if named and on_node.isdecimal() and len(on_node) < 4:
        return max(named, int(on_node))
    return named


def _is_step(environ: Mapping[str, str]) -> bool:
    """Whether srun set this environment; the ids from 2^31 on are of Slurm's special steps."""
    number = environ.get("SLURM_STEP_ID", "")
    return number.isdecimal() and len(number) < 11 and int(number) < 2**31


def _cuda_names(text: str) -> list[str]:
    """The entries that may name a GPU, up to the first that cannot."""
    names: list[str] = []
    for token in (part.strip() for part in text.split(",")):
        if not ((token.isdecimal() and len(token) < 6) or token.startswith(("GPU-", "MIG-"))):
            break
        names.append(token)
    return names


def _numbers(text: str) -> tuple[int, ...]:
    """`0,2-4` -> (0, 2, 3, 4); anything else ends the list."""
    numbers: list[int] = []
    for token in text.split(","):
        first, dash, last = token.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)) or len(token) > 12:
            break
        end = int(last) if dash else int(first)
        if not int(first) <= end < int(first) + 256:
            break
        numbers.extend(range(int(first), end + 1))
    return tuple(numbers)


def _from_cuda(gpus: Sequence[VisibleGpu], text: str) -> Choice:
    """CUDA's own reading of the list: it ends at the first entry that names nothing."""
    chosen: list[str] = []
    problems: list[str] = []
    for token in (part.strip() for part in text.split(",")):
        if token in ("", "-1", "NoDevFiles", "none", "void"):
            break
        uuid = _match(gpus, token)
        if uuid is None:
            problems.append(f"CUDA_VISIBLE_DEVICES: {token[:60]!r} is no visible GPU")
            break
        if uuid not in chosen:
            chosen.append(uuid)
    return Choice(tuple(chosen), "CUDA_VISIBLE_DEVICES", tuple(problems))


def _match(gpus: Sequence[VisibleGpu], token: str) -> str | None:
    if token.isdecimal() and len(token) < 6:
        if int(token) >= len(gpus):
            return None
        gpu = gpus[int(token)]
        # CUDA enumerates the first instance of a GPU in MIG mode, never the GPU itself.
        return gpu.mig[0].uuid if gpu.mig else gpu.uuid
    if token.startswith("MIG-GPU-"):
        return _match_old_mig(gpus, token)
    if token.startswith("MIG-"):
        return _only([mig.uuid for gpu in gpus for mig in gpu.mig if mig.uuid.startswith(token)])
    if token.startswith("GPU-"):
        return _only([gpu.uuid for gpu in gpus if gpu.uuid.startswith(token)])
    return None


def _match_old_mig(gpus: Sequence[VisibleGpu], token: str) -> str | None:
    """`MIG-GPU-<uuid>/<gpu instance>/<compute instance>`, the form of drivers before R470."""
    parent, _, instance = token.removeprefix("MIG-").partition("/")
    numbers = instance.split("/")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return None
    ids = (int(numbers[0]), int(numbers[1]))
    return _only(
        [
            mig.uuid
            for gpu in gpus
            if gpu.uuid == parent
            for mig in gpu.mig
            if (mig.gpu_instance_id, mig.compute_instance_id) == ids
        ]
    )


def _only(matches: list[str]) -> str | None:
    """A short form must name exactly one device."""
    return matches[0] if len(matches) == 1 else None
