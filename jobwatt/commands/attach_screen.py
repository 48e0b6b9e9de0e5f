"""What `jobwatt attach` says on stderr while it lasts, and the signals that end it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jobwatt.errors import JobwattError
from jobwatt.journal.store import StepFiles, account_of_job
from jobwatt.views.live_line import LiveLine

REFRESH_SECONDS = 2.0
MAX_REFRESH_FRACTION = 0.05
"""Part of a CPU that the live line may cost."""


class Screen:
    """Lines that stay, and on a terminal one that lives."""

    def __init__(
        self, shown: str, files: Callable[[], Sequence[StepFiles]], is_quiet: bool
    ) -> None:
        """`shown`: the job's id, `files`: the journals so far."""
        self.due = float("inf")
        """When `refresh` wants to be called, on the monotonic clock."""
        self._shown = shown
        self._files = files
        self._line = LiveLine(shown)
        self._is_live = (
            not is_quiet and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        )
        self._is_announced = False

    def announce(self, nodes: int) -> None:
        """Once: that it measures, and how to stop."""
        if self._is_announced:
            return
        self._is_announced = True
        where = "1 node" if nodes == 1 else f"{nodes} nodes"
        self.say(f"measuring job {self._shown} on {where}; Ctrl-C ends this, not the job")
        if self._is_live:
            self.due = time.monotonic() + REFRESH_SECONDS

    def refresh(self) -> None:
        """Draw the live line when it is due."""
        began = time.monotonic()
        if began < self.due:
            return
        try:
            files = self._files()
            if files:
                write([f"\r{self._line.text(account_of_job(files))}\x1b[K"], end="")
        except JobwattError:
            pass
        now = time.monotonic()
        self.due = now + max(REFRESH_SECONDS, (now - began) / MAX_REFRESH_FRACTION)

    def say(self, words: str) -> None:
        """A line that stays."""
        self.clear()
        write([f"jobwatt: {words}"])

    def clear(self) -> None:
        """Take the live line away."""
        if self._is_live:
            write(["\r\x1b[K"], end="")


def write(lines: Sequence[str], end: str = "\n") -> None:
    """On stderr, if that is still there: the terminal may be gone."""
    try:
        sys.stderr.write("".join(line + end for line in lines))
        sys.stderr.flush()
    except OSError:
        pass


@contextmanager
def interrupts() -> Iterator[socket.socket]:
    """A socket that is readable after SIGINT, SIGTERM or SIGHUP, which do nothing else.

    One that is ignored (nohup) stays ignored.
    """
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    before = {}
    old_descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, lambda number, frame: None)
    try:
        yield reader
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_descriptor)
        reader.close()
        writer.close()
