"""Keeps the counters of a fake powercap tree up to date: `python -m … ROOT PARENT_PID`.

It writes in place, because readers keep the file open, and says "ready" after the first round.
It ends with its parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.hardware.power import Step, Timeline, shape_from_text

TICK_SECONDS = 0.005
PR_SET_PDEATHSIG = 1


@dataclass
class Counter:
    """An open energy_uj file and how much is in it."""

    fd: int
    start_uj: int
    max_range_uj: int
    steps: list[Step] = field(default_factory=list)
    written: bytes = b""

    def write(self, time_seconds: float) -> None:
        """Put the counter's value at a time into its file."""
        joules = Timeline(tuple(self.steps)).joules_until(time_seconds)
        value = (self.start_uj + int(joules * 1e6)) % self.max_range_uj
        text = b"%d\n" % value
        surplus = len(self.written) - len(text)
        # One write covers the old digits, so that no reader sees two numbers after a wrap.
        os.pwrite(self.fd, text + b"\n" * surplus, 0)
        if surplus > 0:
            os.ftruncate(self.fd, len(text))
        self.written = text


def open_counters(root: Path) -> list[Counter]:
    """The counters that the tree's plan names."""
    counters: list[Counter] = []
    for line in (root / "powercap.plan").read_text(encoding="utf-8").splitlines():
        word, first, rest = line.split(maxsplit=2)
        if word == "counter":
            limit, zone = rest.split(maxsplit=1)
            path = root / "sys/class/powercap" / zone / "energy_uj"
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            counters.append(Counter(fd, int(first), int(limit), written=os.pread(fd, 64, 0)))
        else:
            counters[-1].steps.append(Step(float(first), shape_from_text(rest)))
    return counters


def run(root: Path, parent_pid: int | None, announce: bool) -> None:
    """Move the counters until the parent is gone, or for ever without a parent."""
    counters = open_counters(root)
    ready = not announce
    while parent_pid is None or os.getppid() == parent_pid:
        for counter in counters:
            counter.write(time.monotonic())
        if not ready:
            print("ready", flush=True)
            ready = True
        time.sleep(TICK_SECONDS)


def main() -> None:
    """The separate process: dies with the parent whose id it was given."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    run(Path(sys.argv[1]), int(sys.argv[2]), announce=True)


if __name__ == "__main__":
    main()
