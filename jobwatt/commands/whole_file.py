"""A file that is there whole or not at all, whenever its writer is killed or the disk is full."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jobwatt.errors import JobwattError, UsageError


@contextmanager
def whole_file(name: str) -> Iterator[BinaryIO]:
    """A new file beside `name`, which takes its place when the block ends without an error.

    An existing file keeps its mode; a link stays, and what it points to is replaced. A FIFO or a
    device is written straight away. UsageError: `name` cannot be a file. JobwattError: the disk
    refuses.
    """
    mode = _mode(name)
    try:
        if mode is None or stat.S_ISREG(mode):
            with _replacing(Path(name).resolve(), mode) as file:
                yield file
        else:
            with Path(name).open("wb") as device:
                yield device
    except BrokenPipeError:
        raise
    except OSError as error:
        raise JobwattError(f"{name} cannot be written: {error.strerror or error}") from error


def _mode(name: str) -> int | None:
    """Of what is there; None where there is nothing yet."""
    try:
        mode = Path(name).stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{name} is a directory", "name a file in it")
    return mode


@contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(FileNotFoundError):
        temporary.unlink()  # of a process of the same number that was killed
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
