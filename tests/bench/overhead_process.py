"""What processes use, from /proc and their CPU clocks. Linux."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_CPUCLOCK_SCHED = 2


class Usage(NamedTuple):
    """What some processes have used so far, and hold now."""

    cpu_seconds: float
    rss_bytes: int
    pss_bytes: int


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with its threads, the ended ones too, to the nanosecond.

    This is the clock that clock_getcpuclockid(3) names. It is the sum of the first number of
    /proc/PID/task/*/schedstat, which loses threads that have ended.
    """
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def ended_children_seconds(pid: int) -> float:
    """CPU time of the children that have ended, to the clock tick of 10 ms (proc(5): stat)."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _rollup(pid: int) -> dict[str, int]:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    words = (line.split() for line in lines)
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, _ in words}


def usage(pids: Iterable[int]) -> Usage:
    """The sum of some processes. Raises OSError if one has ended."""
    total = Usage(0.0, 0, 0)
    for pid in pids:
        seconds = cpu_seconds(pid) + ended_children_seconds(pid)
        memory = _rollup(pid)
        total = Usage(
            total.cpu_seconds + seconds,
            total.rss_bytes + memory["Rss"],
            total.pss_bytes + memory["Pss"],
        )
    return total


def parents() -> dict[int, int]:
    """Every process and its parent."""
    found = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return found


def tree(root: int) -> tuple[int, ...]:
    """A process and its descendants."""
    family = parents()
    found = [root]
    for pid in found:
        found += [child for child, parent in family.items() if parent == pid]
    return tuple(found)


def matching(words: Iterable[bytes], variable: bytes) -> tuple[int, ...]:
    """Processes with all these in their command lines and NAME=VALUE in their environment."""
    wanted = tuple(words)
    found = []
    for path in PROC.glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
            environ = (path.parent / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if all(word in command for word in wanted) and variable in environ:
            found.append(int(path.parent.name))
    return tuple(found)


def maps_nvml(pids: Iterable[int]) -> bool:
    """Whether one of the processes has loaded an NVML."""
    return any("libnvidia-ml" in (PROC / str(pid) / "maps").read_text() for pid in pids)
