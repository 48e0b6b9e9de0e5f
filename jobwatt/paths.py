"""Where journals lie below the directory of the settings, and what their names say.

    journal/<YYYY-MM>/<job>[@<cluster>]/<step>.<restart>.<node>.<rank>.jsonl[.gz]
    journal/<YYYY-MM>/<job>[@<cluster>]/<step>.<restart>.end.json

The month is that of the writer's start, so one job may have several directories. The sampler
imports this module: standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path

from jobwatt.errors import UnreadableError

JOURNAL_SUFFIX = ".jsonl"
PACKED_SUFFIX = ".jsonl.gz"
"""A compressed journal. Where both are there, the plain one counts: it may have grown since."""
END_SUFFIX = ".end.json"
MAX_COMPONENT_LETTERS = 128
MAX_SHORT_LETTERS = 48
"""Steps, jobs and clusters: with a node of 128 letters a name stays below 255 bytes."""

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")


def safe_component(text: str, limit: int = MAX_COMPONENT_LETTERS) -> str:
    """One path component made of `text`, whatever it holds.

    What is not an ASCII letter, a digit or one of `._+-` becomes `_`: so no `/`, no control
    character, and no `@`, which separates job and cluster. No leading dot (`.`, `..`, hidden
    files), at most `limit` letters, never empty (`_`).
    """
    replaced = "".join(letter if letter in _LETTERS else "_" for letter in text[: 2 * limit])
    return replaced.lstrip(".")[:limit] or "_"


def job_directory(directory: Path, month: str, job: str, cluster: str | None) -> Path:
    """Directory of one job's journals of one month (`2025-03`)."""
    name = safe_component(job, MAX_SHORT_LETTERS)
    if cluster:
        name += "@" + safe_component(cluster, MAX_SHORT_LETTERS)
    return directory / "journal" / safe_component(month) / name


def journal_path(
    directory: Path,
    month: str,
    job: str,
    cluster: str | None,
    step: str,
    restart: int,
    node: str,
    rank: int,
) -> Path:
    """File of one sampler. Its name parses back with `parse_journal_name`."""
    name = f"{safe_step(step)}.{restart}.{safe_component(node)}.{rank}{JOURNAL_SUFFIX}"
    return job_directory(directory, month, job, cluster) / name


def end_path(
    directory: Path, month: str, job: str, cluster: str | None, step: str, restart: int
) -> Path:
    """File that says how a step ended. Its name parses back with `parse_end_name`."""
    name = f"{safe_step(step)}.{restart}{END_SUFFIX}"
    return job_directory(directory, month, job, cluster) / name


def parse_journal_name(name: str) -> tuple[str, int, str, int] | None:
    """Step, restart, node and rank of a journal's file name; None for any other name."""
    name = name.removesuffix(".gz")
    if not (name.endswith(JOURNAL_SUFFIX) and name.isascii()):
        return None
    step, _, rest = name[: -len(JOURNAL_SUFFIX)].partition(".")
    restart, _, rest = rest.partition(".")
    node, _, rank = rest.rpartition(".")
    if not (step and node and _is_number(restart) and _is_number(rank)):
        return None
    return step, int(restart), node, int(rank)


def parse_end_name(name: str) -> tuple[str, int] | None:
    """Step and restart of an end file's name; None for any other name."""
    if not name.endswith(END_SUFFIX):
        return None
    step, _, restart = name[: -len(END_SUFFIX)].partition(".")
    return (step, int(restart)) if step and _is_number(restart) else None


def parse_job_name(name: str) -> tuple[str, str | None]:
    """Job and cluster of a job directory's name; cluster None when it names none."""
    job, _, cluster = name.partition("@")
    return job, cluster or None


def find_job_directories(directory: Path, job: str, cluster: str | None = None) -> list[Path]:
    """Existing directories of one job, newest month first.

    Without `cluster`: on every cluster. With it: those of exactly that cluster. Errors as
    `all_job_directories`.
    """
    wanted = safe_component(job, MAX_SHORT_LETTERS)
    wanted_cluster = safe_component(cluster, MAX_SHORT_LETTERS) if cluster else None
    return [
        path
        for path in all_job_directories(directory)
        if parse_job_name(path.name) == (wanted, wanted_cluster or parse_job_name(path.name)[1])
    ]


def all_job_directories(directory: Path) -> list[Path]:
    """Existing job directories: newest month first, in a month the highest job first.

    Nothing written yet gives an empty list. UnreadableError: a directory may not be read.
    """
    return [path for month in month_directories(directory) for path in job_directories(month)]


def month_directories(directory: Path) -> list[Path]:
    """Existing directories of months, the newest first. UnreadableError: may not be read."""
    months = [path for path in _directories(directory / "journal") if _is_month(path.name)]
    return sorted(months, key=lambda path: path.name, reverse=True)


def job_directories(month: Path) -> list[Path]:
    """Job directories of one month, the highest job first. UnreadableError: may not be read."""
    return sorted(_directories(month), key=_job_order, reverse=True)


def fallback_directory(uid: int) -> Path:
    """Where journals go when the home directory is unknown or cannot be written.

    `/var/tmp` is everybody's: whoever creates or reads this directory has to check that it is no
    link, belongs to `uid` and is closed to others.
    """
    return Path(f"/var/tmp/jobwatt-{uid}")


def safe_step(step: str) -> str:
    """A step's name as it is in the names of its files."""
    return safe_component(step.replace(".", "_"), MAX_SHORT_LETTERS)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def _is_month(name: str) -> bool:
    year, dash, month = name[:4], name[4:5], name[5:]
    return _is_number(year) and dash == "-" and len(month) == 2 and _is_number(month)


def _job_order(path: Path) -> tuple[int, str]:
    job, _ = parse_job_name(path.name)
    return (int(job) if _is_number(job) else -1, path.name)


def _is_ours(name: str) -> bool:
    return name.isascii() and not name.startswith(".")


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _directories(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return [
                directory / entry.name
                for entry in entries
                if _is_ours(entry.name) and _is_directory(entry)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnreadableError(
            f"{directory} cannot be read ({error.strerror})", "check its permissions"
        ) from error
