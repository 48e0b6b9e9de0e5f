"""Slurm's answers in the index: asked seldom, for no longer back than needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobwatt.history.index import Index
from jobwatt.history.slurm_cache import FIRST_SECONDS, MARGIN_SECONDS, refresh
from jobwatt.history.update import update
from jobwatt.slurm.ask import Answer
from jobwatt.slurm.jobs import SlurmJob
from tests.commands.machine import REPOSITORY
from tests.history.histories import JOULES, START, add, clock, memory, rows, spans

DAY = 86400.0
NOW = START + 1000 * DAY
RUNNING = SlurmJob("7", "alpha", name="train", state="RUNNING", account="nlp", cpus=8,
                   start_wall_seconds=NOW - 50, source="squeue")  # fmt: skip
DONE = RUNNING._replace(state="COMPLETED", exit_code=0, end_wall_seconds=NOW + 40, source="sacct")


class Slurm:
    """What Slurm would say, and how far back it was asked."""

    def __init__(self, *jobs: SlurmJob, **answer: Any) -> None:
        self.asked: list[float] = []
        self.answer = Answer(jobs, "sacct", accounting=True)._replace(**answer)

    def ask(self, since: float) -> Answer:
        self.asked.append(since)
        return self.answer

    def tell(self, *jobs: SlurmJob) -> None:
        self.answer = self.answer._replace(jobs=jobs)


def go(index: Index, slurm: Slurm, now: float, since: float | None = None) -> list[str]:
    return refresh(index, slurm.ask, now - 30 * DAY if since is None else since, now, 60.0)


def test_once_a_minute_and_only_since_the_last_answer() -> None:
    index, slurm = memory(), Slurm(RUNNING)
    for later in (0, 1, 59.9):
        go(index, slurm, NOW + later)
    assert slurm.asked == [NOW - FIRST_SECONDS]
    go(index, slurm, NOW + 60)
    assert slurm.asked[1:] == [NOW - MARGIN_SECONDS]
    go(index, slurm, NOW + 10 * DAY)
    assert slurm.asked[2:] == [NOW + 60 - MARGIN_SECONDS]


def test_a_wider_wish_is_asked_anew_once() -> None:
    index, slurm = memory(), Slurm()
    go(index, slurm, NOW)
    wide = NOW - 300 * DAY
    go(index, slurm, NOW + 60, wide)
    go(index, slurm, NOW + 120, wide)
    go(index, slurm, NOW + 180)
    assert slurm.asked[1:] == [wide, NOW + 60 - MARGIN_SECONDS, NOW + 120 - MARGIN_SECONDS]


def test_a_clock_that_was_ahead_is_no_reason_to_be_silent() -> None:
    index, slurm = memory(), Slurm()
    go(index, slurm, NOW + 1000)
    go(index, slurm, NOW)
    assert len(slurm.asked) == 2


def test_without_accounting_all_is_asked_again_when_it_answers() -> None:
    index, slurm = memory(), Slurm(RUNNING, accounting=False, source="squeue")
    go(index, slurm, NOW)
    go(index, slurm, NOW + 60)
    slurm.answer = slurm.answer._replace(accounting=True)
    go(index, slurm, NOW + 120)
    go(index, slurm, NOW + 180)
    assert slurm.asked[2:] == [NOW + 120 - FIRST_SECONDS, NOW + 120 - MARGIN_SECONDS]


def test_an_outage_of_accounting_leaves_no_gap() -> None:
    index, slurm = memory(), Slurm()
    go(index, slurm, NOW)
    slurm.answer = Answer(problems=("Slurm does not answer",))
    for day in range(1, 4):
        assert go(index, slurm, NOW + day * DAY) == ["Slurm does not answer"]
        assert go(index, slurm, NOW + day * DAY + 1) == ["Slurm does not answer"]
    slurm.answer = Answer(source="sacct", accounting=True)
    assert go(index, slurm, NOW + 4 * DAY) == []
    assert slurm.asked[-1] == NOW - MARGIN_SECONDS
    assert go(index, slurm, NOW + 4 * DAY + 1) == []


def test_what_slurm_says_is_the_row() -> None:
    index, slurm = memory(), Slurm(RUNNING)
    go(index, slurm, NOW)
    (row,) = rows(index)
    assert (row.state, row.account, row.cpus, row.source) == ("RUNNING", "nlp", 8, "squeue")
    assert row.origin == "" and row.metered_joules is None and index.running() == [row]
    slurm.tell(DONE)
    go(index, slurm, NOW + 60)
    (row,) = rows(index)
    assert (row.state, row.exit_code, row.end_wall_seconds) == ("COMPLETED", 0, NOW + 40)
    assert index.running() == []


def test_a_job_that_slurm_no_longer_knows_does_not_run_for_ever() -> None:
    index, slurm = memory(), Slurm(RUNNING, cluster="alpha")
    go(index, slurm, NOW)
    slurm.tell()
    go(index, slurm, NOW + 60)
    (row,) = rows(index)
    assert (row.state, row.outcome, row.end_wall_seconds) == ("", "unknown", NOW + 60)
    assert row.account == "nlp" and index.running() == []
    slurm.tell(DONE)  # slurmdbd was late
    go(index, slurm, NOW + 120)
    assert rows(index)[0].state == "COMPLETED"


def test_silence_and_other_clusters_end_no_job() -> None:
    index, slurm = memory(), Slurm(RUNNING, cluster="alpha")
    go(index, slurm, NOW)
    slurm.answer = Answer()
    go(index, slurm, NOW + 60)
    slurm.answer = Answer(source="squeue", cluster="beta")
    go(index, slurm, NOW + 120)
    assert rows(index)[0].state == "RUNNING"


def test_a_requeued_job_has_not_ended() -> None:
    index, slurm = memory(), Slurm(DONE._replace(state="NODE_FAIL"))
    go(index, slurm, NOW)
    again = RUNNING._replace(state="PENDING", start_wall_seconds=None, restarts=1)
    slurm.tell(again)
    go(index, slurm, NOW + 60)
    (row,) = rows(index)
    assert (row.state, row.end_wall_seconds, row.exit_code) == ("PENDING", None, None)
    assert row.restarts == 1 and row.cpus == 8
    slurm.tell(again._replace(state="RUNNING", start_wall_seconds=NOW + 100))
    go(index, slurm, NOW + 120)
    assert rows(index)[0].start_wall_seconds == NOW + 100


@pytest.mark.parametrize("first", ["slurm", "journal"])
def test_journals_without_a_cluster_are_slurms_job(tmp_path: Path, first: str) -> None:
    index, slurm = memory(), Slurm(DONE, cluster="alpha")
    add(tmp_path, "7", *spans(60))
    if first == "slurm":
        go(index, slurm, NOW)
    update(index, [tmp_path], clock(NOW + 10))
    go(index, slurm, NOW + 70)
    update(index, [tmp_path], clock(NOW + 80))
    (row,) = rows(index)
    assert row.metered_joules == pytest.approx(60 * JOULES) and row.state == "COMPLETED"
    slurm.tell()
    go(index, slurm, NOW + 140)
    assert rows(index) == [row]


def test_a_running_job_without_a_cluster_ends_too(tmp_path: Path) -> None:
    index, slurm = memory(), Slurm(RUNNING, cluster="alpha")
    add(tmp_path, "7", *spans(60))
    update(index, [tmp_path], clock(NOW))
    go(index, slurm, NOW)
    assert [row.state for row in index.running()] == ["RUNNING"]
    slurm.tell()
    go(index, slurm, NOW + 60)
    assert index.running() == []


def test_one_id_on_two_clusters_is_two_jobs(tmp_path: Path) -> None:
    index, slurm = memory(), Slurm(DONE, DONE._replace(cluster="beta", state="FAILED"))
    add(tmp_path, "7@beta", *spans(60))
    update(index, [tmp_path], clock(NOW))
    go(index, slurm, NOW)
    assert [(row.cluster, row.state, bool(row.origin)) for row in rows(index)] == [
        ("alpha", "COMPLETED", False),
        ("beta", "FAILED", True),
    ]


def test_what_is_measured_and_kept_stays_when_slurm_speaks(tmp_path: Path) -> None:
    index, slurm = memory(), Slurm(DONE)
    add(tmp_path, "7@alpha", *spans(60))
    update(index, [tmp_path], clock(NOW))
    before = rows(index)[0]
    go(index, slurm, NOW)
    row = rows(index)[0]
    assert row.metered_joules == before.metered_joules and row.days == before.days
    assert row.state == "COMPLETED"
    update(index, [tmp_path], clock(NOW + 1))
    assert rows(index) == [row]


ASK = """
import sys, time
from pathlib import Path
from jobwatt.history.index_file import open_index
from jobwatt.history.slurm_cache import refresh
from jobwatt.slurm.ask import Answer
def ask(since):
    print("asked", flush=True)
    time.sleep(1)
    return Answer(source="sacct", accounting=True)
refresh(open_index(Path(sys.argv[1])), ask, 0.0, 5000.0, 60.0)
"""


def test_of_many_processes_one_asks(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASK, str(tmp_path / "index.sqlite")]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(4)
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(said) == ["", "", "", "asked\n"]


