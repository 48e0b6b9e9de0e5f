"""The sampler of `jobwatt attach`: a running job on this node, from a step of our own in it.

It ends with the job, and at once: Slurm waits for it. The batch script's end is seen here before
Slurm tells; else SIGTERM tells, which the job may outlive for a while. When stdin ends (Ctrl-C at
`jobwatt attach`, or that is gone), the measurement ends and the job goes on.
On stdout a line each for the start and the end: `jobwatt start NODE`, `jobwatt end NODE WHY`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from jobwatt.config import load
from jobwatt.sampler.job import Job
from jobwatt.sampler.session import become_unobtrusive, claim, measure, open_meters
from jobwatt.sampler.tasks import GONE, RUNNING
from jobwatt.slurm.env import step_identity
from jobwatt.sources.files import read_text

REQUEST = "JOBWATT_ATTACH"
"""Environment variable with what only the command knows, as JSON."""
DETACHED = "detached"
LOOK_SECONDS = 0.05
"""Time between two looks at whether a job that was told to end has ended on this node."""
_STDIN, _STDOUT = 0, 1


def measure_job(het_group: str, environ: dict[str, str]) -> None:
    """Sample the job of this step on this node until it ends, or stdin does.

    `het_group`: which component of a het job, whose environment does not tell; else `0`.
    """
    request = json.loads(environ.pop(REQUEST))
    settings = load(environ)
    seen = step_identity(environ, os.uname().nodename)
    if seen is None or seen.local_rank != 0:  # such tasks are there for their GPUs alone
        return
    component = f"+{het_group}" if het_group != "0" else ""
    identity = seen._replace(
        step=request["step"] + component,
        restart=request["restart"],
        cluster=request["cluster"],
    )
    become_unobtrusive()
    lock = claim(identity._replace(step="attach" + component), [])
    if lock is None:
        say(f"busy {identity.node}")
        return
    job = Job(read_text("/proc/self/cgroup") or "", Path("/sys/fs/cgroup"))
    watch = JobWatch(job, lambda why: say(f"end {identity.node} {why}"))
    meters = open_meters(settings, environ, identity)
    say(f"start {identity.node}")
    details: Mapping[str, str] = request["details"]
    # No process' start: what is measured begins with the first reading.
    measure(settings, identity, meters, watch, job.usage, details, 0, "attach")


def say(words: str) -> None:
    """A line for `jobwatt attach`, if it is still there."""
    try:
        os.write(_STDOUT, f"jobwatt {words}\n".encode())
    except OSError:
        pass


class JobWatch:
    """Waits for the end of the job on this node, or of the wish to measure it.

    `tell` gets the reason at once, before the last reading.
    """

    def __init__(self, job: Job, tell: Callable[[str], None], stdin: int = _STDIN) -> None:
        self._job = job
        self._tell = tell
        self._stdin = stdin
        self._told_to_end = False
        self._poll = select.poll()
        self._poll.register(stdin, select.POLLIN)
        self._signals = _signal_pipe()
        self._poll.register(self._signals, select.POLLIN)
        for leader in job.leaders():
            try:
                self._poll.register(os.pidfd_open(leader), select.POLLIN)
            except OSError:
                pass

    def wait(self, seconds: float) -> str:
        """Sleep for this long, or less if it is over: `running`, `gone` or `detached`."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            pause = min(left, LOOK_SECONDS) if self._told_to_end else left
            for descriptor, _ in self._poll.poll(pause * 1000):
                if descriptor == self._signals:
                    os.read(descriptor, 4096)
                    self._told_to_end = True
                elif descriptor != self._stdin:
                    return self._over(GONE)
                elif not os.read(descriptor, 4096):
                    return self._over(DETACHED)
            if self._told_to_end and not self._job.processes():
                return self._over(GONE)
            if time.monotonic() >= deadline:
                self._job.look()
                return RUNNING

    def _over(self, why: str) -> str:
        self._tell(why)
        return why


def _signal_pipe() -> int:
    """A descriptor that is readable after SIGTERM."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    return reader
