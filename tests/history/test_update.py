"""The truth -> the index: what is new is taken in, once; the rest is left alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jobwatt.history import update
from jobwatt.history.index import Index
from jobwatt.history.slurm_cache import refresh
from jobwatt.history.update import QUIET_SECONDS, SETTLE_SECONDS
from jobwatt.history.update import update as take
from jobwatt.journal.store import steps_in
from jobwatt.slurm.ask import Answer
from jobwatt.slurm.jobs import SlurmJob
from tests.history.histories import (
    JOULES,
    MIDNIGHT,
    START,
    add,
    append,
    clock,
    memory,
    rows,
    spans,
    touch,
)
from tests.journal.journals import span


def at(index: Index, root: Path, now: float) -> list[str]:
    return take(index, [root], clock(now))


def tell(index: Index, now: float, *jobs: SlurmJob, cluster: str = "") -> None:
    answer = Answer(jobs, "sacct", cluster, True)
    assert refresh(index, lambda since: answer, now, now, 0.0) == []


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Job directories whose journals were looked into."""
    seen: list[Path] = []

    def watched(folders: Any) -> Any:
        seen.extend(folders)
        return steps_in(folders)

    monkeypatch.setattr(update, "steps_in", watched)
    return seen


def test_a_new_job_and_nothing_read_twice(tmp_path: Path, read: list[Path]) -> None:
    index = memory()
    path = add(tmp_path, "7@alpha", *spans(60))
    assert at(index, tmp_path, START + 100) == []
    (row,) = rows(index)
    assert (row.job, row.cluster, row.name, row.origin) == ("7", "alpha", "train", "measured")
    assert row.metered_joules == pytest.approx(60 * JOULES)
    assert row.metered_kind == "attributed" and row.state == "" and row.source == "journal"
    assert row.measured_seconds == pytest.approx(60.5) and row.coverage == pytest.approx(60 / 60.5)
    assert row.gpu_joules == pytest.approx(18_000) and row.cpu_joules == pytest.approx(3750)
    assert row.joules_by_day() == pytest.approx({"2023-11-14": 60 * JOULES})
    assert read == [path.parent]
    for later in (101, 500, 1e6, 1e7):
        assert at(index, tmp_path, START + later) == []
    assert read == [path.parent] and rows(index) == [row]


def test_a_second_job_in_the_same_month(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "7", *spans(5))
    at(index, tmp_path, START + 1000)
    add(tmp_path, "8", *spans(6))
    at(index, tmp_path, START + 1001)
    assert [row.job for row in rows(index)] == ["7", "8"]


def test_a_month_that_changes_at_the_time_of_the_look(tmp_path: Path) -> None:
    """The second job is made within the same time stamp of the directory."""
    index = memory()
    path = add(tmp_path, "7", *spans(5))
    month = path.parents[1]
    touch(month, START + 10)
    at(index, tmp_path, START + 11)
    add(tmp_path, "8", *spans(5))
    touch(month, START + 10)
    at(index, tmp_path, START + 12)
    assert [row.job for row in rows(index)] == ["7", "8"]


def test_a_growing_job_runs_and_then_ends(tmp_path: Path) -> None:
    index = memory()
    path = add(tmp_path, "7", *spans(20))
    at(index, tmp_path, START + 21)
    assert (rows(index)[0].state, rows(index)[0].end_wall_seconds) == ("RUNNING", None)
    append(path, *spans(20, 20), changed=START + 40)
    at(index, tmp_path, START + 41)
    assert rows(index)[0].metered_joules == pytest.approx(40 * JOULES)
    at(index, tmp_path, START + 80)  # killed: nothing more came
    row = rows(index)[0]
    assert row.state == "" and row.end_wall_seconds == pytest.approx(START + 40)


def test_settled_is_not_looked_at_until_slurm_says_that_it_runs_again(
    tmp_path: Path, read: list[Path]
) -> None:
    index = memory()
    told = SlurmJob("7", "alpha", state="COMPLETED", start_wall_seconds=START,
                    end_wall_seconds=START + 60, source="sacct")  # fmt: skip
    path = add(tmp_path, "7@alpha", *spans(60))
    at(index, tmp_path, START + 61)
    tell(index, START + 62, told)
    at(index, tmp_path, START + 60 + SETTLE_SECONDS + 1)
    assert [folder.settled for folder in index.folders()] == [1]
    read.clear()
    again = path.with_name("0.1.n1.0.jsonl")
    add(tmp_path, "7@alpha", *spans(30), name=again.name, wall_seconds=START + 9000)
    touch(again, START + 9030)
    at(index, tmp_path, START + 9031)
    assert read == []  # nobody said so
    second = told._replace(
        state="RUNNING", start_wall_seconds=START + 8999, end_wall_seconds=None, restarts=1
    )
    tell(index, START + 9032, second)
    at(index, tmp_path, START + 9033)
    (row,) = rows(index)
    assert row.metered_joules == pytest.approx(90 * JOULES)
    assert (row.state, row.end_wall_seconds, row.restarts) == ("RUNNING", None, 1)


