"""Real jobs of every kind on the real cluster: what sacct and squeue say of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobwatt.slurm import jobs as words
from jobwatt.slurm.ask import Answer
from jobwatt.slurm.jobs import outcome
from tests.cluster.cluster import Cluster
from tests.slurm.submitted import ODD_NAME, SCRIPTS, Submitted, submitted

pytestmark = pytest.mark.cluster

OUTCOMES = {
    "good": words.COMPLETED, "fails": words.FAILED, "fails loudly": words.FAILED,
    "killed": words.FAILED, "step killed": words.FAILED, "eats": words.OUT_OF_MEMORY,
    "step eats": words.OUT_OF_MEMORY, "array": words.COMPLETED, ODD_NAME: words.COMPLETED,
    "cancelled": words.CANCELLED, "too slow": words.TIMEOUT, "again": words.COMPLETED,
    "runs": words.RUNNING, "waits": words.PENDING, "het": words.COMPLETED,
}  # fmt: skip
BY_SACCT = {name for name in OUTCOMES if name not in ("runs", "waits")}


@pytest.fixture(scope="module")
def all_kinds(cluster: Cluster) -> Iterator[Submitted]:
    yield from submitted(cluster)


@pytest.fixture(scope="module")
def environ(cluster: Cluster) -> dict[str, str]:
    hostile = {"SQUEUE_FORMAT": "%i", "SACCT_FORMAT": "JobID", "SQUEUE_STATES": "R",
               "SLURM_TIME_FORMAT": "relative", "LC_ALL": "C.UTF-8"}  # fmt: skip
    return {**os.environ, **cluster.env, **hostile}


@pytest.fixture(scope="module")
def without_accounting(
    cluster: Cluster, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The client's side of a cluster that keeps no accounting."""
    lines = Path(cluster.env["SLURM_CONF"]).read_text().splitlines()
    kept = [line for line in lines if not line.startswith("AccountingStorage")]
    file = tmp_path_factory.mktemp("none") / "slurm.conf"
    file.write_text("\n".join([*kept, "AccountingStorageType=accounting_storage/none", ""]))
    return {**environ, "SLURM_CONF": str(file)}


def booked(all_kinds: Submitted, environ: dict[str, str]) -> Answer:
    """The answer, once accounting has heard of every end: it may lag a few seconds."""
    deadline = time.monotonic() + 30
    while True:
        answer = all_kinds.ask(environ)
        told = all_kinds.by_name(answer)
        if all(told[name].source == "sacct" for name in BY_SACCT):
            return answer
        assert time.monotonic() < deadline, told
        time.sleep(0.5)


def test_with_accounting(all_kinds: Submitted, environ: dict[str, str]) -> None:
    answer = booked(all_kinds, environ)
    assert (answer.source, answer.cluster) == ("sacct and squeue", "jobwatt")
    assert (answer.accounting, answer.problems) == (True, ())
    check(all_kinds, answer)
    told = all_kinds.by_name(answer)
    assert told["waits"].source == told["runs"].source == "squeue"
    assert told[ODD_NAME].name == ODD_NAME.replace('"', "`")  # as slurmdbd keeps it
    for name in ("good", "runs"):
        assert told[name].command.startswith("sbatch --parsable ")
        assert told[name].command.endswith(f"--wrap {SCRIPTS[name][1]}")


def test_without_accounting(all_kinds: Submitted, without_accounting: dict[str, str]) -> None:
    answer = all_kinds.ask(without_accounting)
    assert (answer.source, answer.cluster, answer.accounting) == ("squeue", "jobwatt", False)
    assert answer.problems == (
        "no accounting (sacct: Slurm accounting storage is disabled): the outcome of jobs that "
        "ended more than some minutes ago is unknown",
    )
    check(all_kinds, answer)
    told = all_kinds.by_name(answer)
    assert told[ODD_NAME].name == ODD_NAME


def memory_is_limited(cluster: Cluster) -> bool:
    """Whether the kernel here lets Slurm limit memory: some containers' does not."""
    return "ConstrainRAMSpace=yes" in (cluster.directory / "etc" / "cgroup.conf").read_text()


def check(all_kinds: Submitted, answer: Answer) -> None:
    """What both interfaces tell."""
    told = all_kinds.by_name(answer)
    if not memory_is_limited(all_kinds.cluster):
        told = {name: job for name, job in told.items() if not name.endswith("eats")}
    expected = {name: what for name, what in OUTCOMES.items() if name in told}
    assert {name: outcome(job.state) for name, job in told.items()} == expected
    ends = {
        **dict.fromkeys(OUTCOMES, (None, None)),
        **dict.fromkeys(("good", "array", ODD_NAME, "again", "het"), (0, None)),
        "fails": (3, None), "fails loudly": (200, None), "killed": (None, 9),
        "step killed": (137, None), "step eats": (1, None),
        "cancelled": (None, told["cancelled"].exit_signal),
        "too slow": (None, told["too slow"].exit_signal),
    }  # fmt: skip
    for name, job in told.items():
        assert (job.exit_code, job.exit_signal) == ends[name], name
    good, het, runs = told["good"], told["het"], told["runs"]
    assert (good.nodes, good.node_list, good.cpus, good.gpus) == (2, "n[1-2]", 2, 4)
    assert (good.partition, good.account, good.user) == ("main", "project", "jwuser")
    assert good.memory_bytes == 800 << 20
    assert (het.nodes, het.cpus, het.gpus, het.memory_bytes) == (2, 3, 3, 300 << 20)
    assert told["fails"].gpus == 0
    assert (told["again"].restarts, good.restarts) == (1, 0)
    assert (runs.time_limit_seconds, runs.end_wall_seconds) == (1800.0, None)
    assert (told["waits"].array_task, told["waits"].start_wall_seconds) == ("[3-9%2]", None)
    assert {job.array_task for job in answer.jobs if job.name == "array"} == {"1", "2"}
    for name, job in told.items():
        assert (job.submit_wall_seconds or 0) >= all_kinds.since_wall_seconds - 1
        if name != "waits":
            assert job.start_wall_seconds is not None
            end = job.end_wall_seconds or time.time()
            assert abs(end - job.start_wall_seconds - (job.elapsed_seconds or 0)) <= 3


def test_a_job_that_has_just_been_requeued_waits(
    all_kinds: Submitted, environ: dict[str, str]
) -> None:
    cluster, job = all_kinds.cluster, all_kinds.ids["runs"]
    assert cluster.run("scontrol", "requeuehold", job).returncode == 0
    deadline = time.monotonic() + 30
    while True:
        told = all_kinds.by_name(all_kinds.ask(environ))["runs"]
        if told.state == "PENDING":
            break
        assert told.state in ("COMPLETING", "REQUEUED", "RUNNING", "REQUEUE_HOLD")
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert (told.start_wall_seconds, told.end_wall_seconds, told.restarts) == (None, None, 1)
    assert told.command.endswith("--wrap sleep 300")
