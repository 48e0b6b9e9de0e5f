"""Accounting's answer and the controller's, put together."""

from __future__ import annotations

import pytest

from jobwatt.slurm.jobs import SlurmJob
from jobwatt.slurm.merge import merge

NOW = 10_000.0
BOOKED = SlurmJob(
    "7", cluster="lab", name="a`b", command="srun a", state="COMPLETED", exit_code=9,
    submit_wall_seconds=1000.0, start_wall_seconds=1001.0, end_wall_seconds=1100.0, restarts=0,
    source="sacct",
)  # fmt: skip
LIVE = SlurmJob(
    "7", cluster="lab", name='a"b', state="RUNNING", submit_wall_seconds=1000.0,
    start_wall_seconds=1001.0, node_list="n1", reason="None", source="squeue",
)  # fmt: skip


def one(booked: SlurmJob, live: SlurmJob) -> SlurmJob:
    [job] = merge([booked], [live], NOW)
    return job


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING"])
def test_a_run_that_accounting_knows_to_have_ended_has_ended(state: str) -> None:
    job = one(BOOKED, LIVE._replace(state=state))
    assert (job.state, job.end_wall_seconds, job.source) == ("COMPLETED", 1100.0, "sacct")
    assert job.node_list == "n1"


def test_a_requeued_job_is_what_the_controller_says() -> None:
    waits = LIVE._replace(
        state="PENDING", submit_wall_seconds=1100.0, start_wall_seconds=None, restarts=1
    )
    job = one(BOOKED._replace(state="REQUEUED"), waits)
    assert (job.state, job.start_wall_seconds, job.end_wall_seconds) == ("PENDING", None, None)
    assert (job.exit_code, job.restarts, job.command) == (None, 1, "srun a")


def test_while_it_runs_the_controller_tells_and_accounting_adds_the_command() -> None:
    job = one(BOOKED._replace(state="RUNNING", end_wall_seconds=None, exit_code=None), LIVE)
    assert (job.source, job.name, job.command, job.restarts) == ("squeue", 'a"b', "srun a", 0)


def test_the_controller_knows_exit_codes_that_sacct_prints_less_128() -> None:
    job = one(BOOKED._replace(state="FAILED"), LIVE._replace(state="FAILED", exit_code=137))
    assert (job.exit_code, job.source) == (137, "sacct")


def test_what_only_the_controller_knows_to_have_ended() -> None:
    job = one(
        BOOKED._replace(state="RUNNING", end_wall_seconds=None, exit_code=None),
        LIVE._replace(state="FAILED", exit_code=3, end_wall_seconds=1090.0),
    )
    assert (job.state, job.exit_code, job.source) == ("FAILED", 3, "squeue")


def test_a_job_whose_end_accounting_missed_is_left_out_unless_it_may_be_new() -> None:
    runs = BOOKED._replace(state="RUNNING")
    fresh = runs._replace(job="8", submit_wall_seconds=NOW - 1)
    assert merge([runs, fresh, BOOKED._replace(job="9")], [], NOW) == [
        fresh, BOOKED._replace(job="9"),
    ]  # fmt: skip
    assert merge([runs], None, NOW) == [runs]


def test_each_answer_alone() -> None:
    assert merge([BOOKED], None, NOW) == [BOOKED]
    assert merge([], [LIVE], NOW) == [LIVE]
