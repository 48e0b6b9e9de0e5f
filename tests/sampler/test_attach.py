"""When the sampler of `jobwatt attach` ends: a process of the test's own plays it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# A job whose batch script is a process given by number, and whose processes are those still there.
WATCHER = """
import os, sys
from jobwatt.sampler.attach import JobWatch
class Job:
    def __init__(self, leaders, others):
        self.looks, self._leaders, self._others = 0, leaders, others
    def leaders(self): return self._leaders
    def look(self): self.looks += 1
    def processes(self): return [p for p in self._others if os.path.exists(f"/proc/{p}")]
leaders, others = (list(map(int, filter(None, text.split(",")))) for text in sys.argv[1:3])
job = Job(leaders, others)
watch = JobWatch(job, lambda why: print("told", why, flush=True))
print("ready", flush=True)
while (state := watch.wait(0.1)) == "running": pass
print(state, job.looks > 0, flush=True)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the job's."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


class Watcher:
    def __init__(self, leaders: str = "", others: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WATCHER, leaders, others],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        time.sleep(0.3)

    def still_waits(self) -> bool:
        time.sleep(0.4)
        return self.process.poll() is None

    def said(self) -> list[str]:
        out, _ = self.process.communicate(timeout=20)
        return str(out).splitlines()


def test_the_end_of_standard_input() -> None:
    watcher = Watcher()
    assert watcher.process.stdin is not None
    watcher.process.stdin.write("some words\n")
    watcher.process.stdin.flush()
    assert watcher.still_waits()
    assert watcher.said() == ["told detached", "detached True"]  # communicate closes it


def test_the_end_of_the_batch_script(sleeper: subprocess.Popen[bytes]) -> None:
    """Whatever else of the job is still there."""
    watcher = Watcher(str(sleeper.pid), str(os.getpid()))
    assert watcher.still_waits()
    sleeper.kill()
    assert watcher.process.stdout is not None
    assert watcher.process.stdout.read() == "told gone\ngone True\n"


def test_slurms_word_when_nothing_is_left() -> None:
    watcher = Watcher()
    assert watcher.still_waits()
    watcher.process.send_signal(signal.SIGTERM)
    assert watcher.process.stdout is not None
    assert watcher.process.stdout.read() == "told gone\ngone True\n"


def test_slurms_word_while_the_job_goes_on(sleeper: subprocess.Popen[bytes]) -> None:
    watcher = Watcher(others=str(sleeper.pid))
    watcher.process.send_signal(signal.SIGTERM)
    assert watcher.still_waits()
    sleeper.kill()
    sleeper.wait()
    assert watcher.process.stdout is not None
    assert watcher.process.stdout.read() == "told gone\ngone True\n"


def test_a_batch_script_that_is_gone_already() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert Watcher(str(process.pid)).still_waits()
