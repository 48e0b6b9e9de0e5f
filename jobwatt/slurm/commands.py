"""What to ask Slurm's commands, and how: arguments, environment, one answer of each."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from typing import NamedTuple

from jobwatt.slurm.child import Said, run_all
from jobwatt.slurm.cluster import configured_name, name_in
from jobwatt.slurm.jobs import SlurmJob
from jobwatt.slurm.parse import SACCT_FIELDS, SQUEUE_FIELDS, parse_sacct, parse_squeue

_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
_CHANGES_ANSWERS = ("SLURM", "SQUEUE_", "SACCT_", "SCONTROL_", "LC_", "LANG")


class Heard(NamedTuple):
    """What one of Slurm's two parts answered."""

    jobs: list[SlurmJob]
    bad_rows: int = 0
    why: str = ""
    """Why it did not answer, in a few words; empty where it did."""

    @property
    def answered(self) -> bool:
        """Whether it did."""
        return not self.why


def ask_commands(
    since_wall_seconds: float, user: str, environ: Mapping[str, str], time_limit_seconds: float
) -> tuple[Heard, Heard] | None:
    """What sacct knows of a user's jobs since a time, and squeue now; None without both commands.

    Each is asked once; both have answered, or are killed, within twice the time limit.
    """
    path = environ.get("PATH")
    sacct, squeue = shutil.which("sacct", path=path), shutil.which("squeue", path=path)
    if sacct is None and squeue is None:
        return None
    clean = child_environ(environ)
    # A name cannot hold what is drawn anew each time, so no name can feign a field or a row.
    delimiter = "\x1f" + os.urandom(4).hex() + "\x1f"
    questions = {
        "fields": [sacct, "--helpformat"] if sacct else [],
        "squeue": [squeue, *squeue_arguments(user, delimiter)] if squeue else [],
    }
    first = _run(questions, clean, time_limit_seconds)
    queue = _heard_squeue(first.get("squeue"), delimiter)
    if sacct is None:
        return Heard([], why="sacct is not on PATH"), queue
    listed = first["fields"]  # connects to slurmdbd, too
    if listed.code != 0:
        return Heard([], why=_told("sacct", listed)), queue
    fields = usable_fields(listed.text)
    command = [sacct, *sacct_arguments(since_wall_seconds, user, fields, delimiter)]
    said = _run({"sacct": command}, clean, time_limit_seconds)["sacct"]
    if _failed(said):
        return Heard([], why=_told("sacct", said)), queue
    return Heard(*parse_sacct(said.text, fields, delimiter, since_wall_seconds)), queue


def cluster_name(environ: Mapping[str, str], time_limit_seconds: float) -> str:
    """Of the cluster that the commands ask: from slurm.conf, else from the controller."""
    name = configured_name(environ)
    scontrol = shutil.which("scontrol", path=environ.get("PATH"))
    if name or not scontrol:
        return name
    command = [scontrol, "show", "config"]
    [said] = run_all([command], child_environ(environ), time_limit_seconds)
    return name_in(said.text)


def usable_fields(helpformat: str) -> list[str]:
    """Those of `SACCT_FIELDS` that this sacct knows; a field that it does not know is an error.

    Where it lists none, all but those that came or went since 20.11.
    """
    known = {word.lower() for word in helpformat.split()}
    if "jobidraw" not in known:
        known = {name.lower() for name in SACCT_FIELDS} - {"allocgres", "restarts", "submitline"}
    return [name for name in SACCT_FIELDS if name.lower() in known]


def sacct_arguments(
    since_wall_seconds: float, user: str, fields: list[str], delimiter: str
) -> list[str]:
    """Allocations, not steps, and every run of a requeued one."""
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(max(since_wall_seconds, 0.0)))
    return ["-X", "-D", "-n", "-P", "--noconvert", f"--delimiter={delimiter}", "-u", user,
            "-S", since, "-o", ",".join(fields)]  # fmt: skip


def squeue_arguments(user: str, delimiter: str) -> list[str]:
    """Every state: the controller remembers ended jobs for MinJobAge, 5 min by default.

    All partitions, hidden ones too, of this cluster alone. `-O NAME:SUFFIX` prints a field in full
    with the suffix behind it, unlike `-O NAME`, which cuts it.
    """
    columns = ",".join(f"{name}:{delimiter}" for name in SQUEUE_FIELDS)
    return ["-h", "-a", "--local", "--noconvert", "--states=all", "-u", user, "-O", columns]


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what changes the commands' output: format, cluster, job, language."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in _KEPT or not name.startswith(_CHANGES_ANSWERS)
    }
    return {**kept, "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}


def _run(
    questions: Mapping[str, list[str]], environ: Mapping[str, str], time_limit_seconds: float
) -> dict[str, Said]:
    asked = {name: command for name, command in questions.items() if command}
    answers = run_all(list(asked.values()), environ, time_limit_seconds)
    return dict(zip(asked, answers, strict=True))


def _heard_squeue(said: Said | None, delimiter: str) -> Heard:
    if said is None:
        return Heard([], why="squeue is not on PATH")
    if _failed(said):
        return Heard([], why=_told("squeue", said))
    return Heard(*parse_squeue(said.text, SQUEUE_FIELDS, delimiter))


def _failed(said: Said) -> bool:
    """Some versions exit with 0 although they got no answer; an unknown field is no matter."""
    errors = [line for line in said.err.splitlines() if b"error:" in line]
    serious = [line for line in errors if b"Invalid job format" not in line]
    return said.code != 0 or (not said.out and bool(serious))


def _told(command: str, said: Said) -> str:
    return f"{command}: {re.sub(rf'^{command}: ((error|fatal): )?', '', said.why())}"
