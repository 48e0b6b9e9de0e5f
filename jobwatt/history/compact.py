"""Journals of ended jobs take less room: figures kept, files compressed, thinned out, removed.

    plain journal  ->  .jsonl.gz  ->  .jsonl.gz with one line a minute  ->  the kept figures alone
    (level RAW)        (PACKED)       (MINUTES, after `full_days`)          (after `minute_days`)

Each step writes the new file beside the old one, reads it back, compares it, and only then lets the
old one go. Killed at any moment it leaves one of them or both; two hosts at once do the same work
twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jobwatt.errors import JobwattError, UnreadableError
from jobwatt.history.figures import Entry, figures_path, keep, load
from jobwatt.history.files import pack, remove_journals, remove_strays, size_bytes, thin
from jobwatt.history.index import Folder, Index
from jobwatt.history.job_account import covers, step_accounts, steps_gone, whole, with_steps_gone
from jobwatt.history.measured import with_account
from jobwatt.history.update import MINUTES, PACKED, Clock, Look, look, take_kept
from jobwatt.journal.store import StepFiles, steps_in
from jobwatt.paths import JOURNAL_SUFFIX, PACKED_SUFFIX, parse_journal_name

DAY_SECONDS = 86400.0
SAME_TIME_SECONDS = 0.001
"""Times of files go through floating point."""


class Ages(NamedTuple):
    """How long each resolution is kept, from the last change of a job's journals."""

    full_days: float
    minute_days: float


class Counts(NamedTuple):
    """What was done, in jobs, files and bytes."""

    kept_jobs: int = 0
    packed_files: int = 0
    thinned_files: int = 0
    removed_jobs: int = 0
    freed_bytes: int = 0
    problems: tuple[str, ...] = ()

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))  # type: ignore[operator]


def compact(index: Index, ages: Ages, host: str, clock: Clock) -> Counts:
    """Take every ended job's directories as far as their age allows."""
    now = clock.now_wall_seconds
    # Packed ones too: a journal may have come late into what was taken for settled.
    due = index.folders(
        "settled AND (level <= ? OR level = ? AND changed < ?)",
        (PACKED, MINUTES, now - ages.minute_days * DAY_SECONDS),
    )
    counts = Counts()
    for key in sorted({(folder.job, folder.cluster) for folder in due}):
        try:
            counts = counts.plus(_compact_job(index, key, ages, host, clock))
        except (JobwattError, OSError) as error:
            counts = counts.plus(Counts(problems=(f"job {key[0]}: {error}; left as it is",)))
    return counts


def _compact_job(
    index: Index, key: tuple[str, str], ages: Ages, host: str, clock: Clock
) -> Counts:
    known = index.folders("job = ? AND cluster = ?", key)
    seen = {folder: there for folder in known if (there := look(Path(folder.path)))}
    with index.writing():
        index.forget_folders(folder.path for folder in known if folder not in seen)
    _, written = index.place_of(key)
    news = [folder for folder, now in seen.items() if _is_news(folder, now, written)]
    if news or not seen or not all(folder.settled for folder in seen):
        with index.writing():  # the next look at it will tell
            index.put_folders(folder._replace(settled=0, signature="") for folder in news)
        return Counts()
    if any(there.is_unreadable for there in seen.values()):
        raise UnreadableError("its directory cannot be read")
    changed = max(there.changed_wall_seconds for there in seen.values())
    age_days = (clock.now_wall_seconds - changed) / DAY_SECONDS
    folders = [Path(folder.path) for folder in seen]
    before_bytes = sum(map(size_bytes, folders))
    steps = steps_in(folders)
    root = folders[0].parents[2]
    if written < changed:  # unless another host was faster, which may be removing them by now
        take_kept(index, root)
        _, written = index.place_of(key)
    fresh = int(written < changed and bool(steps))
    if fresh:
        _keep(index, key, root, steps, host, clock, changed)
    packed = sum(pack(path) for path in _files(folders, JOURNAL_SUFFIX))
    level, thinned, removed = PACKED, 0, 0
    if age_days > ages.full_days:
        level, thinned = MINUTES, sum(thin(path) for path in _files(folders, PACKED_SUFFIX))
    if age_days > max(ages.full_days, ages.minute_days) and _is_kept(index, key, steps):
        journals = [path for files in steps for path in files.journals]
        removed = int(sum(remove_journals(path, journals) for path in folders) > 0)
    with index.writing():
        for folder in seen:
            there = look(Path(folder.path))
            if there is None:
                index.forget_folders([folder.path])
            else:
                index.put_folders([_as_seen(folder, there, level)])
    after_bytes = sum(map(size_bytes, folders))
    return Counts(fresh, packed, thinned, removed, before_bytes - after_bytes)


def _is_news(folder: Folder, there: Look, written_wall_seconds: float) -> bool:
    """Whether a journal came or grew since the directory was settled, or else since it was kept.

    What compaction writes has the time of what it stands in for, so it is no news.
    """
    since = folder.changed_wall_seconds if folder.signature else written_wall_seconds
    return there.changed_wall_seconds > since + SAME_TIME_SECONDS


def _as_seen(folder: Folder, there: Look, level: int) -> Folder:
    return folder._replace(
        signature=there.signature, changed_wall_seconds=there.changed_wall_seconds, level=level
    )


def _keep(
    index: Index,
    key: tuple[str, str],
    root: Path,
    steps: list[StepFiles],
    host: str,
    clock: Clock,
    changed: float,
) -> None:
    """Write the job's figures, from all lines of its journals."""
    row = index.row_of(key)
    if row is None:
        raise UnreadableError("it is not in the index")
    now = clock.now_wall_seconds
    figures = whole(steps, now, clock.day_of)
    accounts, whole_account = step_accounts(steps, now), figures.account
    place, _ = index.place_of(key)
    if place is not None:
        before = load(place, key)
        figures = with_steps_gone(figures, steps, before, now, clock.day_of)
        gone = steps_gone(steps, before)
        accounts = (*gone, *(accounts or (whole_account,))) if gone else accounts
    if not all(path.exists() for files in steps for path in files.journals):
        raise UnreadableError("another host is at it")
    row = with_account(row, figures.account, figures.days, changed)
    month = clock.day_of(figures.account.start_wall_seconds)[:7]
    entry: Entry = keep(figures_path(root, month, host), row, figures.account, accounts, now)
    with index.writing():
        index.put([(entry.row, entry.place, entry.written_wall_seconds)])


def _is_kept(index: Index, key: tuple[str, str], steps: list[StepFiles]) -> bool:
    """Whether the kept figures are there, readable, and of all these steps."""
    place, _ = index.place_of(key)
    return place is not None and covers(load(place, key), steps)


def _files(folders: list[Path], suffix: str) -> list[Path]:
    """Journals with this ending; what a killed process left half-written is cleared away."""
    for folder in folders:
        remove_strays(folder)
    found = [path for folder in folders for path in sorted(folder.glob(f"[!.]*{suffix}"))]
    return [path for path in found if parse_journal_name(path.name)]
