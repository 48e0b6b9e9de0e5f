"""The median of a job's earlier runs, and which those are."""

from __future__ import annotations

from typing import Any

import pytest

from jobwatt.history.compare import COMMON_NAMES, QUANTITIES, earlier, middle
from jobwatt.history.rows import JobRow

JOB = JobRow("100", "a", name="train", command="sbatch train.sh", state="COMPLETED",
             start_wall_seconds=1000.0, metered_joules=50.0)  # fmt: skip
ENERGY = next(quantity for quantity in QUANTITIES if quantity.name == "metered_joules")


def run(number: int, **changes: Any) -> JobRow:
    known = JOB._replace(job=str(number), start_wall_seconds=float(number), metered_joules=number)
    return known._replace(**changes)


def test_the_same_command_completed_comes_first() -> None:
    runs = [run(n) for n in (1, 2, 9)] + [run(n, command="sbatch other.sh") for n in (20, 21, 22)]
    found = earlier(JOB, runs)
    assert (found.runs, found.rule) == (3, "that completed with the same command")
    assert found.medians["metered_joules"] == 2.0 and found.medians["gpus"] is None


def test_then_the_same_name_completed_then_all_that_ended() -> None:
    other = [run(n, command="x") for n in (10, 20)]
    found = earlier(JOB, [run(1), run(2), *other])
    assert (found.runs, found.rule) == (4, "that completed")
    failed = [run(n, state="FAILED") for n in (1, 2)]
    found = earlier(JOB, [*failed, run(5)])
    assert (found.runs, found.rule) == (3, "that ended in any way")
    assert earlier(JOB, [run(5)]).runs == 1
    assert earlier(JOB, []).runs == 0
    assert earlier(JOB, []).medians["metered_joules"] is None


def test_what_is_no_earlier_run() -> None:
    runs = [
        JOB,
        run(1, state="RUNNING"),
        run(2, state="PENDING"),
        run(1001),
        run(1000, start_wall_seconds=1000.0),
        JOB._replace(cluster="b", start_wall_seconds=5.0),
    ]
    found = earlier(JOB, runs)
    assert found.runs == 1  # the one of the other cluster


@pytest.mark.parametrize("name", sorted(COMMON_NAMES))
def test_a_name_that_says_nothing_needs_the_same_command(name: str) -> None:
    job = JOB._replace(name=name)
    runs = [run(n, name=name, command="x") for n in range(5)] + [run(7, name=name)]
    found = earlier(job, runs)
    assert (found.runs, found.rule) == (1, "that ended in any way with the same command")
    assert earlier(job._replace(command=""), runs).runs == 0


def test_medians_of_what_is_known() -> None:
    rows = [run(n) for n in (1, 3)] + [run(4, metered_joules=None)]
    assert middle(ENERGY, rows) == 2.0
    assert middle(ENERGY, []) is None


def test_every_quantity_has_its_unit_and_a_label_of_its_own() -> None:
    names = [quantity.name for quantity in QUANTITIES]
    assert set(names) <= set(JobRow._fields) and len(set(names)) == len(names)
    assert len({quantity.label for quantity in QUANTITIES}) == len(names)
    for number, quantity in enumerate(QUANTITIES):
        row = JobRow("7")._replace(**{quantity.name: number})  # type: ignore[arg-type]
        assert quantity.value(row) == number
