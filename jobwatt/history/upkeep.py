"""Compaction in the background: at most once a day, by one process of a host, of low priority."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jobwatt.config import Settings
from jobwatt.history.index import Index

EVERY_SECONDS = 86400.0
_LAST = "compacted"


@contextmanager
def alone(index: Index) -> Iterator[bool]:
    """Whether no other process of this host compacts the same history; it then may not begin."""
    if index.path is None:
        yield True
        return
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock = os.open(f"{index.path}.compact", flags, 0o600)
    try:
        is_alone = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            is_alone = False
        yield is_alone
    finally:
        os.close(lock)


def note_compacted(index: Index, wall_seconds: float) -> None:
    """Remember when it was done last."""
    with index.writing():
        index.put_note(_LAST, wall_seconds)


def begin_if_due(index: Index, settings: Settings, environ: Mapping[str, str]) -> bool:
    """Start it if a day has passed. Never raises, never waits: a list of jobs is not held up."""
    try:
        last = float(index.note(_LAST) or 0.0)
    except (sqlite3.DatabaseError, ValueError):
        return False
    if not settings.auto_compact or index.path is None or not _is_due(last, time.time()):
        return False
    try:
        subprocess.Popen(
            [sys.executable, "-m", "jobwatt.cli", "history", "compact", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=dict(environ),
            start_new_session=True,
            preexec_fn=_stand_back,
        )
    except OSError:
        return False
    return True


def _is_due(last_wall_seconds: float, now_wall_seconds: float) -> bool:
    return not 0 <= now_wall_seconds - last_wall_seconds < EVERY_SECONDS


def _stand_back() -> None:
    os.nice(19)
