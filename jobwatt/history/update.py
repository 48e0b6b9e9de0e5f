"""The truth -> the index: figures files first, then the journals that may have changed.

What is settled is not looked at again, so the cost of a look is that of the running jobs and of
those that ended lately, however long the history is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from jobwatt.energy.days import DayOf
from jobwatt.errors import UnreadableError
from jobwatt.history.figures import Scan, figures_files, load, open_regular
from jobwatt.history.index import Folder, Index
from jobwatt.history.job_account import covers, growing, with_steps_gone
from jobwatt.history.measured import JOURNAL, row_of, with_kept, with_measured
from jobwatt.history.rows import JobRow
from jobwatt.journal.store import steps_in
from jobwatt.paths import JOURNAL_SUFFIX, job_directories, month_directories, parse_job_name
from jobwatt.slurm.jobs import PENDING, RUNNING, UNKNOWN

SETTLE_SECONDS = 300.0
"""An ended job's directory that has been quiet for this long is settled."""
QUIET_SECONDS = 10 * 86400.0
"""The same where nobody says that the job has ended: longer than jobs may run and be suspended."""
OLD_SECONDS = 60 * 86400.0
"""In a month directory quiet for this long, a job whose figures are kept has had its last step."""
RACY_SECONDS = 3.0
"""A directory changed so shortly before a look may change again within the same time stamp."""
BATCH = 500

RAW, PACKED, MINUTES, UNLOOKED = 0, 1, 2, -1
"""`Folder.level`: journals as written, compressed, one line a minute; not known."""


class Clock(NamedTuple):
    """Now, and which local day a time belongs to."""

    now_wall_seconds: float
    day_of: DayOf


def update(index: Index, roots: Sequence[Path], clock: Clock) -> list[str]:
    """Take in all that is new. One line for each thing that could not be read."""
    problems: list[str] = []
    for root in roots:
        problems += take_kept(index, root)
        try:
            months = month_directories(root)
        except UnreadableError as error:
            problems.append(str(error))
            continue
        for month in months:
            try:
                _find_folders(index, month, clock)
            except (OSError, UnreadableError) as error:
                problems.append(str(error))
    open_folders = index.folders("NOT settled")
    jobs = sorted({(folder.job, folder.cluster) for folder in open_folders})
    for begin in range(0, len(jobs), BATCH):
        with index.writing():
            for job, cluster in jobs[begin : begin + BATCH]:
                problems += _take_job(index, job, cluster, clock)
    return problems


def take_kept(index: Index, root: Path) -> list[str]:
    """New lines of all figures files, of whatever host. One line on damaged ones, once."""
    return [line for path in figures_files(root) for line in _take_figures(index, path)]


def _take_figures(index: Index, path: Path) -> list[str]:
    read_bytes, _, _ = index.read_file(path)
    try:
        # Opened: a network filesystem then shows what another host has written.
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
        if size == read_bytes:
            return []
        scan = Scan(path, read_bytes if size > read_bytes else 0)
        with index.writing():
            entries = iter(scan)
            while batch := list(islice(entries, BATCH)):
                index.put(
                    (with_kept(index.row_of(e.row.key), e.row), e.place, e.written_wall_seconds)
                    for e in batch
                )
            index.put_read_file(path, scan.next_bytes, "", scan.bad_lines)
    except (OSError, UnreadableError) as error:
        return [f"{path}: {error}"]
    return [f"{path}: {scan.bad_lines} damaged lines left out"] if scan.bad_lines else []


def _find_folders(index: Index, month: Path, clock: Clock) -> None:
    """A month's job directories that are not in the index yet.

    OSError, UnreadableError: the month is gone or closed.
    """
    changed_ns = month.stat().st_mtime_ns
    if index.read_file(month)[1] == str(changed_ns):
        return
    # What begins with the month and a slash; a 0 is the letter after the slash.
    below = index.folders("path > ? AND path < ?", (f"{month}/", f"{month}0"))
    known = {folder.path for folder in below}
    fresh = [path for path in job_directories(month) if str(path) not in known]
    recent = clock.now_wall_seconds - changed_ns / 1e9
    with index.writing():
        index.put_folders(_new_folder(index, path, recent < OLD_SECONDS) for path in fresh)
        seen = "" if recent < RACY_SECONDS else str(changed_ns)
        index.put_read_file(month, 0, seen, 0)


