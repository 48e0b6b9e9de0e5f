"""Which jobs a list shows, in which order, and arrays as one line."""

from __future__ import annotations

import pytest

from jobwatt.errors import UsageError
from jobwatt.history.rows import JobRow
from jobwatt.history.select import (
    SORTS,
    Filter,
    lines,
    ordered,
    states,
    without_result,
    words,
)

ROWS = [
    JobRow("9", name="b", state="COMPLETED", account="nlp", partition="gpu", origin="measured",
           start_wall_seconds=30.0, metered_joules=5.0),
    JobRow("10", name="a", state="FAILED", account="cv", partition="cpu",
           start_wall_seconds=20.0, metered_joules=7.0),
    JobRow("8", name="train-1", state="RUNNING", account="nlp", partition="gpu",
           start_wall_seconds=10.0),
    JobRow("11", name="train-2", state="PENDING", submit_wall_seconds=25.0),
]  # fmt: skip


def ids(rows: list[JobRow]) -> list[str]:
    return [row.job for row in rows]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), ["9", "10", "8"]),
        (Filter(states("pd")), ["11"]),
        (Filter(states("F,CD")), ["9", "10"]),
        (Filter(states("failed running")), ["10", "8"]),
        (Filter(name="train-*"), ["8"]),
        (Filter(name="?"), ["9", "10"]),
        (Filter(name="TRAIN-*"), []),
        (Filter(accounts=words("nlp,cv")), ["9", "10", "8"]),
        (Filter(accounts=("nlp",), partitions=("gpu",)), ["9", "8"]),
        (Filter(measured=True), ["9"]),
    ],
)
def test_filters(wanted: Filter, found: list[str]) -> None:
    assert ids([row for row in ROWS if wanted.takes(row)]) == found


def test_a_state_that_is_none() -> None:
    assert states("") == frozenset()
    with pytest.raises(UsageError, match="no state 'FAIL'") as caught:
        states("F,FAIL")
    assert "FAILED" in caught.value.hint


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("", ["9", "11", "10", "8"]),
        ("start", ["9", "11", "10", "8"]),
        ("-start", ["8", "10", "11", "9"]),
        ("id", ["11", "10", "9", "8"]),
        ("-id", ["8", "9", "10", "11"]),
        ("name", ["10", "9", "8", "11"]),
        ("-name", ["11", "8", "9", "10"]),
        ("energy", ["10", "9", "8", "11"]),
        ("-energy", ["9", "10", "8", "11"]),
    ],
)
def test_orders_with_the_unknown_last(sort: str, found: list[str]) -> None:
    assert [line.row.job for line in ordered(lines(ROWS, True), sort)] == found


@pytest.mark.parametrize("sort", ["x", "--start", "start-", "Energy"])
def test_a_column_that_is_none(sort: str) -> None:
    with pytest.raises(UsageError, match="cannot sort") as caught:
        ordered(lines(ROWS, True), sort)
    assert "energy" in caught.value.hint


def test_every_column_orders_any_rows() -> None:
    rows = [*ROWS, JobRow("local-5", state="", elapsed_seconds=1.0), JobRow("²")]
    for sort in SORTS:
        for direction in ("", "-"):
            found = ordered(lines(rows, True), direction + sort)
            assert sorted(line.row.job for line in found) == sorted(ids(rows))


def test_an_array_is_one_line_at_its_first_task() -> None:
    tasks = [JobRow(str(20 + n), "a", array_job="20", array_task=str(n)) for n in range(3)]
    rows = [tasks[1], ROWS[0], tasks[0], tasks[2], tasks[0]._replace(cluster="b")]
    found = lines(rows, every_task=False)
    assert [(line.row.shown_id, len(line.rows), line.is_array) for line in found] == [
        ("20_1", 3, True),
        ("9", 1, False),
        ("20_0", 1, False),
    ]
    assert [line.row for line in lines(rows, every_task=True)] == rows
    assert lines([], False) == []


def test_an_array_is_ordered_by_what_its_line_shows() -> None:
    """The sum of its energies, the time from its first start to its last end."""
    tasks = [
        JobRow(str(20 + n), array_job="20", array_task=str(n), start_wall_seconds=100.0 * n,
               elapsed_seconds=50.0, metered_joules=3.0, gpus=n, metered_kind=kind,
               utilization_mean_percent=10.0 * n, state="COMPLETED")
        for n, kind in enumerate(("measured", "attributed", "measured"))
    ]  # fmt: skip
    alone = JobRow("9", start_wall_seconds=0.0, elapsed_seconds=200.0, metered_joules=8.0)
    found = lines([alone, *tasks], every_task=False)
    assert [line.row.job for line in ordered(found, "energy")] == ["20", "9"]
    assert [line.row.job for line in ordered(found, "elapsed")] == ["20", "9"]
    row = ordered(found, "energy")[0].row
    assert (row.metered_joules, row.elapsed_seconds, row.gpus) == (9.0, 250.0, 2)
    assert (row.metered_kind, row.utilization_mean_percent) == ("attributed", 10.0)


def test_a_job_named_as_an_array_is_not_in_it() -> None:
    rows = [JobRow("5", array_job="4", array_task="0"), JobRow("4")]
    assert len(lines(rows, False)) == 2


def test_jobs_without_result() -> None:
    states_ = ["COMPLETED", "FAILED", "CANCELLED", "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", ""]
    rows = [JobRow(state, state=state) for state in states_]
    assert ids(without_result(rows)) == ["FAILED", "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL"]
