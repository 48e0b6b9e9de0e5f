"""Runs of requeued jobs, ids given twice, and components of het jobs."""

from __future__ import annotations

from typing import Any

import pytest

from jobwatt.slurm.fold import Run, fold
from jobwatt.slurm.jobs import SlurmJob


def run(job: str, submit: float, state: str, end: float | None, **more: Any) -> Run:
    told = SlurmJob(
        job, name="train", user="ann", state=state, submit_wall_seconds=submit,
        start_wall_seconds=submit + 1, end_wall_seconds=end,
    )  # fmt: skip
    return Run(job, 0, told._replace(**more))


REQUEUED_TWICE = [
    run("34", 1000, "REQUEUED", 1050),
    run("34", 1050, "NODE_FAIL", 1100),
    run("34", 1130, "COMPLETED", 1200),
]
"""The epilog took 30 s the second time."""


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_run_counts_and_the_earlier_ones_are_restarts(order: int) -> None:
    [job] = fold(REQUEUED_TWICE[::order], 0.0)
    assert (job.state, job.end_wall_seconds, job.restarts) == ("COMPLETED", 1200, 2)


def test_restarts_are_unknown_where_earlier_runs_were_not_asked_for() -> None:
    [job] = fold(REQUEUED_TWICE[1:], 1070.0)
    assert job.restarts is None


def test_what_slurm_counts_is_believed() -> None:
    [job] = fold([*REQUEUED_TWICE[:2], run("34", 1130, "COMPLETED", 1200, restarts=7)], 0.0)
    assert job.restarts == 7


def test_a_job_that_waits_after_a_requeue_has_restarted() -> None:
    [job] = fold([run("34", 1000, "REQUEUED", 1050)], 0.0)
    assert job.restarts == 1


@pytest.mark.parametrize(
    "later", [{"name": "other"}, {"user": "bob"}, {"submit_wall_seconds": 99999.0}]
)
def test_an_id_that_slurm_gave_to_another_job_is_no_restart(later: dict[str, object]) -> None:
    [job] = fold([run("34", 1000, "FAILED", 1050), run("34", 1050, "RUNNING", None, **later)], 0.0)
    assert (job.state, job.restarts) == ("RUNNING", 0)


def test_the_same_id_on_two_clusters_is_two_jobs() -> None:
    two = [run("34", 1000, "FAILED", 1050), run("34", 1050, "RUNNING", None, cluster="other")]
    assert [job.cluster for job in fold(two, 0.0)] == ["", "other"]


def component(offset: int, state: str, **more: Any) -> Run:
    one = run("12", 1000, state, 1100 + offset, nodes=1, cpus=2, memory_bytes=100, gpus=offset)
    job = one.job._replace(node_list=f"n{offset}", **more)
    return Run(str(12 + offset), offset, job)


def test_a_het_job_is_the_leaders_with_all_that_it_holds() -> None:
    [job] = fold([component(1, "COMPLETED"), component(0, "COMPLETED", exit_code=0)])
    assert job.job == "12"
    assert (job.nodes, job.cpus, job.gpus, job.memory_bytes) == (2, 4, 1, 200)
    assert (job.node_list, job.end_wall_seconds, job.exit_code) == ("n0,n1", 1101, 0)


def test_a_het_job_failed_if_a_component_did() -> None:
    [job] = fold([component(0, "COMPLETED", exit_code=0), component(1, "FAILED", exit_code=3)])
    assert (job.state, job.exit_code) == ("FAILED", 3)


def test_what_one_component_leaves_open_is_open_for_the_job() -> None:
    first = component(0, "RUNNING", end_wall_seconds=None, gpus=None)
    [job] = fold([first, component(1, "RUNNING")])
    assert (job.gpus, job.end_wall_seconds, job.cpus) == (None, None, 4)
