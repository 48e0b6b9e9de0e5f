"""`jobwatt import FILE...`: another tool's figures, taken over into the history."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobwatt.commands.said import say
from jobwatt.config import load
from jobwatt.energy.units import format_energy
from jobwatt.errors import JobwattError, UnreadableError
from jobwatt.history.history import History, open_history
from jobwatt.history.imports.common import Imported
from jobwatt.history.imports.detect import parse
from jobwatt.journal.reader import MAX_FILE_BYTES, read_regular_file
from jobwatt.views.clean import clean

JOB_FILE = "meta_data.json"
"""What the makers of AIPowerMeter put beside its file on their Slurm cluster: the job's id, name
and node."""


def import_(files: Sequence[str], dry_run: bool, environ: Mapping[str, str]) -> None:
    """One line per file on stdout. Files that cannot be read stop none of the others.

    UnreadableError: a file is of neither tool, damaged or no file. JobwattError: the disk refuses.
    """
    settings = load(environ)
    history = open_history(settings._replace(slurm_api="none"), environ, time.time())
    say(history.problems)
    errors: list[UnreadableError] = []
    for name in files:
        shown = clean(name, 500)
        try:
            found = _read(Path(name))
        except UnreadableError as error:
            errors.append(UnreadableError(f"{shown}: {error}", error.hint))
            continue
        new = _count_new(history, found) if dry_run else _keep(history, found)
        print(_line(shown, found, new, dry_run), flush=True)
        if found.skipped:
            say([f"{shown}: left out: {found.left_out}"])
    if len(errors) > 1:
        raise UnreadableError("; ".join(map(str, errors)), errors[0].hint)
    if errors:
        raise errors[0]


def _read(path: Path) -> Imported:
    content = _content(path)
    return parse(content, told=_told(path))


def _content(path: Path) -> bytes:
    """A link is followed, since the user named it; a FIFO or a device is never read."""
    try:
        path = path.resolve(strict=True)
        status = path.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise UnreadableError(getattr(error, "strerror", "") or "links in a circle") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("no regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise UnreadableError(f"larger than {MAX_FILE_BYTES >> 20} MiB", "import it in parts")
    try:
        return read_regular_file(path)[0]
    except UnreadableError as error:
        raise UnreadableError(str(error).removeprefix(f"{path.name}: ")) from error


def _told(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(_content(path.with_name(JOB_FILE))[: 1 << 16])
    except (UnreadableError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(history: History, found: Imported) -> int:
    try:
        return history.add_imported(found.entries)
    except OSError as error:
        reason = error.strerror or "the disk refuses"
        raise JobwattError(f"the figures cannot be kept: {reason}") from error


def _count_new(history: History, found: Imported) -> int:
    return sum(history.row(row.job) is None for row, _ in found.entries)


def _line(shown: str, found: Imported, new: int, dry_run: bool) -> str:
    count = len(found.entries)
    runs = f"{count} run{'s' * (count != 1)} of {found.tool}"
    energy = format_energy(found.estimated_joules, "energy unknown")
    would = "; dry run, nothing kept" if dry_run else ""
    return f"{shown}: {runs}, {new} new, {energy} (imported, estimated){would}"
