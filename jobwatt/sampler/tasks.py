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
    parent (slurmstepd, the parent of all tasks) before the node is called done.
    False: one command of our own, which nobody else waits for.
    `device_files`: closing one of these starts a look. A dying process lets go of its GPU files
    before the driver's slow clean-up.
    """

    def __init__(self, pid: int, siblings: bool, device_files: Sequence[str] = ()) -> None:
        self._siblings = siblings
        self._pidfd = self._statm = -1
        fields = stat_fields(pid)
        self._parent = int(fields[1]) if fields else 0
        self._poll = select.poll()
        self._closings = closings(device_files) if siblings else -1
        if self._closings >= 0:
            self._poll.register(self._closings, select.POLLIN)
        self._watch(pid)

    def wait(self, seconds: float) -> str:
        """Sleep for this long, or less if the last task ends: `running`, `dying` or `gone`."""
        deadline = time.monotonic() + seconds
        pause = self._pause()
        while True:
            if self._pidfd < 0:
                return GONE
            left = max(0.0, deadline - time.monotonic())
            ready = dict(self._poll.poll(min(left, pause) * 1000))
            if self._closings in ready:
                os.read(self._closings, 65536)
            state = GONE if self._pidfd in ready else self._look()
            if state != RUNNING and not self._next():
                return state
            if state == RUNNING and left <= pause and not ready:
                return RUNNING

    def _pause(self) -> float:
        """Longest sleep that cannot miss the death of a task of this size."""
        try:
            pages = int(os.pread(self._statm, 64, 0).split()[1]) if self._statm >= 0 else 0
        except (OSError, IndexError, ValueError):
            pages = 0
        resident_bytes = pages * os.sysconf("SC_PAGE_SIZE")
        if resident_bytes < HEAVY_BYTES:
            return 3600.0
        return max(LOOK_SECONDS, resident_bytes / TEARDOWN_BYTES_PER_SECOND / 2)

    def _look(self) -> str:
        if self._statm < 0:
            return RUNNING
        try:
            return DYING if os.pread(self._statm, 4, 0) == b"0 0 " else RUNNING
        except OSError:
            return GONE

    def _next(self) -> bool:
        """Turn to another task of the step that lives, if there is one."""
        if not self._siblings or self._parent <= 1:
            return False
        own_session = os.getsid(0)
        for pid in children(self._parent):
            try:
                ours = os.stat(f"/proc/{pid}").st_uid == os.getuid() and os.getsid(pid)
            except OSError:
                continue
            if ours and ours != own_session and self._watch(pid):
                return True
        return False

    def _watch(self, pid: int) -> bool:
        self.close()
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            return False
        self._poll.register(self._pidfd, select.POLLIN)
        if self._siblings:
            try:
                self._statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                pass
        if self._look() != RUNNING or self._poll.poll(0):
            self.close()
            return False
        return True

    def close(self) -> None:
        """Stop watching."""
        for descriptor in (self._pidfd, self._statm):
            if descriptor >= 0:
                if descriptor == self._pidfd:
                    self._poll.unregister(descriptor)
                os.close(descriptor)
        self._pidfd = self._statm = -1


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
