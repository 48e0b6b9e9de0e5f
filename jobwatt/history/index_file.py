"""The index's file: SQLite on a local disk, a cache of the truth that may be deleted at any time.

Absent, damaged or of another version it is made anew and filled again by `update`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from jobwatt.errors import UnreadableError
from jobwatt.history.index import Index
from jobwatt.history.rows import JobRow

BUSY_SECONDS = 5.0
UNUSED_SECONDS = 100 * 86400.0
_TABLES = (
    f"CREATE TABLE jobs ({', '.join(JobRow._fields)}, from_seconds, to_seconds, path, offset,"
    " length, written, PRIMARY KEY (job, cluster))",
    "CREATE INDEX jobs_by_end ON jobs (to_seconds)",
    "CREATE INDEX jobs_by_array ON jobs (array_job) WHERE array_job != ''",
    "CREATE INDEX jobs_by_name ON jobs (name) WHERE origin != ''",
    "CREATE TABLE folders (path PRIMARY KEY, job, cluster, signature, changed, settled, level)",
    "CREATE INDEX folders_by_job ON folders (job, cluster)",
    "CREATE INDEX folders_open ON folders (path) WHERE NOT settled",
    "CREATE TABLE read_files (path PRIMARY KEY, bytes, state, bad_lines)",
    "CREATE TABLE parts (path PRIMARY KEY, bytes, account)",
    "CREATE TABLE notes (name PRIMARY KEY, value)",
)
"""`folders`: job directories and how far they are compacted. `read_files`: figures files (how many
bytes are in) and months (their time of change). `parts`: accounts of the read part of journals that
grow. `notes`: when Slurm was asked, and the like."""


SCHEMA = crc32("".join(_TABLES).encode()) >> 1
"""Another one means other columns: the file is made anew."""


def open_index(path: Path | None, why: str = "") -> Index:
    """Open it, making it anew where it is absent, of another schema or damaged.

    None (and why), a full disk, or a damaged one that another process has open: an empty one in
    memory.
    UnreadableError: it is not a file of the user's own.
    """
    if path is None:
        return _in_memory(why)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        _check_owner(path)
        lock = os.open(f"{path}.lock", flags, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(lock)  # when it was used last
        try:
            return Index(_connect(path), path, lock)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return reset(Index(_memory(), path, lock))
            os.close(lock)
            why = str(error)
    except OSError as error:
        why = error.strerror or str(error)
    return _in_memory(f"{path}: {why}")


def remove_unused(folder: Path, now_wall_seconds: float) -> int:
    """Remove indexes that nobody opened for long: their journals are elsewhere now, or nowhere.

    The number of them. One that is open stays.
    """
    removed = 0
    for lock_path in folder.glob("index-*.sqlite.lock"):
        with suppress(OSError):
            if now_wall_seconds - lock_path.stat().st_mtime < UNUSED_SECONDS:
                continue
            lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for suffix in ("", "-wal", "-shm", ".compact", ".lock"):
                    lock_path.with_name(lock_path.stem + suffix).unlink(missing_ok=True)
                removed += 1
            finally:
                os.close(lock)
    return removed


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether only a fresh file helps. Else: locked for long, a full disk and the like."""
    words = ("no such", "already exists", "has no column", " columns but ", "malformed")
    return not isinstance(error, sqlite3.OperationalError) or any(w in str(error) for w in words)


def reset(index: Index) -> Index:
    """A fresh one in place of one that turned out to be damaged. Held by others: one in memory."""
    index.close(keep_lock=True)
    if index.path is None or index.lock < 0:
        return _in_memory(index.why)
    try:
        fcntl.flock(index.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{index.path}{suffix}").unlink(missing_ok=True)
        fresh = Index(_connect(index.path), index.path, index.lock)
        fcntl.flock(index.lock, fcntl.LOCK_SH)
        return fresh
    except BlockingIOError:
        why = "damaged, and another process has it open"
    except (OSError, sqlite3.DatabaseError) as error:
        why = getattr(error, "strerror", None) or str(error)
    os.close(index.lock)
    return _in_memory(f"{index.path}: {why}")


def _in_memory(why: str) -> Index:
    return Index(_memory(), None, -1, why)


def _memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _make_tables(connection)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    """sqlite3.DatabaseError: no database, or another schema."""
    connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # a cache: after a power cut it is made anew
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == 0:  # nobody else was faster
                _make_tables(connection)
            connection.commit()
        if _version(connection) != SCHEMA:
            raise sqlite3.DatabaseError("another schema")
        connection.execute("SELECT 1 FROM jobs, folders, read_files, parts, notes LIMIT 1")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in (*_TABLES, f"PRAGMA user_version = {SCHEMA}"):
        connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_owner(path: Path) -> None:
    """UnreadableError: a link, a pipe, or somebody else's file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
        raise UnreadableError(f"{path} is not a file of your own", "remove it")