def _new_folder(index: Index, path: Path, is_recent: bool) -> Folder:
    """Not settled, unless it is of old and its job's figures are kept already."""
    job, cluster = parse_job_name(path.name)
    kept = not is_recent and index.place_of((job, cluster or ""))[0] is not None
    return Folder(str(path), job, cluster or "", "", 0.0, int(kept), UNLOOKED)


def _take_job(index: Index, job: str, cluster: str, clock: Clock) -> list[str]:
    """One job whose journals may have changed."""
    before = index.folders("job = ? AND cluster = ?", (job, cluster))
    found = [(folder, look(Path(folder.path))) for folder in before]
    index.forget_folders(folder.path for folder, seen in found if seen is None)
    there = [(folder, seen) for folder, seen in found if seen is not None]
    if not there:
        return []
    closed = [folder.path for folder, seen in there if seen.is_unreadable]
    if closed:
        return [f"job {job}: {path} cannot be read; check its permissions" for path in closed]
    changed = max(seen.changed_wall_seconds for _, seen in there)
    row, problems = index.row_of((job, cluster)), list[str]()
    same = row is not None and all(folder.signature == seen.signature for folder, seen in there)
    # What was running by its journals alone no longer is when they have been quiet for long enough.
    if not same or (row is not None and row.source == JOURNAL and row.outcome == RUNNING):
        row, problems = _account(index, (job, cluster), [f for f, _ in there], changed, clock)
    settled = is_settled(row, clock.now_wall_seconds - changed)
    index.put_folders(
        folder._replace(
            signature=seen.signature,
            changed_wall_seconds=seen.changed_wall_seconds,
            settled=int(settled),
            level=RAW if seen.has_plain else max(folder.level, PACKED),
        )
        for folder, seen in there
    )
    return problems


def _account(
    index: Index, key: tuple[str, str], folders: Sequence[Folder], changed: float, clock: Clock
) -> tuple[JobRow | None, list[str]]:
    old = index.row_of(key)
    steps = steps_in([Path(folder.path) for folder in folders])
    if not steps:
        return old, []
    place, written = index.place_of(key)
    try:
        kept = load(place, key) if place is not None else None
        # Journals may have been thinned out since; the kept figures are of all their lines.
        if kept is not None and written >= changed and covers(kept, steps):
            return old, []
        figures = growing(index, steps, clock.now_wall_seconds, clock.day_of)
    except UnreadableError as error:
        return old, [f"job {key[0]}: {error}"]
    if kept is not None:
        figures = with_steps_gone(figures, steps, kept, clock.now_wall_seconds, clock.day_of)
    fresh = row_of(figures.account, figures.days, changed)
    row = with_measured(old, fresh._replace(job=key[0], cluster=key[1]))
    index.put([(row, place, written)])
    damaged = row.bad_lines - (old.bad_lines if old else 0)
    return row, [f"job {key[0]}: {damaged} damaged journal lines left out"] * (damaged > 0)


class Look(NamedTuple):
    """A job directory as it is now."""

    signature: str
    changed_wall_seconds: float
    has_plain: bool
    """Whether a journal is not compressed."""
    is_unreadable: bool = False


def look(path: Path) -> Look | None:
    """None: there is no such directory any more."""
    files: list[tuple[str, int, int]] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    with suppress(FileNotFoundError):  # compressed or removed at this moment
                        status = entry.stat(follow_symlinks=False)
                        files.append((entry.name, status.st_size, status.st_mtime_ns))
        changed_ns = max((file[2] for file in files), default=path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return Look("", 0.0, False, is_unreadable=True)
    files.sort()
    return Look(
        f"{len(files)}-{crc32(repr(files).encode()):08x}",
        changed_ns / 1e9,
        any(name.endswith(JOURNAL_SUFFIX) for name, _, _ in files),
    )


def is_settled(row: JobRow | None, quiet_seconds: float) -> bool:
    """Whether nothing more is to be expected in a job's directories.

    A run without Slurm that was stopped (Ctrl-Z, a closed laptop) goes on with the same files.
    """
    if row is None or quiet_seconds < SETTLE_SECONDS:
        return quiet_seconds > QUIET_SECONDS
    ended = row.outcome not in (RUNNING, PENDING, UNKNOWN)
    return ended or quiet_seconds > QUIET_SECONDS
