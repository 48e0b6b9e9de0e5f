"""Finding journals on disk: a job's directories -> its steps -> their accounts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jobwatt.energy.account import account_job, account_step
from jobwatt.errors import NotFoundError, UnreadableError
from jobwatt.journal.reader import MAX_VALUE, Journal, read_journal, read_regular_file
from jobwatt.model import Account
from jobwatt.paths import (
    END_SUFFIX,
    all_job_directories,
    end_path,
    fallback_directory,
    find_job_directories,
    parse_job_name,
    parse_journal_name,
)


@dataclass(frozen=True)
class StepFiles:
    """The files of one step and restart."""

    job: str
    cluster: str
    step: str
    restart: int
    journals: tuple[Path, ...]
    end: Path | None

    @property
    def modified_wall_seconds(self) -> float:
        """Time of the last change to any of the files."""
        return max(_modified(path) for path in self.journals)


def roots(directory: Path) -> list[Path]:
    """Where journals may lie: the configured directory, and this node's stand-in if it is ours."""
    stand_in = fallback_directory(os.getuid())
    try:
        status = stand_in.lstat()
    except OSError:
        return [directory]
    return [directory, stand_in] if status.st_uid == os.getuid() else [directory]


def steps_of(directory: Path, job: str, cluster: str | None = None) -> list[StepFiles]:
    """All steps of a job. NotFoundError if there is none."""
    folders = [
        folder for root in roots(directory) for folder in find_job_directories(root, job, cluster)
    ]
    steps = steps_in(folders)
    if not steps:
        where = f" on {cluster}" if cluster else ""
        raise NotFoundError(
            f"no measurement of job {job}{where} below {directory}",
            "start steps by srun-green, or a command by `jobwatt run -- COMMAND`",
        )
    clusters = {step.cluster for step in steps}
    if len(clusters) > 1:
        newest = max(steps, key=lambda step: step.modified_wall_seconds).cluster
        steps = [step for step in steps if step.cluster == newest]
    return steps


def last_step(directory: Path) -> StepFiles:
    """The step whose journal changed last. NotFoundError if there is none at all."""
    folders = [folder for root in roots(directory) for folder in all_job_directories(root)]
    months = sorted({folder.parent.name for folder in folders}, reverse=True)[:2]
    recent = [folder for folder in folders if folder.parent.name in months]
    recent.sort(key=_modified, reverse=True)
    # A directory's time is that of its newest file's creation: a long step may still be writing.
    steps = steps_in(recent[:50])
    if not steps:
        raise NotFoundError(
            f"nothing measured yet below {directory}",
            "start a step by srun-green, or a command by `jobwatt run -- COMMAND`",
        )
    return max(steps, key=lambda step: step.modified_wall_seconds)


def account_of_step(files: StepFiles, clock: Callable[[], float] = time.time) -> Account:
    """One step's figures. UnreadableError if none of its journals can be read."""
    journals, problems = read_step(files)
    end_wall_seconds, exit_code = read_end(files.end)
    account = account_step(journals, end_wall_seconds, clock())
    return _with_problems(replace(account, exit_code=exit_code), problems)


def account_of_job(steps: Sequence[StepFiles], clock: Callable[[], float] = time.time) -> Account:
    """All steps of a job. UnreadableError if no journal can be read."""
    return read_job(steps, clock)[0]


def read_job(
    steps: Sequence[StepFiles], clock: Callable[[], float] = time.time
) -> tuple[Account, list[Journal]]:
    """Steps of one job, and the journals that their account comes from.

    UnreadableError if no journal can be read.
    """
    groups = []
    problems: list[str] = []
    for files in steps:
        try:
            journals, said = read_step(files)
        except UnreadableError as error:
            problems.append(str(error))
            continue
        problems.extend(said)
        end_wall_seconds, exit_code = read_end(files.end)
        groups.append((journals, end_wall_seconds))
    if not groups:
        raise UnreadableError(problems[0])
    account = account_job(groups, clock())
    if len(groups) == 1:
        account = replace(account, exit_code=exit_code)
    found = [journal for journals, _ in groups for journal in journals]
    return _with_problems(account, problems), found


def record_end(
    files: StepFiles, wall_seconds: float, exit_code: int | None = None
) -> StepFiles:
    """Note when the step was seen to end, and its exit code where known. Best effort."""
    folder = files.journals[0].parent
    path = end_path(
        folder.parents[2],
        folder.parent.name,
        files.job,
        files.cluster or None,
        files.step,
        files.restart,
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "w") as file:
            end = {"jobwatt": 1, "wall_seconds": round(wall_seconds, 3), "exit_code": exit_code}
            json.dump(end, file)
    except OSError:
        return files
    return replace(files, end=path)


def steps_in(folders: Sequence[Path]) -> list[StepFiles]:
    """The steps whose journals lie in these job directories. One that cannot be read is left out.

    A journal that is there plain and packed is taken plain: it may have grown since.
    """
    groups: dict[tuple[str, str, str, int], list[Path]] = {}
    ends: dict[tuple[str, str, str, int], Path] = {}
    for folder in folders:
        job, cluster = parse_job_name(folder.name)
        try:
            names = set(os.listdir(folder))
        except OSError:
            continue
        for name in sorted(names):
            parsed = parse_journal_name(name)
            if parsed and (not name.endswith(".gz") or name.removesuffix(".gz") not in names):
                key = (job, cluster or "", parsed[0], parsed[1])
                groups.setdefault(key, []).append(folder / name)
                end = folder / f"{parsed[0]}.{parsed[1]}{END_SUFFIX}"
                if end.name in names:
                    ends[key] = end
    return [
        StepFiles(*key, journals=tuple(paths), end=ends.get(key)) for key, paths in groups.items()
    ]


def read_step(files: StepFiles) -> tuple[list[Journal], list[str]]:
    """Its journals, and a line for each that cannot be read. UnreadableError: none can."""
    journals: list[Journal] = []
    problems: list[str] = []
    for path in files.journals:
        try:
            journals.append(read_journal(path))
        except UnreadableError as error:
            problems.append(str(error))
    if not journals:
        raise UnreadableError(problems[0], "its other steps may be readable: jobwatt show JOB")
    return journals, problems


def read_end(path: Path | None) -> tuple[float | None, int | None]:
    """When the step was seen to end, and its exit code; None where unknown."""
    try:
        end = json.loads(read_regular_file(path)[0][:4096]) if path is not None else {}
        wall_seconds, code = end.get("wall_seconds"), end.get("exit_code")
    except (UnreadableError, ValueError, AttributeError, RecursionError):
        return None, None
    if not isinstance(wall_seconds, (int, float)) or not abs(wall_seconds) < MAX_VALUE:
        wall_seconds = None
    return wall_seconds, code if type(code) is int and 0 <= code < 256 else None


def _with_problems(account: Account, problems: Sequence[str]) -> Account:
    return replace(account, problems=(*account.problems, *problems)) if problems else account


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
