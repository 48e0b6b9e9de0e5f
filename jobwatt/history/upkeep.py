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
from jobwatt.errors import JobwattError
from jobwatt.history.index import Index

EVERY_SECONDS = 86400.0
AGAIN_SECONDS = 3600.0
"""One that was begun may have failed, or may be at it still: it is not tried again before."""
_LAST = "compacted"
_BEGUN = "compaction begun"


@contextmanager
def alone(index: Index) -> Iterator[bool]:
    """Whether no other process of this host compacts the same history; it then may not begin.

    JobwattError: the file that says so cannot be made.
    """
    if index.path is None:
        yield True
        return
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    path = f"{index.path}.compact"
    try:
        lock = os.open(path, flags, 0o600)
    except OSError as error:
        raise JobwattError(
            f"nothing was compacted: {path} cannot be made: {error.strerror}",
            "JOBWATT_INDEX_DIR names another place",
        ) from error
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
    if not settings.auto_compact or index.path is None:
        return False
    now = time.time()
    try:
        last, begun = (float(index.note(name) or 0.0) for name in (_LAST, _BEGUN))
        if not (_has_passed(EVERY_SECONDS, last, now) and _has_passed(AGAIN_SECONDS, begun, now)):
            return False
        with index.writing():
            index.put_note(_BEGUN, now)
    except (sqlite3.DatabaseError, ValueError):
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


def _has_passed(seconds: float, last_wall_seconds: float, now_wall_seconds: float) -> bool:
    """A time to come was noted by a clock that was wrong."""
    return not 0 <= now_wall_seconds - last_wall_seconds < seconds


def _stand_back() -> None:
    os.nice(19)
