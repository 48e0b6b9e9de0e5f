"""Every file of a history read once: what is there, and what is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jobwatt.errors import UnreadableError
from jobwatt.history.figures import Scan, figures_files, load
from jobwatt.history.files import size_bytes
from jobwatt.history.index import Index
from jobwatt.history.update import look
from jobwatt.journal.reader import read_journal
from jobwatt.journal.store import steps_in
from jobwatt.paths import job_directories, month_directories


class Finding(NamedTuple):
    """What a check saw. `damaged`: one line for each file."""

    index_path: str
    indexed_jobs: int
    figures_files: int
    kept_jobs: int
    job_directories: int
    journal_files: int
    journal_bytes: int
    damaged: tuple[str, ...]


def check_history(index: Index, roots: Sequence[Path]) -> Finding:
    """Read all of it. Nothing is changed."""
    damaged: list[str] = []
    try:
        found = index.damage()
        indexed = index.count_jobs()
    except sqlite3.DatabaseError as error:
        found, indexed = str(error), 0
    if found:
        damaged.append(f"{index.path}: {found}; jobwatt history rebuild makes it anew")
    kept: set[tuple[str, str]] = set()
    files = [path for root in roots for path in figures_files(root)]
    for path in files:
        damaged += _figures(path, kept)
    folders = _folders(roots, damaged)
    journals = [path for files in steps_in(folders) for path in files.journals]
    for path in journals:
        damaged += _journal(path)
    return Finding(
        str(index.path or ""),
        indexed,
        len(files),
        len(kept),
        len(folders),
        len(journals),
        sum(map(size_bytes, folders)),
        tuple(damaged),
    )


def _folders(roots: Sequence[Path], damaged: list[str]) -> list[Path]:
    found: list[Path] = []
    for root in roots:
        try:
            months = month_directories(root)
        except UnreadableError as error:
            damaged.append(str(error))
            continue
        for month in months:
            try:
                found += job_directories(month)
            except UnreadableError as error:
                damaged.append(str(error))
    closed = [path for path in found if (seen := look(path)) and seen.is_unreadable]
    damaged += [f"{path} cannot be read" for path in closed]
    return found


def _figures(path: Path, kept: set[tuple[str, str]]) -> list[str]:
    """Every line in full. What follows the last line end was left by a killed writer."""
    scan, lost = Scan(path), 0
    try:
        for entry in scan:
            try:
                load(entry.place)
                kept.add(entry.row.key)
            except UnreadableError:
                lost += 1
        unfinished = path.stat().st_size - scan.next_bytes
    except (UnreadableError, OSError) as error:
        return [f"{path}: {error}"]
    bad = scan.bad_lines + lost + (unfinished > 0)
    return [f"{path}: {bad} damaged lines"] if bad else []


def _journal(path: Path) -> list[str]:
    try:
        journal = read_journal(path)
    except UnreadableError as error:
        return [f"{path.parent}: {error}"]
    return [f"{path}: {journal.bad_lines} damaged lines"] if journal.bad_lines else []