def test_over_midnight_the_days_are_the_total(tmp_path: Path) -> None:
    index = memory()
    count = int(MIDNIGHT - START) // 10 + 100
    add(tmp_path, "7", *spans(count, length=10.0))
    at(index, tmp_path, START + 1e6)
    (row,) = rows(index)
    days = row.joules_by_day()
    assert set(days) == {"2023-11-14", "2023-11-15"}
    assert sum(days.values()) == pytest.approx(row.metered_joules, abs=0.01)
    assert days["2023-11-15"] == pytest.approx(100 * 10 * JOULES, rel=0.02)


def test_a_job_in_two_months_is_one(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "7", *spans(60))
    at(index, tmp_path, START + 61)
    later = START + 20 * 86400
    add(tmp_path, "7", *spans(30), name="1.0.n1.0.jsonl", month="2023-12", wall_seconds=later,
        changed=later + 30)  # fmt: skip
    at(index, tmp_path, later + 31)
    (row,) = rows(index)
    assert row.metered_joules == pytest.approx(90 * JOULES) and row.steps == 2
    assert sum(row.joules_by_day().values()) == pytest.approx(90 * JOULES)
    assert set(row.joules_by_day()) == {"2023-11-14", "2023-12-04"}


def test_deleted_journals_keep_their_row(tmp_path: Path) -> None:
    index = memory()
    path = add(tmp_path, "7", *spans(60))
    at(index, tmp_path, START + 61)
    before = rows(index)
    path.unlink()
    at(index, tmp_path, START + 62)
    path.parent.rmdir()
    at(index, tmp_path, START + 63)
    assert rows(index) == before and index.folders() == []


@pytest.mark.parametrize("what", ["job", "month"])
def test_a_closed_directory_hides_no_other(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read all, so the refusal is made where the kernel would make it."""
    closed = add(tmp_path, "7", *spans(5), month="2023-12").parent
    add(tmp_path, "8", *spans(5))
    refused = {"job": closed, "month": closed.parent}[what]
    scandir = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path) == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    index = memory()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", guarded)
        for later in (100, 101):
            (problem,) = at(index, tmp_path, START + later)
            assert str(refused) in problem and "cannot be read" in problem
    assert [row.job for row in rows(index)] == ["8"]
    at(index, tmp_path, START + 30 * 86400)
    assert [row.job for row in rows(index)] == ["7", "8"]


def test_damaged_lines_are_said_once(tmp_path: Path) -> None:
    index = memory()
    path = add(tmp_path, "7", *spans(5), b"[junk", span(6))
    assert at(index, tmp_path, START + 7) == ["job 7: 1 damaged journal lines left out"]
    assert at(index, tmp_path, START + 8) == []
    append(path, span(7), changed=START + 9)
    assert at(index, tmp_path, START + 9) == []
    append(path, b"{}\n", span(8), changed=START + 10)
    assert at(index, tmp_path, START + 10) == ["job 7: 1 damaged journal lines left out"]
    assert rows(index)[0].bad_lines == 2
    assert rows(index)[0].metered_joules == pytest.approx(8 * JOULES)


def test_no_good_head_is_said_and_the_rest_counts(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "8", *spans(5))
    folder = add(tmp_path, "7", *spans(1)).parent
    (folder / "0.0.n1.0.jsonl").write_bytes(b"torn")
    touch(folder / "0.0.n1.0.jsonl", START)
    (problem,) = at(index, tmp_path, START + 100)
    assert problem.startswith("job 7: ") and "first line" in problem
    assert [row.job for row in rows(index)] == ["8"]


def test_letters_that_patterns_have_are_letters(tmp_path: Path, read: list[Path]) -> None:
    root = tmp_path / "[gpu]*?"
    index = memory()
    path = add(root, "7", *spans(60))
    at(index, root, START + 100 + QUIET_SECONDS)
    assert [folder.settled for folder in index.folders()] == [1]
    add(root, "8", *spans(60))
    touch(path.parents[1], START + 200)
    at(index, root, START + 200 + QUIET_SECONDS)
    assert [folder.name for folder in read] == ["7", "8"]
