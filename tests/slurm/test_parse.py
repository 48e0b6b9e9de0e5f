"""Jobs from the text of sacct and squeue: recorded answers, and odd rows."""

from __future__ import annotations

import pytest

from jobwatt.slurm.jobs import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, SlurmJob, outcome
from jobwatt.slurm.parse import SACCT_FIELDS, SQUEUE_FIELDS, parse_sacct, parse_squeue
from tests.slurm.recorded import DATA, DELIMITER, VERSIONS, sacct_jobs, squeue_jobs


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_outcomes(version: str) -> None:
    jobs = {job.job: job for job in sacct_jobs(version)}
    assert list(jobs) == ["1", "2", "3", "4", "6", "7", "5", "8", "9", "10"]
    outcomes = [outcome(job.state) for job in jobs.values()]
    done = [COMPLETED, FAILED, FAILED, COMPLETED, *[COMPLETED] * 3, CANCELLED]
    last = [CANCELLED, CANCELLED] if version == "22.05" else [RUNNING, PENDING]
    assert outcomes == done + last
    assert (jobs["2"].exit_code, jobs["2"].exit_signal) == (3, None)
    assert (jobs["3"].exit_code, jobs["3"].exit_signal) == (None, 9)
    assert [job.gpus for job in jobs.values()][:4] == [1, 0, 0, 4]


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_details(version: str, utc: None) -> None:
    jobs = {job.job: job for job in sacct_jobs(version)}
    begin = 1795433360.0 if version == "22.05" else 1795433312.0
    assert jobs["1"] == SlurmJob(
        job="1", name="ok", user="root", account="root", partition="main", state="COMPLETED",
        exit_code=0, submit_wall_seconds=begin, start_wall_seconds=begin,
        end_wall_seconds=begin + 1, elapsed_seconds=1.0, nodes=1, node_list="n1", cpus=1, gpus=1,
        memory_bytes=4000 << 20, restarts=0, source="sacct",
    )  # fmt: skip
    assert (jobs["6"].array_job, jobs["6"].array_task) == ("5", "1")
    assert jobs["8"].name == "odd |name;é"
    assert jobs["9"].time_limit_seconds == 1800.0
    waiting = jobs["10"]
    assert (waiting.start_wall_seconds, waiting.node_list) == (None, "")
    assert waiting.time_limit_seconds is None


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_queue(version: str) -> None:
    waiting, running = squeue_jobs(version)
    assert (waiting.state, waiting.reason, waiting.start_wall_seconds) == (
        "PENDING", "Resources", None,
    )  # fmt: skip
    assert (waiting.time_limit_seconds, running.time_limit_seconds) == (None, 1800.0)
    assert (running.state, running.nodes, running.node_list, running.gpus) == (
        "RUNNING", 2, "n[1-2]", 2,
    )  # fmt: skip
    assert (running.end_wall_seconds, running.exit_code, running.elapsed_seconds) == (None, None, 3)


def test_odd_rows() -> None:
    head, *lines = (DATA / "odd.txt").read_text().splitlines()
    rows = "\n".join(line for line in lines if not line.startswith("#"))
    found, bad = parse_sacct(rows.replace("|", DELIMITER), head.split("|"), DELIMITER)
    jobs = {job.job: job for job in found}
    assert bad == 1
    assert list(jobs) == ["101", "102", "103", "104", "105", "106", "108"]
    assert (jobs["101"].start_wall_seconds, jobs["101"].gpus, jobs["101"].exit_code) == (
        None, None, None,
    )  # fmt: skip
    assert (jobs["102"].end_wall_seconds, jobs["102"].memory_bytes) == (None, 16 << 30)
    assert (jobs["103"].state, jobs["103"].memory_bytes) == ("", 8 << 30)
    assert jobs["104"] == SlurmJob("104", restarts=0, source="sacct")
    assert [jobs[job].gpus for job in ("105", "106")] == [2, 2]
    assert (jobs["106"].state, outcome(jobs["106"].state)) == ("EXPEDITED", "unknown")
    assert (jobs["108"].array_job, jobs["108"].array_task) == ("108", "[3-9%2]")
    assert jobs["108"].gpus is None


def sacct(*rows: dict[str, str]) -> list[SlurmJob]:
    text = "".join(
        DELIMITER.join(row.get(field, "") for field in SACCT_FIELDS) + "\n" for row in rows
    )
    jobs, bad = parse_sacct(text, SACCT_FIELDS, DELIMITER)
    assert bad == 0
    return jobs


def test_without_any_gpu_in_the_answer_nobody_knows_whether_they_are_counted() -> None:
    [job] = sacct({"JobIDRaw": "1", "JobID": "1", "State": "COMPLETED", "AllocTRES": "cpu=1"})
    assert job.gpus is None


@pytest.mark.parametrize(
    ("state", "code", "worst", "expected"),
    [
        ("FAILED", "1:0", "0:125", ("OUT_OF_MEMORY", 1, None)),  # srun in a batch script
        ("OUT_OF_MEMORY", "0:125", "0:0", ("OUT_OF_MEMORY", None, None)),
        ("COMPLETED", "0:0", "0:125", ("COMPLETED", 0, None)),  # the script went on
        ("FAILED", "9:0", "0:9", ("FAILED", 137, None)),
        ("FAILED", "9:0", "0:0", ("FAILED", 9, None)),
        ("TIMEOUT", "0:0", "0:15", ("TIMEOUT", None, None)),
        ("CANCELLED by 7", "0:15", "0:15", ("CANCELLED", None, 15)),
        ("RUNNING", "0:0", "0:0", ("RUNNING", None, None)),
        ("CD", "0:0", "", ("COMPLETED", 0, None)),
    ],
)
def test_how_it_ended(
    state: str, code: str, worst: str, expected: tuple[str, int | None, int | None]
) -> None:
    [job] = sacct({"JobIDRaw": "1", "State": state, "ExitCode": code, "DerivedExitCode": worst})
    assert (job.state, job.exit_code, job.exit_signal) == expected


def test_a_queue_of_an_older_slurm_that_leaves_fields_empty() -> None:
    row = {"JobID": "7", "State": "RUNNING", "NumNodes": "2-4", "tres-per-node": "gres:gpu:2"}
    text = "".join(row.get(field, "") + DELIMITER for field in SQUEUE_FIELDS)
    jobs, bad = parse_squeue(text + "\n", SQUEUE_FIELDS, DELIMITER)
    assert bad == 0
    assert jobs == [SlurmJob("7", state="RUNNING", nodes=2, gpus=4, source="squeue")]


def test_raw_status_of_the_queue() -> None:
    rows = [("FAILED", "768", "768"), ("FAILED", "256", "253"), ("OUT_OF_MEMORY", "253", "0")]
    text = ""
    for number, (state, status, worst) in enumerate(rows):
        row = {"JobID": f"{number}", "State": state, "exit_code": status, "DerivedEC": worst}
        text += "".join(row.get(field, "") + DELIMITER for field in SQUEUE_FIELDS) + "\n"
    jobs, _ = parse_squeue(text, SQUEUE_FIELDS, DELIMITER)
    assert [(job.state, job.exit_code) for job in jobs] == [
        ("FAILED", 3), ("OUT_OF_MEMORY", 1), ("OUT_OF_MEMORY", None),
    ]  # fmt: skip
