"""Ask Slurm what it knows of a user's jobs, once, by whichever interface there is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from jobwatt.slurm.commands import Heard, ask_commands, cluster_name
from jobwatt.slurm.jobs import SlurmJob
from jobwatt.slurm.merge import merge
from jobwatt.slurm.pyslurm_api import ask_pyslurm, installed

TIME_LIMIT_SECONDS = 10.0
"""For each question. squeue itself gives up on a controller that refuses it after 9 s."""


class Answer(NamedTuple):
    """What Slurm said."""

    jobs: tuple[SlurmJob, ...] = ()
    source: str = ""
    """Who answered: `sacct and squeue`, `squeue`, `sacct`, `pyslurm`; empty where nobody did."""
    cluster: str = ""
    """The local cluster, as `SLURM_CLUSTER_NAME` has it; empty if not known."""
    accounting: bool = False
    """Whether accounting answered: else jobs that ended some minutes ago are not in `jobs`."""
    problems: tuple[str, ...] = ()
    """One line for each thing that is amiss, with what follows from it. No Slurm is none."""


def ask(
    since_wall_seconds: float,
    user: str,
    api: str,
    environ: Mapping[str, str],
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> Answer:
    """What Slurm knows of `user`'s jobs since a time (Unix seconds). Never raises.

    `api` is one of jobwatt.config_values.SLURM_APIS; `auto` takes pyslurm where it is installed,
    and the commands where it is not or fails. Each of Slurm's parts is asked once.
    """
    if api == "none":
        return Answer()
    problems: list[str] = []
    if api == "pyslurm" or (api == "auto" and installed()):
        if not installed():
            return Answer(problems=("pyslurm is not installed; slurm.api = \"auto\" asks Slurm's "
                                    "commands",))  # fmt: skip
        heard = ask_pyslurm(since_wall_seconds, user, environ, time_limit_seconds)
        if api == "pyslurm" or heard[0].answered or heard[1].answered:
            return _answer(heard, ("pyslurm", "pyslurm"), "")
        problems.append(f"{heard[0].why}; Slurm's commands are asked instead")
    by_commands = ask_commands(since_wall_seconds, user, environ, time_limit_seconds)
    if by_commands is None:
        return Answer(problems=tuple(problems))
    names = {job.cluster for one in by_commands for job in one.jobs if job.cluster}
    asked = any(one.answered for one in by_commands)
    cluster = names.pop() if len(names) == 1 else ""
    if asked and not cluster:
        cluster = cluster_name(environ, time_limit_seconds)
    answer = _answer(by_commands, ("sacct", "squeue"), cluster)
    return answer._replace(problems=(*problems, *answer.problems))


def _answer(heard: tuple[Heard, Heard], sources: tuple[str, str], cluster: str) -> Answer:
    accounting, queue = heard
    names = [name for name, one in zip(sources, heard, strict=True) if one.answered]
    jobs = merge(accounting.jobs, queue.jobs if queue.answered else None, time.time())
    cluster = cluster or next((job.cluster for job in jobs if job.cluster), "")
    return Answer(
        tuple(job._replace(cluster=job.cluster or cluster) for job in jobs),
        " and ".join(dict.fromkeys(names)),
        cluster,
        accounting.answered,
        tuple(_problems(accounting, queue)),
    )


def _problems(accounting: Heard, queue: Heard) -> list[str]:
    lines = []
    if not accounting.answered and not queue.answered:
        whys = dict.fromkeys((accounting.why, queue.why))
        return [f"Slurm does not answer ({'; '.join(whys)}): states are those told before, or "
                "none"]  # fmt: skip
    if not accounting.answered:
        lines.append(
            f"no accounting ({accounting.why}): the outcome of jobs that ended more than some "
            "minutes ago is unknown"
        )
    if not queue.answered:
        lines.append(
            f"the controller does not answer ({queue.why}): pending jobs and the latest changes "
            "may be missing"
        )
    bad = accounting.bad_rows + queue.bad_rows
    if bad:
        lines.append(f"{bad} of Slurm's rows cannot be read and {'is' if bad == 1 else 'are'} "
                     "left out")  # fmt: skip
    return lines
