"""Standard output and error of the program, as all of its commands find them.

Each command writes by `print` and the like. What the system then refuses is one error with its
reason, said once: a full disk is no bug of a command, and a reader who has gone is no error.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from jobwatt.errors import JobwattError


class ReaderGoneError(Exception):
    """Who reads our standard output has closed it."""


class _File(io.FileIO):
    """A descriptor that gets nothing more once it has refused: nothing is tried again at exit."""

    def __init__(self, descriptor: int, is_result: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._is_result = is_result
        self._refused = False

    def write(self, data: Any, /) -> int:
        """ReaderGoneError, JobwattError: a result is lost. What is said beside it may be."""
        if not self._refused:
            try:
                return super().write(data)
            except OSError as error:
                self._refused = True
                if self._is_result:
                    raise output_error(error) from error
        return memoryview(data).nbytes


def output_error(error: OSError) -> Exception:
    """What a command ends with that cannot write its result."""
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError()
    return JobwattError(f"standard output cannot be written: {error.strerror or error}")


def open_streams() -> None:
    """Put them in place. One that is closed is as /dev/null, and stays closed for commands that
    are started here; a letter that a terminal lacks shows as `?`."""
    _occupy_closed()
    sys.stdout = _stream(sys.stdout, 1)
    sys.stderr = _stream(sys.stderr, 2)


def _occupy_closed() -> None:
    """No file that is opened later gets the number of a stream."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        if descriptor > 2:
            os.close(descriptor)
            return


def _stream(stream: Any, descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_File(descriptor, is_result=descriptor == 1)),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors="replace",
        line_buffering=descriptor == 2 or bool(getattr(stream, "line_buffering", False)),
    )
