"""Watching tasks: living, dying, gone, and their siblings. The test plays slurmstepd."""

from __future__ import annotations

import json
import os
import platform
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobwatt.sampler.tasks import DYING, GONE, RUNNING, Tasks, closings

Starter = Callable[..., int]
EXIT_CALL = {"x86_64": 60, "aarch64": 93}.get(platform.machine())
HEAVY = """
import ctypes, mmap, time
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
memory = mmap.mmap(-1, 2 << 30, flags)
print("ready", flush=True)
time.sleep(60)
"""
# The first thread of a process is gone and another one lives: what a process shows that is slow
# to die, its memory and files given back and the driver still busy, for as long as the test needs.
LEADERLESS = """
import ctypes, os, sys, threading, time
held = os.open(sys.argv[1], os.O_RDONLY)
def rest():
    time.sleep(0.3)
    os.close(held)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
threading.Thread(target=rest).start()
print("ready", flush=True)
time.sleep(0.1)
ctypes.CDLL(None).syscall(int(sys.argv[3]), 0)
"""


STEPD = """
import json, subprocess, sys
tasks = []
for line in sys.stdin:
    command, ready = json.loads(line)
    task = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert not ready or task.stdout.readline() == b"ready\\n"
    tasks.append(task)
    print(task.pid, flush=True)
"""


@pytest.fixture
def start() -> Iterator[Starter]:
    """Starts tasks as children of one process, which stands for slurmstepd, and gives their ids.

    It collects none of the dead: they stay zombies.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", STEPD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    pids: list[int] = []

    def begin(*command: str, ready: bool = False) -> int:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(json.dumps((command, ready)) + "\n")
        parent.stdin.flush()
        pids.append(int(parent.stdout.readline()))
        return pids[-1]

    yield begin
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    parent.kill()
    parent.communicate()


def timed(tasks: Tasks, seconds: float) -> tuple[str, float]:
    began = time.monotonic()
    state = tasks.wait(seconds)
    return state, time.monotonic() - began


def wait_for_end(pid: int) -> None:
    assert select.select([os.pidfd_open(pid)], [], [], 10.0)[0]


@pytest.mark.parametrize("siblings", [True, False])
def test_a_living_task_lets_the_time_pass(start: Starter, siblings: bool) -> None:
    tasks = Tasks(start("sleep", "60"), siblings)
    state, seconds = timed(tasks, 0.2)
    assert state == RUNNING
    assert 0.2 <= seconds < 0.5
    assert timed(tasks, 0.0)[0] == RUNNING
    assert timed(tasks, -1.0)[0] == RUNNING  # a tick that is late


@pytest.mark.parametrize("siblings", [True, False])
def test_the_end_of_the_last_task_is_noticed_at_once(start: Starter, siblings: bool) -> None:
    tasks = Tasks(start("sleep", "0.3"), siblings)
    state, seconds = timed(tasks, 10.0)
    assert state in ((GONE, DYING) if siblings else (GONE,))
    assert seconds < 1.0


def test_a_task_that_was_gone_before() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    for siblings in (False, True):
        state, seconds = timed(Tasks(process.pid, siblings), 10.0)
        assert state == GONE
        assert seconds < 0.2


def test_a_zombie_is_gone(start: Starter) -> None:
    pid = start("true")
    time.sleep(0.2)  # ended, and nobody has waited for it
    state, seconds = timed(Tasks(pid, siblings=True), 10.0)
    assert state in (GONE, DYING)
    assert seconds < 0.2


def test_a_sibling_keeps_the_node_running(start: Starter) -> None:
    pids = [start("sleep", seconds) for seconds in ("0.9", "0.2", "0.5")]
    tasks = Tasks(pids[1], siblings=True)
    assert timed(tasks, 0.6)[0] == RUNNING
    state, seconds = timed(tasks, 10.0)
    assert state in (GONE, DYING)
    assert seconds < 1.0


def test_a_command_of_our_own_has_no_siblings(start: Starter) -> None:
    start("sleep", "60")
    assert timed(Tasks(start("sleep", "0.2"), siblings=False), 10.0)[0] == GONE


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_processes_of_others_are_no_tasks(start: Starter) -> None:
    drop = "import os; os.setuid(64999); os.execlp('sleep', 'sleep', '60')"
    other = start(sys.executable, "-c", drop)
    deadline = time.monotonic() + 5
    while os.stat(f"/proc/{other}").st_uid == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert timed(Tasks(start("sleep", "0.2"), siblings=True), 10.0)[0] in (GONE, DYING)


LIKE_THE_SAMPLER = """
import os, sys, time
sys.path.append(sys.argv[1])
from jobwatt.sampler.tasks import Tasks
while os.getppid() != int(sys.argv[3]):
    time.sleep(0.01)
print("ready", flush=True)
tasks = Tasks(int(sys.argv[2]), siblings=True)
open(sys.argv[4], "w").write(tasks.wait(10.0))
"""


def test_the_sampler_is_no_task_of_its_own(start: Starter, tmp_path: Path) -> None:
    """Where slurmstepd adopts orphans, the sampler becomes a child of its."""
    task = start("sleep", "0.8")
    parent = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()[1]
    said = tmp_path / "state"
    repository = str(Path(__file__).parents[2])
    command = (sys.executable, "-c", LIKE_THE_SAMPLER, repository, str(task), parent, str(said))
    start(*command, ready=True)
    deadline = time.monotonic() + 4
    while not (said.exists() and said.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert said.read_text() in (GONE, DYING)


def test_a_large_task_is_seen_dying(start: Starter) -> None:
    """Its memory takes 100 ms to be given back: time for a last reading. One of three trials,
    since another process may take the CPU away meanwhile."""
    states = []
    for _ in range(3):
        task = start(sys.executable, "-c", HEAVY, ready=True)
        tasks = Tasks(task, siblings=True)
        assert timed(tasks, 0.1)[0] == RUNNING
        threading.Timer(0.2, os.kill, (task, signal.SIGKILL)).start()
        states.append(tasks.wait(10.0))
        wait_for_end(task)
        if DYING in states:
            break
    assert states[-1] == DYING


@pytest.mark.skipif(EXIT_CALL is None, reason="the number of the exit call is not known here")
def test_a_closed_device_file_starts_a_look(start: Starter, tmp_path: Path) -> None:
    device = tmp_path / "nvidia0"
    device.touch()
    took = {}
    for name, files in {"watched": [str(device)], "unwatched": []}.items():
        command = (sys.executable, "-c", LEADERLESS, str(device), "3", str(EXIT_CALL))
        task = start(*command, ready=True)
        state, took[name] = timed(Tasks(task, True, files), 1.5)
        assert state == DYING
        os.kill(task, signal.SIGKILL)
        wait_for_end(task)
    assert took["watched"] < 0.8 < 1.4 < took["unwatched"]


def test_others_that_close_the_device_do_not_end_the_watch(start: Starter, tmp_path: Path) -> None:
    device = tmp_path / "nvidia0"
    device.touch()
    tasks = Tasks(start("sleep", "60"), True, [str(device)])
    threading.Timer(0.1, device.read_bytes).start()
    state, seconds = timed(tasks, 0.4)
    assert state == RUNNING
    assert seconds >= 0.4


def test_files_that_are_not_there() -> None:
    assert closings([]) == -1
    assert closings(["/dev/nvidia-that-is-not-here"]) == -1
