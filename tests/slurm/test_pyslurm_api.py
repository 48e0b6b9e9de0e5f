"""pyslurm in a child: the same jobs as from the commands' text, and every way to fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jobwatt.slurm.ask import ask
from jobwatt.slurm.commands import Heard
from jobwatt.slurm.jobs import SlurmJob
from jobwatt.slurm.pyslurm_api import ask_pyslurm, installed, jobs_of
from tests.slurm.recorded import pyslurm_answer, sacct_jobs, squeue_jobs

STAND_IN = Path(__file__).parent / "stand_in"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with a stand-in for pyslurm, and no Slurm."""
    monkeypatch.syspath_prepend(str(STAND_IN))
    return {"PATH": "/nowhere", "PYTHONPATH": str(STAND_IN)}


def alike(jobs: list[SlurmJob], **unsaid: Any) -> list[SlurmJob]:
    return sorted(
        (job._replace(source="", cluster="", command="", **unsaid) for job in jobs),
        key=lambda job: job.job,
    )


def test_accounting_is_the_same_as_sacct_tells_it(utc: None) -> None:
    jobs, bad = jobs_of(pyslurm_answer()["db_jobs"])
    told = [
        # pyslurm does not say how many nodes a waiting job asks for.
        job._replace(nodes=None) if job.state == "PENDING" else job for job in sacct_jobs("25.11")
    ]
    assert bad == 0
    # One second passed between the two recordings.
    assert alike(jobs, elapsed_seconds=None) == alike(told, elapsed_seconds=None)
    ended = {job.job: job.elapsed_seconds for job in told if job.end_wall_seconds}
    assert {job.job: job.elapsed_seconds for job in jobs if job.end_wall_seconds} == ended
    assert {job.cluster for job in jobs} == {"testing"}


def test_the_queue_is_the_same_as_squeue_tells_it(utc: None) -> None:
    told = squeue_jobs("25.11")
    jobs, bad = jobs_of(pyslurm_answer()["jobs"])
    assert bad == 0
    assert len(jobs) == 10
    both = [job for job in jobs if job.job in {one.job for one in told}]
    # One second passed; the recorded squeue was not asked how often a job was requeued.
    assert alike(both, elapsed_seconds=None, restarts=None) == alike(told, elapsed_seconds=None)
    assert {job.restarts for job in both} == {0}


def test_forms_that_the_recording_lacks() -> None:
    base = {"state": "COMPLETED", "start_time": 5, "user_name": "ann"}
    jobs, bad = jobs_of(
        [
            {**base, "id": 20, "heterogeneous_id": 20, "heterogeneous_offset": 0, "cpus": 1},
            {**base, "id": 21, "heterogeneous_id": 20, "heterogeneous_offset": 1, "cpus": 2},
            {**base, "id": 30, "array_id": 30, "array_tasks_waiting": "3-9",
             "array_tasks_parallel": 2, "state": "PENDING"},
            {**base, "id": 40, "gpus": {"gpu:a100": {"count": 2}, "gpu:h100": {"count": 1}}},
            {**base, "id": 50, "memory": "UNLIMITED", "time_limit": "UNLIMITED",
             "cpus": 4294967294},
            {**base, "id": 60, "state": "FAILED", "exit_code": 1, "derived_exit_code_signal": 125},
            {**base, "id": True}, {"id": None}, {}, None, 3,
        ]
    )  # fmt: skip
    found = {job.job: job for job in jobs}
    assert (list(found), bad) == (["20", "30", "40", "50", "60"], 5)
    assert (found["20"].cpus, found["30"].array_task) == (3, "[3-9%2]")
    assert (found["40"].gpus, found["50"].gpus) == (3, 0)
    assert (found["50"].memory_bytes, found["50"].time_limit_seconds, found["50"].cpus) == (
        None, None, None,
    )  # fmt: skip
    assert found["60"].state == "OUT_OF_MEMORY"


@pytest.mark.parametrize("mode", ["answers", "noisy"])
def test_the_child_tells_what_was_recorded(stand_in: dict[str, str], mode: str) -> None:
    answer = ask(0.0, "root", "pyslurm", {**stand_in, "STAND_IN": mode}, 30)
    assert (answer.source, answer.cluster, answer.accounting) == ("pyslurm", "testing", True)
    assert answer.problems == ()
    assert [job.job for job in answer.jobs] == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
    assert {job.job: job.gpus for job in answer.jobs}["4"] == 4
    assert "pyslurm" not in sys.modules


def test_time_and_user_reach_the_filter(stand_in: dict[str, str]) -> None:
    accounting, queue = ask_pyslurm(1795433329.0, "root", stand_in, 30)
    assert [job.job for job in accounting.jobs] == ["8", "9", "10"]
    assert len(queue.jobs) == 10
    assert ask_pyslurm(0.0, "ann", stand_in, 30) == (Heard([]), Heard([]))


def test_without_the_database_the_queue_is_told(stand_in: dict[str, str]) -> None:
    answer = ask(0.0, "root", "auto", {**stand_in, "STAND_IN": "no database"}, 30)
    assert (answer.source, answer.accounting, len(answer.jobs)) == ("pyslurm", False, 10)
    assert answer.problems == (
        "no accounting (pyslurm: RPCError: Failed to open a connection to the database): the "
        "outcome of jobs that ended more than some minutes ago is unknown",
    )


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("fatal", "pyslurm: fatal: Could not establish a configuration source"),
        ("hangs", "pyslurm: no answer within 1 s"),
        ("other words", "pyslurm: AttributeError: "),
    ],
)
def test_a_pyslurm_that_fails_is_one_line(stand_in: dict[str, str], mode: str, why: str) -> None:
    environ = {**stand_in, "STAND_IN": mode}
    seconds = 1 if mode == "hangs" else 30
    alone = ask(0.0, "root", "pyslurm", environ, seconds)
    assert (alone.source, alone.jobs, alone.accounting) == ("", (), False)
    [line] = alone.problems
    assert line.startswith(f"Slurm does not answer ({why}")
    [line] = ask(0.0, "root", "auto", environ, seconds).problems
    assert line.startswith(why)
    assert line.endswith("; Slurm's commands are asked instead")


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert not installed()
    assert ask(0.0, "root", "auto", {"PATH": "/nowhere"}) == ask(0.0, "root", "none", os.environ)
    [line] = ask(0.0, "root", "pyslurm", os.environ).problems
    assert line.startswith("pyslurm is not installed")
