"""Asks Slurm about the job that a side step is for."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from jobwatt.errors import JobwattError
from jobwatt.slurm.side_run import last_word
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
    command = ("squeue", "--noheader", "--states=all", f"--jobs={job}", f"--format={SQUEUE_FORMAT}")
    try:
        rows = parse_squeue(_ask(command, environ))
    except JobwattError as error:
        if _NO_SUCH_JOB not in str(error):
            raise
        rows = []
    return choose(rows, job, user_id)


def plan(
    components: Sequence[Component], environ: Mapping[str, str]
) -> tuple[list[SideStep], int, list[str]]:
    """The sruns for these components; how often the job was restarted; what will be missing."""

    def expand(nodes: str) -> list[str]:
        return _ask(("scontrol", "show", "hostnames", nodes), environ).split()

    version = version_of(_ask(("srun", "--version"), environ))
    steps: list[SideStep] = []
    problems: list[str] = []
    restart = 0
    for component in components:
        shown = _ask(("scontrol", "show", "job", "-d", component.raw), environ)
        text = job_text(shown, component.raw)
        restart = restart_of(text)
        gpus = gpus_by_nodes(text)
        steps += side_steps(component, gpus, version, expand)
        if version < SHARING_VERSION and any(own for _, own in gpus):
            problems.append("GPUs are not measured: before Slurm 22.05 a step cannot share them")
    return steps, restart, problems


def cluster_name(environ: Mapping[str, str]) -> str:
    """The cluster's name, as jobs have it in SLURM_CLUSTER_NAME."""
    for line in _ask(("scontrol", "show", "config"), environ).splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "ClusterName":
            return value.strip()
    return ""


def _ask(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a command of Slurm's says. JobwattError: it failed, is missing or does not answer."""
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise JobwattError(f"{command[0]} does not answer", "try again later") from error
    except OSError as error:
        raise JobwattError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise JobwattError(f"{command[0]}: {last_word(done.stderr)}")
    return done.stdout.decode(errors="replace")
