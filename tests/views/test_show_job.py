"""What is said of a job by what is known of it."""

from __future__ import annotations

import pytest

from jobwatt.history.rows import JobRow
from jobwatt.views.show_job import axis_times, heading, job_facts, local, moment
from tests.views.made_jobs import START, TRAIN

pytestmark = pytest.mark.usefixtures("utc")


def facts(row: JobRow) -> dict[str, str]:
    return {fact.label: fact.text for fact in job_facts(row)}


def test_what_is_unknown_is_left_out() -> None:
    assert facts(JobRow("1")) == {}
    assert "?" not in "".join(facts(TRAIN).values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "COMPLETED", "reason": "", "exit_signal": None}, "COMPLETED, exit code 0"),
        ({"state": "FAILED", "reason": "NonZeroExitCode", "exit_code": 3, "exit_signal": 0},
         "FAILED (NonZeroExitCode), exit code 3"),
        ({"state": "OUT_OF_MEMORY", "reason": "None", "exit_signal": 9, "exit_code": 137},
         "OUT_OF_MEMORY, signal 9, exit code 137"),
        ({"state": "PENDING", "reason": "Resources", "exit_code": None, "exit_signal": None},
         "PENDING (Resources)"),
    ],
)  # fmt: skip
def test_state(changes: dict[str, object], words: str) -> None:
    assert facts(TRAIN._replace(**changes))["state"] == words  # type: ignore[arg-type]


def test_times() -> None:
    pending = TRAIN._replace(start_wall_seconds=None)
    assert facts(pending)["time"] == "submitted 2026-01-01 05:53:20, not started"
    running = TRAIN._replace(end_wall_seconds=None, elapsed_seconds=60.0, restarts=1)
    assert facts(running)["time"] == "2026-01-01 06:59:59, 1 min 00 s"
    assert facts(running)["requeued"] == "once"
    assert facts(running)["limit"] == "2 h 00 min, 0.8 % used"
    assert "limit" not in facts(TRAIN._replace(time_limit_seconds=None))
    assert facts(TRAIN._replace(elapsed_seconds=None))["limit"] == "2 h 00 min"


def test_what_was_allocated() -> None:
    assert facts(TRAIN._replace(cpus=1, gpus=0, memory_bytes=None))["allocated"] == "1 CPU, no GPUs"
    assert facts(JobRow("1", gpus=2))["allocated"] == "2 GPUs"
    assert facts(JobRow("1", node_list="n[1-9]"))["nodes"] == "n[1-9]"
    assert facts(JobRow("1", nodes=9))["nodes"] == "9"


def test_who_says_it() -> None:
    assert heading(TRAIN, True) == "Job, by sacct"
    assert heading(TRAIN._replace(source="journal"), False).endswith("Slurm was not asked")
    assert heading(TRAIN._replace(source=""), True).endswith("not in Slurm's last answer")
    assert heading(JobRow("local-7", source="journal"), True) == "Command"


def test_clock_times() -> None:
    assert axis_times(START, START + 600) == ["07:00:00", "07:05:00", "07:10:00"]
    assert axis_times(START, START + 7200) == ["07:00", "08:00", "09:00"]
    assert axis_times(START, START + 86_400)[-1] == "Jan 02 07:00"
    assert moment(START + 86_400, START) == "2026-01-02 07:00:00"
    assert local(1e20, "%H") == "?"
