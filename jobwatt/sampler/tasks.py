"""Watching the node's tasks, to leave before Slurm counts who is left.

A process of the step that is still alive when the last task has ended costs the step a whole
second (slurmstepd kills, then sleeps 1 s). Two signs are watched: a pidfd, readable once the task
is dead, and `/proc/<pid>/statm`, all zeros once the task has begun to die (its address space is
gone): a process that holds much memory or a GPU needs 50 ms and more between the two.
A look costs a wake-up (50 us and more), so only heavy tasks are looked at between ticks, and tasks
with a GPU when a GPU's device file is closed.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections.abc import Sequence

from jobwatt.sampler.proc import children, stat_fields

RUNNING = "running"
DYING = "dying"
GONE = "gone"

LOOK_SECONDS = 0.04
"""Shortest time between two looks at a task: less than the 50 ms worth waiting for."""
HEAVY_BYTES = 512 << 20
"""From this resident size on, giving the memory back takes long enough to be seen."""
TEARDOWN_BYTES_PER_SECOND = 16e9
"""Pages are freed at about this rate (4 kB pages, 60 ms a gigabyte)."""
_IN_CLOSE = 0x18  # IN_CLOSE_WRITE | IN_CLOSE_NOWRITE, inotify(7)


class Tasks:
    """The tasks of this step on this node, of which `pid` is the first.

    `siblings`: a Slurm step. Dying tasks are looked for, and the other children of the task's
    parent (slurmstepd, the parent of all tasks) are tasks too.
    False: one command of our own, which nobody else waits for.
    `device_files`: closing one of these starts a look. A dying process lets go of its GPU files
    before the driver's slow clean-up.
    """

    def __init__(self, pid: int, siblings: bool, device_files: Sequence[str] = ()) -> None:
        self._poll = select.poll()
        self._alive: dict[int, int] = {}  # pidfd -> descriptor of statm, or -1
        self._looks = siblings
        self._closings = closings(device_files) if siblings else -1
        if self._closings >= 0:
            self._poll.register(self._closings, select.POLLIN)
        fields = stat_fields(pid)
        self._add(pid)
        # All tasks of the node are forked before the first one's prolog runs, so they are found
        # now: nothing is left to look up at the end, when microseconds count.
        if siblings and fields and int(fields[1]) > 1:
            for other in children(int(fields[1])):
                if other not in (pid, os.getpid()) and _is_ours(other):
                    self._add(other)

    def wait(self, seconds: float) -> str:
        """Sleep for this long, or less if the last task ends: `running`, `dying` or `gone`."""
        deadline = time.monotonic() + seconds
        pause = self._pause()
        while self._alive:
            left = max(0.0, deadline - time.monotonic())
            ready = self._poll.poll(min(left, pause) * 1000)
            for descriptor, _ in ready:
                if descriptor in self._alive:
                    self._drop(descriptor)
                elif descriptor == self._closings:
                    os.read(self._closings, 65536)
            if not self._alive:
                break
            if self._looks and all(map(_is_dying, self._alive.values())):
                return DYING
            if left <= pause and not ready:
                return RUNNING
        return GONE

    def _pause(self) -> float:
        """Longest sleep that cannot miss the death of the smallest of these tasks."""
        sizes = [_resident_bytes(statm) for statm in self._alive.values() if statm >= 0]
        smallest = min(sizes, default=0)
        if smallest < HEAVY_BYTES:
            return 3600.0
        return max(LOOK_SECONDS, smallest / TEARDOWN_BYTES_PER_SECOND / 2)

    def _add(self, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return
        statm = -1
        if self._looks:
            try:
                statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                pass
        self._alive[pidfd] = statm
        self._poll.register(pidfd, select.POLLIN)

    def _drop(self, pidfd: int) -> None:
        # Not closed: a system call more, at the moment when there is no time for it.
        del self._alive[pidfd]
        self._poll.unregister(pidfd)


def _is_ours(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def _is_dying(statm: int) -> bool:
    """Whether a task's address space is gone."""
    try:
        return statm >= 0 and os.pread(statm, 4, 0) == b"0 0 "
    except OSError:  # no such process any more
        return True


def _resident_bytes(statm: int) -> int:
    try:
        return int(os.pread(statm, 64, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def closings(paths: Sequence[str]) -> int:
    """An inotify descriptor that is readable after one of the files was closed; -1 if none."""
    present = [path for path in paths if os.path.exists(path)]  # noqa: PTH110
    if not present:
        return -1
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    for path in present if descriptor >= 0 else ():
        libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_CLOSE)
    return descriptor
