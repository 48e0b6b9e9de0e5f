"""Run Slurm's commands side by side, within a time limit, and read all they say.

Each child leads a process group of its own, which is killed at the limit, and when the caller is
interrupted: a command that waits for a dead controller would stay for minutes.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAX_BYTES = 1 << 28
"""Longest answer that is read: 256 MiB, some 500,000 jobs."""

_CHUNK = 1 << 16


class Said(NamedTuple):
    """What a command said."""

    code: int | None
    """Exit status; negative for a signal; None where it was killed at the limit."""
    out: bytes = b""
    err: bytes = b""
    reason: str = ""
    """Why it was not started, or killed; empty otherwise."""

    @property
    def text(self) -> str:
        """Standard output; what is not UTF-8 is replaced."""
        return self.out.decode("utf-8", "replace")

    def why(self) -> str:
        """Why there is no answer, in a few words: Slurm's last error, or ours."""
        lines = [line.strip() for line in self.err.decode("utf-8", "replace").splitlines()]
        errors = [line for line in lines if line]
        said = errors[-1][:200] if errors else ""
        if self.reason:
            return f"{self.reason} ({said})" if said else self.reason
        return said or f"exit status {self.code}"


def run_all(
    commands: Sequence[Sequence[str]],
    environ: Mapping[str, str],
    time_limit_seconds: float,
    max_bytes: int = MAX_BYTES,
) -> list[Said]:
    """Run the commands at the same time; all have ended, or are killed, when this returns.

    A command that cannot be started is a `Said` with a reason. Never raises for a child's doing.
    """
    started = [_start(command, environ) for command in commands]
    children = [child for child in started if isinstance(child, _Child)]
    too_late = f"no answer within {time_limit_seconds:g} s"
    try:
        deadline = time.monotonic() + time_limit_seconds
        _read(children, deadline, max_bytes)
        for child in children:
            child.wait(deadline, too_late)
    finally:
        for child in children:
            child.end()
    return [Said(None, reason=one) if isinstance(one, str) else one.said() for one in started]


class _Child:
    """A child with what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.out = bytearray()
        self.err = bytearray()
        self.reason = ""

    def wait(self, deadline: float, too_late: str) -> None:
        """Until it ends, or the deadline."""
        try:
            if not self.reason:
                self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.reason = too_late

    def end(self) -> None:
        """Kill the group unless the child has been waited for: then its number is another's."""
        if self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def said(self) -> Said:
        """All of it."""
        code = None if self.reason else self.process.returncode
        return Said(code, bytes(self.out), bytes(self.err), self.reason)


def _start(command: Sequence[str], environ: Mapping[str, str]) -> _Child | str:
    try:
        return _Child(
            subprocess.Popen(
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                start_new_session=True,
            )
        )
    except (OSError, ValueError) as error:  # ValueError: a zero byte in an argument
        return f"cannot be started: {getattr(error, 'strerror', None) or error}"


def _read(children: Sequence[_Child], deadline: float, max_bytes: int) -> None:
    """All that comes out, until every stream is closed, or the deadline."""
    with selectors.DefaultSelector() as selector:
        for child in children:
            for stream, text in (
                (child.process.stdout, child.out),
                (child.process.stderr, child.err),
            ):
                if stream is not None:
                    selector.register(stream, selectors.EVENT_READ, (child, text))
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                child, text = key.data
                chunk = os.read(key.fd, _CHUNK)
                text += chunk
                if len(text) > max_bytes:
                    child.reason = "its answer is too long"
                if not chunk or child.reason:
                    selector.unregister(key.fileobj)
