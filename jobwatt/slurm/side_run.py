"""Runs the sruns of a side step: starts them, listens to their samplers, ends them.

Each srun has a session of its own, so that no key of the terminal reaches it. Its samplers end
when its standard input does, which srun passes on to every node at once; so they do when this
process dies, however it does.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence

from jobwatt.slurm.side_step import SideStep

FINISH_SECONDS = 10.0
"""Time for the last readings of all nodes; then srun is killed."""
KILL_SECONDS = 5.0
_EXIT_SECONDS = 0.02
"""Between two looks at a srun that has closed its output and is about to end."""
_MAX_SAID_BYTES = 1 << 16


class _Srun:
    """One side step's present srun: the first that Slurm takes, in the order of `task_options`."""

    def __init__(self, step: SideStep) -> None:
        self.step = step
        self.attempt = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = self.ends = 0
        self.said = b""
        self.stdout = b""


class SideRun:
    """All sruns of one measurement."""

    def __init__(
        self, steps: Sequence[SideStep], program: Sequence[str], environ: Mapping[str, str]
    ) -> None:
        """Start `program HET_GROUP` by each. OSError: srun cannot be started."""
        self.is_busy = False
        """Another measurement of the same job is under way."""
        self.broken = ""
        """What srun said where samplers were gone without a word; the job was killed, or they."""
        self.problems: list[str] = []
        """A line for what is not measured as it should be."""
        self._program = program
        self._environ = environ
        self._selector = selectors.DefaultSelector()
        self._sruns = [_Srun(step) for step in steps]
        self._is_detaching = False
        self._deadline = float("inf")
        for srun in self._sruns:
            self._start(srun)

    @property
    def is_alive(self) -> bool:
        """Whether a srun is still there."""
        return any(srun.process is not None for srun in self._sruns)

    @property
    def is_detaching(self) -> bool:
        """Whether the end has begun."""
        return self._is_detaching

    @property
    def starts(self) -> int:
        """Nodes on which a sampler has started."""
        return sum(srun.starts for srun in self._sruns)

    @property
    def nodes(self) -> int:
        """Nodes on which one may be expected."""
        return sum(s.step.nodes for s in self._sruns if s.starts or s.process is not None)

    def watch(self, descriptor: int) -> None:
        """End `wait` when this descriptor is readable, too."""
        self._selector.register(descriptor, selectors.EVENT_READ, None)

    def wait(self, seconds: float) -> bool:
        """Handle what comes in, at most for this long. True: the watched descriptor is ready."""
        left = max(0.0, min(seconds, self._deadline - time.monotonic()))
        if any(s.process is not None and not self._has_more(s.process) for s in self._sruns):
            left = min(left, _EXIT_SECONDS)
        is_ready = False
        for key, _ in self._selector.select(left):
            if key.data is None:
                is_ready = True
                continue
            srun, name = key.data
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            elif name == "stderr":
                srun.said = (srun.said + data)[-_MAX_SAID_BYTES:]
            else:
                self._listen(srun, data)
        for srun in self._sruns:
            self._reap(srun)
        if time.monotonic() >= self._deadline:
            self._kill()
        return is_ready

    def detach(self) -> None:
        """Let all samplers take a last reading and leave."""
        if self._is_detaching:
            return
        self._is_detaching = True
        self._deadline = time.monotonic() + FINISH_SECONDS
        for srun in self._sruns:
            if srun.process is not None and srun.process.stdin is not None:
                srun.process.stdin.close()

    def abandon(self) -> None:
        """End them now."""
        self.detach()
        self._deadline = time.monotonic()

    def _start(self, srun: _Srun) -> None:
        srun.said = srun.stdout = b""
        task_options = srun.step.task_options[srun.attempt]
        srun.process = process = subprocess.Popen(
            ["srun", *srun.step.options, *task_options, *self._program, srun.step.het_group or "0"],
            env=dict(self._environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, (srun, "stdout"))
        self._selector.register(process.stderr, selectors.EVENT_READ, (srun, "stderr"))

    def _listen(self, srun: _Srun, data: bytes) -> None:
        *lines, srun.stdout = (srun.stdout + data)[-_MAX_SAID_BYTES:].split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").split()
            if words[:1] != ["jobwatt"] or len(words) < 2:
                continue
            if words[1] == "start":
                srun.starts += 1
            elif words[1] == "busy":
                self.is_busy = True
                self.detach()
            elif words[1] == "end":
                srun.ends += 1
                self.detach()  # a job that has ended on one node ends on all

    def _reap(self, srun: _Srun) -> None:
        process = srun.process
        if process is None or process.poll() is None or self._has_more(process):
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        srun.process = None
        said = last_word(srun.said)
        if srun.starts > srun.ends and not self._is_detaching:
            self.broken = said
        if srun.starts or self._is_detaching:
            return
        srun.attempt += 1
        if srun.attempt < len(srun.step.task_options):
            self._start(srun)
            if srun.attempt == 1:
                self.problems.append(f"GPUs may be missing, since srun said: {said}")
        else:
            self.problems.append(said)

    def _has_more(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether something that it wrote is still unread."""
        known = self._selector.get_map()
        return any(pipe in known for pipe in (process.stdout, process.stderr))

    def _kill(self) -> None:
        for srun in self._sruns:
            if srun.process is not None:
                srun.process.kill()
        self._deadline = time.monotonic() + KILL_SECONDS


def last_word(said: bytes) -> str:
    """What a srun that failed says is wrong: its last error, else its last line."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error: " in line] or lines
    return errors[-1].rpartition("error: ")[2] if errors else "srun gave no reason"
