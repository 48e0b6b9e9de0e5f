"""What the kernel says of processes, of the step's cgroup and of the node's CPUs.

Everything that cannot be read is None.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from jobwatt.sources.files import read_text

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Cumulative use of a set of processes."""

    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None


class StepCgroup:
    """CPU time, memory and I/O of a Slurm step (or any cgroup), version 1 or 2.

    The path comes from `/proc/<pid>/cgroup`, never from the job's id: Slurm 26.05 names the
    folder by SLUID, and several slurmd on a host put the node's name into it.
    """

    def __init__(
        self, proc_text: str, base: Path, level: Callable[[str], str] | None = None
    ) -> None:
        """From the text of `/proc/<pid>/cgroup` and the mount point (`/sys/fs/cgroup`).

        `level`: which part of each path is meant; by default the step's.
        """
        cut = level or step_level
        paths = {name: cut(path).strip("/") for name, path in cgroup_paths(proc_text).items()}
        self.path = "/" + (paths.get("cpuacct") or paths.get("memory") or paths.get("", ""))
        unified = str(base / paths.get("", ""))
        self._v2 = bool(paths.get("")) and read_text(unified + "/cpu.stat") is not None
        if self._v2:
            names = ("cpu.stat", "memory.current", "io.stat")
            self._files = tuple(f"{unified}/{name}" for name in names)
        else:
            self._files = tuple(
                str(base / controller / paths[controller] / name) if paths.get(controller) else ""
                for controller, name in (
                    ("cpuacct", "cpuacct.usage"),
                    ("memory", "memory.usage_in_bytes"),
                    ("blkio", "blkio.throttle.io_service_bytes"),
                )
            )

    @property
    def counts_cpu(self) -> bool:
        """Whether the job's CPU time can be told from the rest of the node."""
        return read_text(self._files[0]) is not None

    def usage(self) -> Usage:
        """One read of each file."""
        cpu, memory, transfers = (read_text(name) for name in self._files)
        if self._v2:
            microseconds = _field(cpu, "usage_usec")
            seconds = None if microseconds is None else microseconds / 1e6
            return Usage(seconds, _integer(memory), *_io_bytes_v2(transfers))
        nanoseconds = _integer(cpu)
        seconds = None if nanoseconds is None else nanoseconds / 1e9
        return Usage(seconds, _integer(memory), *_io_bytes_v1(transfers))


class ProcessTree:
    """CPU time, memory and I/O of a process and its descendants, where no cgroup is the job's."""

    path = ""
    counts_cpu = True

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._highest_cpu_seconds = 0.0

    def usage(self) -> Usage:
        """Sum over the living, plus what parents have collected from their dead children."""
        ticks = resident_pages = 0
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        for pid in descendants(self._pid):
            fields = stat_fields(pid)
            if fields is None:
                continue
            ticks += sum(int(fields[index]) for index in (11, 12, 13, 14))
            resident_pages += int(fields[21])
        # A child that died unseen between two reads must not make the sum go back.
        self._highest_cpu_seconds = max(self._highest_cpu_seconds, ticks / _TICKS_PER_SECOND)
        return Usage(self._highest_cpu_seconds, resident_pages * page_bytes)


def cgroup_paths(text: str) -> dict[str, str]:
    """`/proc/<pid>/cgroup` -> controller -> path; version 2's under the empty name."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(","):
                paths[controller] = parts[2]
    return paths


def step_level(path: str) -> str:
    """`…/step_0/task_0` (v1), `…/step_0/user/task_0` (v2) -> `…/step_0`; others unchanged."""
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part.startswith("step_"):
            return "/".join(parts[: index + 1])
    return path


def job_level(path: str) -> str:
    """`…/job_3/step_0/task_0` -> `…/job_3`; empty where the path names no step."""
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part.startswith("step_"):
            return "/".join(parts[:index])
    return ""


def node_cpu_seconds(proc_stat: str | None) -> tuple[float, float] | None:
    """(busy, total) CPU seconds of all the node's CPUs since boot, from `/proc/stat`'s text.

    Guest time is in user time already (proc(5)); waiting for I/O is idle.
    """
    line = proc_stat.partition("\n")[0].split() if proc_stat else []
    if len(line) < 5 or line[0] != "cpu":
        return None
    ticks = [int(field) for field in line[1:9]]
    idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0)
    return (sum(ticks) - idle) / _TICKS_PER_SECOND, sum(ticks) / _TICKS_PER_SECOND


def stat_fields(pid: int) -> list[str] | None:
    """Fields of `/proc/<pid>/stat` from the state (field 3) on, so index 0 is the state."""
    text = read_text(f"/proc/{pid}/stat")
    return text.rpartition(")")[2].split() if text else None


def start_boot_seconds(pid: int) -> float | None:
    """When a process started, on CLOCK_BOOTTIME."""
    fields = stat_fields(pid)
    return int(fields[19]) / _TICKS_PER_SECOND if fields else None


def children(pid: int) -> list[int]:
    """Direct children, by all threads of the parent."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        text = read_text(f"/proc/{pid}/task/{thread}/children")
        found.extend(int(word) for word in (text or "").split())
    return found


def descendants(pid: int) -> Iterator[int]:
    """The process and all below it."""
    stack = [pid]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(children(current))


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdecimal() else None


def _field(text: str | None, name: str) -> int | None:
    for line in (text or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _integer(value)
    return None


def _io_bytes_v2(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    words = [word.split("=") for word in text.split() if "=" in word]
    read = sum(int(value) for key, value in words if key == "rbytes")
    return read, sum(int(value) for key, value in words if key == "wbytes")


def _io_bytes_v1(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    rows = [line.split() for line in text.splitlines()]
    read = sum(int(row[2]) for row in rows if len(row) == 3 and row[1] == "Read")
    return read, sum(int(row[2]) for row in rows if len(row) == 3 and row[1] == "Write")
