"""Asks Slurm about the job that a side step is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobwatt.errors import JobwattError
from jobwatt.slurm.child import run_all
from jobwatt.slurm.commands import child_environ
from jobwatt.slurm.side_step import (
    SHARING_VERSION,
    SQUEUE_FORMAT,
    Component,
    SideStep,
    choose,
    gpus_by_nodes,
    job_text,
    parse_squeue,
    restart_of,
    side_steps,
    version_of,
)

TIME_LIMIT_SECONDS = 30.0
_NO_SUCH_JOB = "Invalid job id"


def find(job: str, user_id: int, environ: Mapping[str, str]) -> list[Component]:
    """The job, or the components of a het job. Errors as `choose`, and JobwattError."""
    command = ["squeue", "-h", "-a", "--local", "-t", "all", "-j", job, "-o", SQUEUE_FORMAT]
    try:
        [said] = _ask([command], environ)
    except JobwattError as error:
        if _NO_SUCH_JOB not in str(error):
            raise
        said = ""
    return choose(parse_squeue(said), job, user_id)


def plan(
    components: Sequence[Component], environ: Mapping[str, str]
) -> tuple[list[SideStep], int, list[str]]:
    """The sruns for these components; how often the job was restarted; what will be missing."""

    def expand(nodes: str) -> list[str]:
        return _ask([["scontrol", "show", "hostnames", nodes]], environ)[0].split()

    details = [["scontrol", "show", "job", "-d", each.raw] for each in components]
    said, *texts = _ask([["srun", "--version"], *details], environ)
    version = version_of(said)
    steps: list[SideStep] = []
    problems: list[str] = []
    restart = 0
    for component, all_text in zip(components, texts, strict=True):
        text = job_text(all_text, component.raw)
        restart = restart_of(text)
        gpus = gpus_by_nodes(text)
        steps += side_steps(component, gpus, version, expand)
        if version < SHARING_VERSION and any(own for _, own in gpus):
            problems.append("GPUs are not measured: before Slurm 22.05 a step cannot share them")
    return steps, restart, problems


def _ask(commands: Sequence[Sequence[str]], environ: Mapping[str, str]) -> list[str]:
    """What commands of Slurm's say. JobwattError: one failed, is missing or does not answer."""
    answers = run_all(commands, child_environ(environ), TIME_LIMIT_SECONDS)
    for command, said in zip(commands, answers, strict=True):
        if said.code != 0:
            raise JobwattError(f"{command[0]}: {said.why().removeprefix(command[0] + ': ')}")
    return [said.text for said in answers]
