"""The figures of ended jobs, kept for ever: append-only lines, one file per month and host.

    history/<YYYY-MM>.<host>.jsonl

Each line is a job, a JSON object: its row, and its account with those of its steps, which only
`show` and `export` need, as a compressed text. A later line of the same job stands in for an
earlier one. One host writes a file, so that no lock on a shared filesystem is needed; two hosts may
both write a job's line, which is then there twice with the same content.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from jobwatt.energy.merge import METERED
from jobwatt.errors import UnreadableError
from jobwatt.history.codec import plain, restore
from jobwatt.history.rows import MAX_WALL_SECONDS, JobRow
from jobwatt.model import Account
from jobwatt.paths import safe_component

VERSION = 1
SUFFIX = ".jsonl"
MAX_LINE_BYTES = 64 << 20
MAX_ACCOUNTS_BYTES = 512 << 20
_WALL_FIELDS = tuple(name for name in JobRow._fields if name.endswith("_wall_seconds"))
_COMPACT = (",", ":")
_CHUNK_BYTES = 1 << 20


class Place(NamedTuple):
    """Where a job's line lies."""

    path: Path
    offset_bytes: int
    length_bytes: int


class Entry(NamedTuple):
    """A line's row, and when it was written (Unix seconds)."""

    row: JobRow
    written_wall_seconds: float
    place: Place


class Kept(NamedTuple):
    """All that a line holds."""

    row: JobRow
    account: Account
    steps: tuple[Account, ...]
    """Of the job's steps; empty where the job has only one."""


class Scan:
    """The good lines of a file from `offset_bytes` on; then what was bad, and where it ended."""

    def __init__(self, path: Path, offset_bytes: int = 0) -> None:
        self.path = path
        self.bad_lines = 0
        self.next_bytes = offset_bytes

    def __iter__(self) -> Iterator[Entry]:
        """UnreadableError: the file cannot be read. An unfinished last line waits."""
        for offset, line in self._lines():
            try:
                data = json.loads(line)
                entry = _entry(data, Place(self.path, offset, len(line)))
            except (ValueError, RecursionError, AttributeError):
                self.bad_lines += 1
            else:
                yield entry

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            opened = open_regular(self.path, _CHUNK_BYTES)
        except OSError as error:
            raise UnreadableError(f"{self.path.name}: {error.strerror}") from error
        with opened as file:
            file.seek(self.next_bytes)
            while line := file.readline(MAX_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
                    return
                offset, self.next_bytes = self.next_bytes, self.next_bytes + len(line)
                if line.strip():
                    yield offset, line


def open_regular(path: Path, buffer_bytes: int = -1) -> BinaryIO:
    """OSError: it cannot be, or is a link, a pipe or the like."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file")
    return os.fdopen(descriptor, "rb", buffer_bytes)


def figures_files(root: Path) -> list[Path]:
    """The files below a journal directory, the oldest month first."""
    try:
        names = sorted(os.listdir(root / "history"))
    except OSError:
        return []
    return [root / "history" / name for name in names if name.endswith(SUFFIX) and name.isascii()]


def figures_path(root: Path, month: str, host: str) -> Path:
    """The file that this host appends to."""
    return root / "history" / f"{safe_component(month)}.{safe_component(host)}{SUFFIX}"


def keep(
    path: Path, row: JobRow, account: Account, steps: Sequence[Account], wall_seconds: float
) -> Entry:
    """Append a job's line, on disk when this returns, and read it back.

    OSError: the disk refuses. UnreadableError: what was read back is not what was written.
    """
    kept = Kept(row, account, tuple(steps) if len(steps) > 1 else ())
    written = round(wall_seconds, 3)
    try:
        line = encoded(kept, written)
        _decoded(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"figures that no line can hold: {error}") from error
    place = _append(path, line)
    if load(place) != kept:
        raise UnreadableError(f"{path.name}: the disk gave back something else than was written")
    return Entry(row, written, place)


def encoded(kept: Kept, written_wall_seconds: float) -> bytes:
    """A whole line."""
    accounts = {"account": plain(kept.account), "steps": [plain(step) for step in kept.steps]}
    packed = zlib.compress(json.dumps(accounts, separators=_COMPACT, allow_nan=False).encode())
    data = {
        "jobwatt": VERSION,
        "written": written_wall_seconds,
        "row": plain(kept.row),
        "accounts": base64.b64encode(packed).decode(),
    }
    return json.dumps(data, separators=_COMPACT, allow_nan=False).encode() + b"\n"


def load(place: Place, key: tuple[str, str] | None = None) -> Kept:
    """The whole line. UnreadableError: it is not there any more, damaged, or of another job."""
    try:
        with open_regular(place.path) as file:
            file.seek(place.offset_bytes)
            kept = _decoded(json.loads(file.read(place.length_bytes)))
        if key is not None and kept.row.key != key:
            raise ValueError("another job")
        return kept
    except OSError as error:
        raise UnreadableError(f"{place.path.name}: {error.strerror}") from error
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError, zlib.error) as error:
        raise UnreadableError(f"{place.path.name}: a damaged line") from error


def _decoded(data: Any) -> Kept:
    """ValueError and the like: no good line."""
    row = _entry(data, Place(Path(), 0, 0)).row
    accounts = json.loads(_inflated(data["accounts"]))
    steps = tuple(restore(Account, step) for step in accounts["steps"])
    return Kept(row, restore(Account, accounts["account"]), steps)


def _inflated(text: str) -> bytes:
    """ValueError or zlib.error: damaged, or larger than any job's accounts."""
    inflate = zlib.decompressobj()
    accounts = inflate.decompress(base64.b64decode(text, validate=True), MAX_ACCOUNTS_BYTES)
    if not inflate.eof:
        raise ValueError("cut off")
    return accounts


def _entry(data: Any, place: Place) -> Entry:
    if data.get("jobwatt") != VERSION:
        raise ValueError("another version")
    written = data.get("written")
    if type(written) not in (int, float) or not 0 <= written < MAX_WALL_SECONDS:
        raise ValueError("no time")
    row = restore(JobRow, data.get("row"))
    if not all(0 <= (getattr(row, name) or 0.0) < MAX_WALL_SECONDS for name in _WALL_FIELDS):
        raise ValueError("no time that a calendar has")
    if row.metered_kind not in ("", *METERED):
        raise ValueError("no kind of energy")
    if not (row.job + row.cluster).isascii():
        raise ValueError("no id")
    return Entry(row, float(written), place)


def _append(path: Path, line: bytes) -> Place:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # what a killed writer or a full disk left unfinished ends here
        written = os.write(descriptor, line)
        os.fsync(descriptor)
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)
    if written < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    line = line.removeprefix(b"\n")
    return Place(path, end - len(line), len(line))
