"""Small reads of `/sys` and `/proc`, in which a failed read is None and never an exception."""

from __future__ import annotations

import os
from pathlib import Path


def read_text(path: Path | str) -> str | None:
    """The file's text without the white space around it; None if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(descriptor, 65536).decode(errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def read_number(path: Path | str) -> float | None:
    """The first word of the file as a number; None if there is none."""
    return first_number(read_text(path))


def first_number(text: str | None) -> float | None:
    """The first word as a number (`2451 W 1612345678 us` is 2451); None if it is not one."""
    try:
        return float(text.split(None, 1)[0]) if text else None
    except (ValueError, IndexError):
        return None


def is_there(path: Path | str) -> bool:
    """Whether the path leads anywhere; False also where a folder on the way is closed to us."""
    return os.access(path, os.F_OK)


def open_to_read(path: Path | str) -> int:
    """A descriptor for `pread_text`. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def pread_text(descriptor: int) -> str | None:
    """A sysfs attribute read afresh from its start: no open, no close, one system call."""
    try:
        return os.pread(descriptor, 128, 0).decode(errors="replace")
    except OSError:
        return None


def close_all(descriptors: list[int]) -> None:
    """Close each and empty the list, so that a second call does nothing."""
    while descriptors:
        try:
            os.close(descriptors.pop())
        except OSError:
            pass
