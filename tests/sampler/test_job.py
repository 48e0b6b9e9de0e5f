"""A job seen from a step of our own: files as Slurm's cgroups have them, and living processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobwatt.sampler.job import Job
from jobwatt.sampler.proc import Usage, job_level
from tests.sampler.test_proc import tree

V1 = """6:freezer:/slurm_n1/uid_0/job_4/step_2
5:devices:/slurm_n1/uid_0/job_4/step_2/task_0
4:memory:/slurm_n1/uid_0/job_4/step_2/task_0
2:cpuacct:/
0::/
"""
V2 = "0::/system.slice/n1_slurmstepd.scope/job_3/step_7/user/task_0\n"
BUSY = "end=$((SECONDS + 20)); while ((SECONDS < end)); do :; done"


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("/slurm_n1/uid_0/job_3/step_0/task_0", "/slurm_n1/uid_0/job_3"),
        ("/n1_slurmstepd.scope/SLUID/step_extern", "/n1_slurmstepd.scope/SLUID"),
        ("/system.slice/slurmd.service", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_job_level(path: str, level: str) -> None:
    assert job_level(path) == level


def test_version_2_without_our_own_step(tmp_path: Path) -> None:
    job = "system.slice/n1_slurmstepd.scope/job_3"
    tree(tmp_path, {
        f"{job}/cpu.stat": "usage_usec 9000000\n",
        f"{job}/memory.current": "5000\n",
        f"{job}/io.stat": "8:0 rbytes=1000 wbytes=50\n",
        f"{job}/step_7/cpu.stat": "usage_usec 500000\n",
        f"{job}/step_7/memory.current": "1000\n",
        f"{job}/step_7/io.stat": "8:0 rbytes=1 wbytes=60\n",
    })  # fmt: skip
    assert Job(V2, tmp_path).usage() == Usage(8.5, 4000, 999, 0)


@pytest.mark.parametrize("text", ["", "0::/user.slice/session-1.scope\n", V1])
def test_no_job_is_unknown(tmp_path: Path, text: str) -> None:
    job = Job(text, tmp_path)
    job.look()
    assert job.usage() == Usage()
    assert job.processes() == job.leaders() == []


@contextmanager
def stepd(folder: Path, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called slurmstepd and starts a task."""
    program = folder / "slurmstepd"
    if not program.exists():
        program.symlink_to("/bin/bash")
    with subprocess.Popen(
        [program, "-c", f"bash -c '{command}' & wait; exit 0"], start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, 9)


def only_child(stepd: subprocess.Popen[bytes]) -> int:
    """Its task, once both are what they will be."""
    path = Path(f"/proc/{stepd.pid}/task/{stepd.pid}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = path.read_text().split()
        if found and (name(stepd.pid), name(int(found[0]))) == ("slurmstepd", "bash"):
            return int(found[0])
        time.sleep(0.01)
    raise AssertionError("no task")


def name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def place(base: Path, step: str, pids: list[int]) -> None:
    """Put processes into a step's cgroup of the freezer."""
    text = "".join(f"{pid}\n" for pid in pids)
    tree(base, {f"freezer/slurm_n1/uid_0/job_4/{step}/cgroup.procs": text})


def test_processes_of_the_other_steps(tmp_path: Path) -> None:
    with stepd(tmp_path, "sleep 60; :") as batch, stepd(tmp_path, "sleep 60; :") as step:
        script, task = only_child(batch), only_child(step)
        place(tmp_path, "step_batch", [batch.pid, script, os.getpid()])
        place(tmp_path, "step_0", [task])
        place(tmp_path, "step_2", [1])
        place(tmp_path, "step_extern", [1])
        job = Job(V1, tmp_path)
        assert sorted(job.processes()) == sorted([script, os.getpid(), task])
        assert job.leaders() == [script]


def test_cpu_time_of_processes(tmp_path: Path) -> None:
    """Where no cgroup counts it; what a step used is kept when it is gone."""
    with stepd(tmp_path, "sleep 60; :") as batch:
        place(tmp_path, "step_batch", [only_child(batch)])
        job = Job(V1, tmp_path)
        before = job.usage().cpu_seconds
        assert before is not None
        with stepd(tmp_path, BUSY) as step:
            place(tmp_path, "step_0", [only_child(step)])
            time.sleep(0.6)
            job.look()
        place(tmp_path, "step_0", [])
        after = job.usage().cpu_seconds
        assert after is not None
        assert after - before > 0.1
        assert job.usage().cpu_seconds == after


def test_an_orphan_counts_from_then_on(tmp_path: Path) -> None:
    """What it used before was counted with the step that it left."""
    with subprocess.Popen(["bash", "-c", BUSY], start_new_session=True) as orphan:
        time.sleep(0.6)
        place(tmp_path, "step_0", [orphan.pid])
        job = Job(V1, tmp_path)
        assert job.usage().cpu_seconds == 0.0
        time.sleep(0.3)
        used = job.usage().cpu_seconds
        os.killpg(orphan.pid, 9)
    assert used is not None
    assert 0.0 < used < 0.6
