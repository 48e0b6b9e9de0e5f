"""One journal file at a time: compressed, thinned out, removed; each verified before the old goes.

A new file has the time of change of the one that it stands in for.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from jobwatt.errors import UnreadableError
from jobwatt.history.thin import difference, is_thinned, thinned
from jobwatt.journal.reader import read_journal, read_regular_file, unpacked
from jobwatt.paths import parse_end_name, parse_journal_name

STRAY_SECONDS = 3600.0
"""A temporary file older than this was left by a process that was killed."""
_TEMPORARY = ".part"
_LEVEL = 6


def pack(path: Path) -> bool:
    """`x.jsonl` -> `x.jsonl.gz`, to the byte. False: it is gone already."""
    try:
        text, modified = read_regular_file(path)
    except UnreadableError:
        if not path.exists():
            return False
        raise
    target = path.with_name(path.name + ".gz")
    temporary = _write(target, _deflated(text), modified)
    try:
        if unpacked(read_regular_file(temporary)[0], target.name) != text:
            raise UnreadableError(f"{target.name}: the disk gave back something else than written")
        if path.stat().st_size != len(text):  # its sampler was only asleep
            raise UnreadableError(f"{path.name}: it grew")
        temporary.replace(target)
    except FileNotFoundError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return True


def thin(path: Path) -> bool:
    """`x.jsonl.gz` -> the same with one line a minute. False: it was already, or is gone."""
    try:
        before = read_journal(path)
    except UnreadableError:
        if not path.exists():
            return False
        raise
    if is_thinned(before):
        return False
    temporary = _write(path, _deflated(thinned(before)), before.modified_wall_seconds, ".jsonl.gz")
    try:
        lost = difference(before, read_journal(temporary))
        if lost:
            raise UnreadableError(f"{path.name}: one line a minute would lose something: {lost}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def remove_journals(folder: Path, verified: Collection[Path]) -> int:
    """Remove these journals, packed by now, and their ends; how many of them there were.

    The directory goes with the last of its files: anything else in it stays, and so does it.
    """
    names = {path.name.removesuffix(".gz") for path in verified if path.parent == folder}
    found = [name for name in sorted(os.listdir(folder)) if name.removesuffix(".gz") in names]
    for name in found:
        (folder / name).unlink(missing_ok=True)
    left = os.listdir(folder)
    if not any(map(parse_journal_name, left)):
        for name in left:
            if parse_end_name(name) or name == "watch":
                (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        folder.rmdir()
    return len(found)


def remove_strays(folder: Path) -> None:
    """Remove half-written files that nobody writes any more."""
    for path in folder.glob(f".*{_TEMPORARY}*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STRAY_SECONDS:
                path.unlink()


def size_bytes(folder: Path) -> int:
    """Size of the files in a directory; 0 where there is none."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0


def _deflated(text: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, wbits=31)  # gzip
    return deflate.compress(text) + deflate.flush()


def _write(target: Path, data: bytes, modified_wall_seconds: float, suffix: str = "") -> Path:
    """A hidden file beside the target, on disk when this returns."""
    writer = f"{os.getpid()}.{os.uname().nodename[:60]}"  # two hosts may be at it
    name = f".{crc32(target.name.encode()):08x}.{writer}{_TEMPORARY}{suffix}"
    temporary = target.with_name(name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.utime(temporary, (modified_wall_seconds, modified_wall_seconds))
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
