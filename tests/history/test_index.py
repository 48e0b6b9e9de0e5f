"""What the index answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobwatt.history.figures import Place
from jobwatt.history.index import FOR_EVER, Folder
from jobwatt.history.rows import JobRow
from tests.history.histories import memory

PLACE = Place(Path("/home/ada/history/2026-01.login1.jsonl"), 5, 7)


def ended(job: str, start: float, end: float, **known: object) -> JobRow:
    row = JobRow(job, state="COMPLETED", start_wall_seconds=start, end_wall_seconds=end)
    return row._replace(**known)  # type: ignore[arg-type]


def ids(rows: list[JobRow]) -> list[str]:
    return [row.job for row in rows]


def test_a_row_comes_back_as_it_was() -> None:
    index = memory()
    row = ended("7", 100.0, 200.0, cluster="a", name="x", steps=3, gpu_models='{"a":1}')
    index.put([(row, PLACE, 50.0), (JobRow("8"), None, 0.0)])
    assert index.row_of(("7", "a")) == row and index.row_of(("8", "")) == JobRow("8")
    assert index.row_of(("7", "")) is None and index.row_of(("7", "b")) is None
    assert index.place_of(("7", "a")) == (PLACE, 50.0)
    assert index.place_of(("8", "")) == index.place_of(("9", "")) == (None, 0.0)
    assert index.count_jobs() == 2
    index.remove(("7", "a"))
    assert index.rows_of("7") == [] and index.count_jobs() == 1


def test_jobs_that_lived_in_a_window() -> None:
    index = memory()
    running = JobRow("4", state="RUNNING", start_wall_seconds=120.0)
    pending = JobRow("5", state="PENDING", submit_wall_seconds=130.0)
    measured = JobRow("6", measured_start_wall_seconds=140.0, seen_wall_seconds=160.0)
    jobs = [ended("1", 0.0, 99.0), ended("2", 90.0, 110.0), ended("3", 150.0, 400.0)]
    index.put((row, None, 0.0) for row in (*jobs, running, pending, measured))
    assert ids(index.rows(0.0, 1000.0)) == ["3", "6", "5", "4", "2", "1"]
    assert ids(index.rows(100.0, 150.0)) == ["6", "5", "4", "2"]
    assert ids(index.rows(500.0, 600.0)) == ["5", "4"]
    assert ids(index.rows(110.0, 111.0)) == ["2"]  # the end belongs to it
    assert {row.job for row in index.running()} == {"4", "5"}
    assert ids(index.rows(FOR_EVER - 1, FOR_EVER)) == ["5", "4"]


def test_a_later_writing_wins_whichever_comes_first() -> None:
    old, new = JobRow("7", name="old"), JobRow("7", name="new")
    for order in ([(old, 10.0), (new, 20.0)], [(new, 20.0), (old, 10.0)]):
        index = memory()
        index.put((row, PLACE._replace(offset_bytes=int(wall)), wall) for row, wall in order)
        assert index.row_of(("7", "")) == new
        assert index.place_of(("7", ""))[0] == PLACE._replace(offset_bytes=20)


def test_arrays_names_and_clusters() -> None:
    index = memory()
    rows = [
        JobRow("5", "a", array_job="5", array_task="0", name="x", origin="measured"),
        JobRow("6", "a", array_job="5", array_task="1", name="x"),
        JobRow("6", "b", name="x", origin="measured", start_wall_seconds=9.0),
    ]
    index.put((row, None, 0.0) for row in rows)
    assert {row.key for row in index.tasks_of("5")} == {("5", "a"), ("6", "a")}
    assert index.tasks_of("") == []
    assert [row.key for row in index.runs_of("x")] == [("6", "b"), ("5", "a")]
    assert {row.cluster for row in index.rows_of("6")} == {"a", "b"}
    assert ids(index.rows_of("6", "b")) == ["6"]


def test_a_folder_is_reopened_by_a_later_start_alone() -> None:
    index = memory()
    folders = [
        Folder("/1", "7", "a", "s", 100.0, 1, 0),
        Folder("/2", "7", "a", "s", 300.0, 1, 0),
        Folder("/3", "8", "a", "s", 100.0, 1, 0),
        Folder("/4", "7", "a", "", 0.0, 1, -1),
    ]
    index.put_folders(folders)
    index.reopen(("7", "a"), None)
    assert index.folders("NOT settled") == []
    index.reopen(("7", "a"), 200.0)
    assert [folder.path for folder in index.folders("NOT settled")] == ["/1"]
    index.forget_folders(["/1", "/nowhere"])
    assert [folder.path for folder in index.folders()] == ["/2", "/3", "/4"]


def test_notes_files_and_parts() -> None:
    index = memory()
    assert index.note("x") == "" and index.read_file(Path("/f")) == (0, "", 0)
    assert index.part(Path("/f")) == (0, "")
    index.put_note("x", 1.5)
    index.put_note("x", 2.5)
    index.put_read_file(Path("/f"), 10, "s", 2)
    index.put_part(Path("/f"), 10, "{}")
    assert index.note("x") == "2.5" and index.read_file(Path("/f")) == (10, "s", 2)
    assert index.part(Path("/f")) == (10, "{}")
    index.put_part(Path("/f"), 0, "")
    assert index.part(Path("/f")) == (0, "")
    index.clear()
    assert index.note("x") == "" and index.read_file(Path("/f")) == (0, "", 0)


def test_a_transaction_is_all_or_nothing() -> None:
    index = memory()
    with pytest.raises(KeyboardInterrupt), index.writing():
        index.put([(JobRow("7"), None, 0.0)])
        raise KeyboardInterrupt
    assert index.count_jobs() == 0
    with index.writing():
        index.put([(JobRow("7"), None, 0.0)])
    assert index.count_jobs() == 1 and index.damage() == ""
