"""Watching the node's tasks, to leave before Slurm counts who is left.

A process of the step that is still alive when the last task has ended costs the step a whole
second (slurmstepd kills, then sleeps 1 s). Two signs are watched: a pidfd, readable once the task
is dead, and `/proc/<pid>/statm`, all zeros once the task has begun to die (its address space is
gone): a process that holds a GPU needs 100 ms or more between the two.
"""

from __future__ import annotations

import os
import select
import time

from jobwatt.sampler.proc import children, stat_fields

RUNNING = "running"
DYING = "dying"
GONE = "gone"

LOOK_SECONDS = 0.04
"""How often a dying task is looked for: below the 50 ms that a task with a device needs to die."""


class Tasks:
    """The tasks of this step on this node, of which `pid` is the first.

    `siblings`: a Slurm step. Dying tasks are looked for, and the other children of the task's
    parent (slurmstepd, the parent of all tasks) before the node is called done.
    False: one command of our own, which nobody else waits for.
    """

    def __init__(self, pid: int, siblings: bool) -> None:
        self._siblings = siblings
        self._pidfd = self._statm = -1
        fields = stat_fields(pid)
        self._parent = int(fields[1]) if fields else 0
        self._poll = select.poll()
        self._watch(pid)

    def wait(self, seconds: float) -> str:
        """Sleep for this long, or less if the last task ends: `running`, `dying` or `gone`."""
        deadline = time.monotonic() + seconds
        while True:
            if self._pidfd < 0:
                return GONE
            left = max(0.0, deadline - time.monotonic())
            pause = min(left, LOOK_SECONDS) if self._siblings else left
            state = GONE if self._poll.poll(pause * 1000) else self._look()
            if state != RUNNING and not self._next():
                return state
            if state == RUNNING and left <= pause:
                return RUNNING

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
