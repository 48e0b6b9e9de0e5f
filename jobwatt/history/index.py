"""What the index holds and answers. `jobwatt.history.index_file` opens it.

Nothing in it is the only copy: jobs come from figures and journals, states from Slurm.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from jobwatt.history.figures import Place
from jobwatt.history.rows import JobRow
from jobwatt.slurm.jobs import PENDING, RUNNING

FOR_EVER = 1e15
"""End of a job that still runs, for comparisons."""

_COLUMNS = ", ".join(JobRow._fields)
_OURS = ("from_seconds", "to_seconds", "path", "offset", "length", "written")
_UPSERT = (
    f"INSERT INTO jobs VALUES ({', '.join('?' * (len(JobRow._fields) + len(_OURS)))})"
    " ON CONFLICT (job, cluster) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*JobRow._fields, *_OURS))
    + " WHERE excluded.written >= jobs.written"
)


_texts = itemgetter(*(n for n, v in enumerate(JobRow._field_defaults.values(), 1) if v == ""), 0)
"""Of a row: all its texts."""


class Folder(NamedTuple):
    """A job directory as last seen."""

    path: str
    job: str
    cluster: str
    signature: str
    """Names, sizes and times of its files."""
    changed_wall_seconds: float
    settled: int
    """1: its job has ended, so it is not looked at again."""
    level: int
    """How far it is compacted; see jobwatt.history.compact."""


class Index:
    """An open index. sqlite3.DatabaseError from any of it: see `index_file.is_damage`."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None, lock: int, why: str = ""
    ) -> None:
        self.path = path
        """None: in memory, for this process alone."""
        self.why = why
        """Why it is in memory, where it should not be."""
        self.lock = lock
        """Descriptor of the lock that keeps others from removing the file; -1 if there is none."""
        self._sql = connection

    def close(self, keep_lock: bool = False) -> None:
        """Let go of the file."""
        self._sql.close()
        if self.lock >= 0 and not keep_lock:
            os.close(self.lock)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing, whenever the process is killed."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.rollback()
            raise
        self._sql.commit()

    def rows(self, since_wall_seconds: float, until_wall_seconds: float) -> list[JobRow]:
        """Jobs that lived in this time, the newest first; pending ones by their submission."""
        found = self._sql.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE to_seconds >= ? AND from_seconds < ?"
            " ORDER BY from_seconds DESC, job DESC",
            (since_wall_seconds, until_wall_seconds),
        )
        return list(map(JobRow._make, found))

    def rows_of(self, job: str, cluster: str = "") -> list[JobRow]:
        """The job of this id on each cluster, or on one."""
        where, values = "job = ?", [_utf8(job)]
        if cluster:
            where, values = "job = ? AND cluster = ?", [_utf8(job), _utf8(cluster)]
        found = self._sql.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values)
        return list(map(JobRow._make, found))

    def tasks_of(self, array_job: str) -> list[JobRow]:
        """The known tasks of an array."""
        found = self._sql.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE array_job = ? AND array_job != ''",
            (_utf8(array_job),),
        )
        return list(map(JobRow._make, found))

    def runs_of(self, name: str) -> list[JobRow]:
        """Measured jobs of this name, the newest first."""
        found = self._sql.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE name = ? AND origin != ''"
            " ORDER BY from_seconds DESC",
            (name,),
        )
        return list(map(JobRow._make, found))

    def running(self) -> list[JobRow]:
        """Jobs that had not ended when they were last heard of."""
        found = self._sql.execute(f"SELECT {_COLUMNS} FROM jobs WHERE to_seconds = ?", (FOR_EVER,))
        return list(map(JobRow._make, found))

    def row_of(self, key: tuple[str, str]) -> JobRow | None:
        """One job by id and cluster."""
        found = self._sql.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE job = ? AND cluster = ?", tuple(map(_utf8, key))
        ).fetchone()
        return JobRow._make(found) if found else None

    def place_of(self, key: tuple[str, str]) -> tuple[Place | None, float]:
        """Where the job's kept figures lie, and when they were written."""
        found = self._sql.execute(
            "SELECT path, offset, length, written FROM jobs WHERE job = ? AND cluster = ?",
            tuple(map(_utf8, key)),
        ).fetchone()
        if found is None or found[0] is None:
            return None, 0.0
        return Place(Path(found[0]), found[1], found[2]), found[3]

    def put(self, rows: Iterable[tuple[JobRow, Place | None, float]]) -> None:
        """Insert or replace jobs, each with the place of its kept figures and their time.

        One that is kept of a later time already stays as it is.
        """
        self._sql.executemany(_UPSERT, map(_values, rows))

    def remove(self, key: tuple[str, str]) -> None:
        """Forget a job."""
        self._sql.execute("DELETE FROM jobs WHERE job = ? AND cluster = ?", key)

    def folders(self, where: str = "1", values: Sequence[Any] = ()) -> list[Folder]:
        """Job directories for which a condition in SQL holds."""
        found = self._sql.execute(f"SELECT * FROM folders WHERE {where}", values)
        return list(map(Folder._make, found))

    def put_folders(self, folders: Iterable[Folder]) -> None:
        """Insert or replace job directories."""
        marks = ", ".join("?" * len(Folder._fields))
        self._sql.executemany(f"INSERT OR REPLACE INTO folders VALUES ({marks})", folders)

    def reopen(self, key: tuple[str, str], start_wall_seconds: float | None) -> None:
        """Look again at the directories of a job that started after they had changed last."""
        self._sql.execute(
            "UPDATE folders SET settled = 0"
            " WHERE job = ? AND cluster = ? AND settled AND changed > 0 AND changed < ?",
            (*key, start_wall_seconds or 0.0),
        )

    def forget_folders(self, paths: Iterable[str]) -> None:
        """They are not there any more."""
        self._sql.executemany("DELETE FROM folders WHERE path = ?", ((path,) for path in paths))

    def note(self, name: str) -> str:
        """A noted value; empty if there is none."""
        found = self._sql.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def put_note(self, name: str, value: object) -> None:
        """Note a value."""
        self._sql.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, str(value)))

    def read_file(self, path: Path) -> tuple[int, str, int]:
        """Bytes read of a figures file or month, its state then, and its damaged lines."""
        found = self._sql.execute(
            "SELECT bytes, state, bad_lines FROM read_files WHERE path = ?", (str(path),)
        ).fetchone()
        return (found[0], found[1], found[2]) if found else (0, "", 0)

    def put_read_file(self, path: Path, size_bytes: int, state: str, bad_lines: int) -> None:
        """Note how far a file was read."""
        self._sql.execute(
            "INSERT OR REPLACE INTO read_files VALUES (?, ?, ?, ?)",
            (str(path), size_bytes, state, bad_lines),
        )

    def part(self, path: Path) -> tuple[int, str]:
        """Bytes of a journal that are accounted for, and their account as JSON."""
        found = self._sql.execute(
            "SELECT bytes, account FROM parts WHERE path = ?", (str(path),)
        ).fetchone()
        return (found[0], found[1]) if found else (0, "")

    def put_part(self, path: Path, size_bytes: int, account: str) -> None:
        """Keep the account of a journal's beginning; empty: forget it."""
        self._sql.execute("DELETE FROM parts WHERE path = ?", (str(path),))
        if account:
            values = (str(path), size_bytes, account)
            self._sql.execute("INSERT INTO parts VALUES (?, ?, ?)", values)

    def clear(self) -> None:
        """Forget all of it."""
        for table in ("jobs", "folders", "read_files", "parts", "notes"):
            self._sql.execute(f"DELETE FROM {table}")

    def count_jobs(self) -> int:
        """How many jobs it holds."""
        return int(self._sql.execute("SELECT count(*) FROM jobs").fetchone()[0])

    def damage(self) -> str:
        """What SQLite's own check finds; empty if all is well."""
        found = self._sql.execute("PRAGMA integrity_check(1)").fetchone()
        return "" if found[0] == "ok" else str(found[0])


def _values(item: tuple[JobRow, Place | None, float]) -> tuple[Any, ...]:
    row, place, written = item
    start = row.start_wall_seconds or row.submit_wall_seconds or row.measured_start_wall_seconds
    lives = row.outcome in (RUNNING, PENDING)
    end = FOR_EVER if lives else row.end_wall_seconds or row.seen_wall_seconds or start or 0.0
    found = (str(place.path), place.offset_bytes, place.length_bytes) if place else (None,) * 3
    own: Iterable[Any] = row
    if not "".join(_texts(row)).isascii():
        own = (_utf8(value) if isinstance(value, str) else value for value in row)
    return (*own, start or 0.0, end, *found, written)


def _utf8(text: str) -> str:
    """With `?` for what is none, such as a byte of another encoding in a job's name."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
