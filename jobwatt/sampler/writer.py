"""Journal lines to disk, apart from the sampling: a slow filesystem never stalls a tick.

A thread opens, appends by one write, closes and ends: nothing is left to flush when the process is
killed, a network filesystem shows the line to other hosts, and a sampler that leaves in the last
millisecond of a step has no second thread to wait for. While the disk is full, read-only or hangs,
lines wait in memory, up to a bound; then the oldest go, counted. `_thread`, because a thread lives
for one write: `threading` would spend three times as long on starting it.
"""

from __future__ import annotations

import _thread
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MAX_WAITING_LINES = 720
"""Two hours of spans of 10 s: about 400 kB at 8 GPUs."""
RETRY_SECONDS = 2.0


class Place(NamedTuple):
    """A file that a journal may go to, below a root that `must_own` wants to be the user's."""

    root: Path
    path: Path
    must_own: bool = False


class Writer:
    """Appends lines to the first of `places` that takes them. `put` never blocks."""

    def __init__(self, places: list[Place], is_watched: Callable[[Path], bool]) -> None:
        self.dropped_lines = 0
        self.watched = False
        self._places = places
        self._is_watched = is_watched
        self._waiting: deque[bytes] = deque()
        self._in_flight = b""
        self._begun = False
        self._path: Path | None = None
        self._lock = _thread.allocate_lock()  # never held during I/O
        self._busy = False

    def start(self, head: bytes) -> None:
        """The head is always the first line, however long the disk refuses."""
        with self._lock:
            self._in_flight = head
            self._begin()

    def put(self, line: bytes) -> None:
        """Hand a line over; drops the oldest one beyond the bound."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING_LINES:
                self._waiting.popleft()
                self.dropped_lines += 1
            self._waiting.append(line)
            self._begin()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait, at most this long, until all is written. False if it is not."""
        deadline = time.monotonic() + timeout_seconds
        while self._in_flight or self._waiting:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        return True

    def _begin(self) -> None:
        """A thread for what is there, unless one is at it (or hangs). The lock is held."""
        if not self._busy:
            self._busy = True
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:  # the user's limit of processes: the next line tries again
                self._busy = False

    def _run(self) -> None:
        while self._take():
            if not self._write() and not self._turned_elsewhere():
                time.sleep(RETRY_SECONDS)
        if self._path is not None:
            self.watched = self._is_watched(self._path.parent)

    def _take(self) -> bool:
        """Move the waiting lines behind what is in flight, if that is all gone. False: done."""
        with self._lock:
            if not self._in_flight and self._waiting:
                self._in_flight = b"".join(self._waiting)
                self._waiting.clear()
            self._busy = bool(self._in_flight)
            return self._busy

    def _write(self) -> bool:
        """One attempt. What a short write left over goes first the next time."""
        try:
            if self._path is None:
                self._path = _create(self._places[0])
            flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._path, flags)
            try:
                written = os.write(descriptor, self._in_flight)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        self._begun = True
        self._in_flight = self._in_flight[written:]
        return not self._in_flight

    def _turned_elsewhere(self) -> bool:
        """A place that refuses its first byte is left for the next one, its empty file removed."""
        if self._begun or len(self._places) < 2:
            return False
        if self._path is not None:
            try:
                os.unlink(self._path)  # noqa: PTH108
            except OSError:
                pass
        self._places = self._places[1:]
        self._path = None
        return True


def _create(place: Place) -> Path:
    """A new file of our own; a name that is taken (a requeue) gets a number."""
    path = place.path
    path.parent.mkdir(parents=True, exist_ok=True)  # private: the sampler's umask is 077
    if place.must_own and os.lstat(place.root).st_uid != os.getuid():
        raise PermissionError(place.root)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    for number in range(1000):
        stem, _, rank = path.stem.rpartition(".")
        candidate = path.with_name(f"{stem}+{number}.{rank}.jsonl") if number else path
        try:
            os.close(os.open(candidate, flags, 0o600))
        except FileExistsError:
            continue
        return candidate
    raise FileExistsError(path)
