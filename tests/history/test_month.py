"""A month of rows: what is counted where, and what is never added to what."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.history.month import CPU_AND_MEMORY, build_month
from jobwatt.history.month_model import Breakdown, Month
from jobwatt.history.periods import periods
from jobwatt.history.rows import JobRow
from tests.history.month_rows import DAY, NOW, measured, row, two_months, wall

TODAY = wall("2026-11-25 00:00")
EDGE = wall("2026-10-27 00:00")


@pytest.fixture(autouse=True, scope="module")
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def month(rows: Sequence[JobRow], wish: str = "") -> Month:
    return build_month(rows, *periods(wish, NOW), NOW)


def told(breakdown: Breakdown) -> dict[str, tuple[float | None, int]]:
    return {one.label: (one.energy_joules, one.jobs) for one in breakdown.slices}


def test_nothing() -> None:
    found = month([])
    assert found.totals.metered.joules is None
    assert found.totals.metered.kind == "unavailable"
    assert found.totals.jobs == found.totals.jobs_measured == 0
    assert found.day_joules == (0.0,) * 30
    assert found.largest == () and found.names.slices == ()


def test_one_job() -> None:
    found = month([measured("1", TODAY + 3600, 4000.0)])
    totals = found.totals
    assert totals.metered.joules == 4000.0
    assert (totals.metered.low_joules, totals.metered.high_joules) == pytest.approx((3600, 4400))
    assert totals.metered.kind == "measured"
    assert found.day_joules == (0.0,) * 29 + (4000.0,)
    assert totals.power_mean_watts == pytest.approx(4000 / (NOW - EDGE))
    assert (totals.gpu_idle_joules, totals.gpu_idle_seconds) == pytest.approx((300, 720))
    assert totals.gpu_held_seconds == totals.gpu_held_measured_seconds == 3600
    assert (totals.coverage, totals.gpu_utilization_mean_percent) == pytest.approx((0.98, 80))
    assert told(found.outcomes) == {"completed": (4000.0, 1)}
    assert told(found.gpu_models) == {
        "NVIDIA H100 80GB HBM3": (3000.0, 1), CPU_AND_MEMORY: (1000.0, 1)
    }  # fmt: skip
    assert [(one.row.job, one.energy.joules, one.share, one.whole) for one in found.largest] == [
        ("1", 4000.0, 1.0, True)
    ]
    assert found.totals_before.metered.joules is None


def test_rounding_takes_nothing_from_all_of_it() -> None:
    names = ("a", "b", "c", "d")
    rows = [
        measured(str(n), TODAY + n, 0.1 * (n + 1), 60.0, name=names[n % 4], cluster=str(n % 3))
        for n in range(200)
    ]
    found = month(rows)
    assert found.accounts.slices[0].jobs == found.totals.jobs_measured == 200
    assert found.accounts.slices[0].energy_joules != found.totals.metered.joules  # summed otherwise
    assert [one.share for one in found.accounts.slices] == [1.0]


def test_coverage_is_that_of_the_whole_time_of_the_jobs() -> None:
    """Half of an hour, all of an hour, nothing told of a third one's length."""
    half = measured("1", TODAY, 4.0, coverage=1.0, measured_seconds=1800.0)
    whole = measured("2", TODAY, 4.0, coverage=1.0)
    assert month([half, whole]).totals.coverage == pytest.approx(0.75)
    untold = measured("3", TODAY, 4.0, coverage=0.5, elapsed_seconds=None)
    assert month([half, whole, untold]).totals.coverage == pytest.approx(2 / 3)


def test_a_job_across_the_edge_is_in_both_in_its_parts() -> None:
    """Six hours before, twelve after: all that hangs on its energy goes in proportion."""
    found = month([measured("1", EDGE - 6 * 3600, 18e6, 18 * 3600.0, estimated_joules=900.0)])
    now, before = found.totals, found.totals_before
    assert (before.metered.joules, now.metered.joules) == pytest.approx((6e6, 12e6))
    assert (found.day_joules_before[-1], found.day_joules[0]) == pytest.approx((6e6, 12e6))
    assert (before.gpu_idle_joules, now.gpu_idle_joules) == pytest.approx((0.45e6, 0.9e6))
    assert (before.estimated_joules, now.estimated_joules) == pytest.approx((300, 600))
    assert (before.gpu_held_seconds, now.gpu_held_seconds) == pytest.approx((6 * 3600, 12 * 3600))
    assert now.metered.low_joules == pytest.approx(0.9 * 12e6)
    assert (before.jobs, now.jobs) == (1, 1)
    assert found.largest[0].energy.joules == pytest.approx(12e6)
    assert not found.largest[0].whole


def test_days_beyond_both_periods_count_in_neither() -> None:
    found = month([measured("1", wall("2026-09-26 12:00"), 24e6, 24 * 3600.0)])
    assert found.totals_before.metered.joules == pytest.approx(12e6)
    assert found.totals.jobs == 0
    october = month([measured("1", wall("2026-10-28 12:00"), 1e6)], "2026-11")
    assert october.totals.jobs == october.totals_before.jobs == 0  # after the 25th


def test_unknown_is_not_nothing() -> None:
    found = month([row("1", TODAY, gpus=None), row("2", TODAY - DAY, 7200.0, gpus=4)])
    assert found.totals.metered.joules is None and found.totals.no_result_joules is None
    assert (found.totals.jobs, found.totals.jobs_measured) == (2, 0)
    assert found.day_joules[-3:] == (0.0, None, None)
    assert found.totals.gpu_held_seconds == 4 * 7200
    assert found.totals.gpu_held_measured_seconds == 0
    assert told(found.names) == {"train": (None, 2)}
    assert found.names.slices[0].share is None


def test_a_day_with_a_measured_job_is_known() -> None:
    found = month([row("1", TODAY), measured("2", TODAY, 5.0)])
    assert found.day_joules[-1] == 5.0


def test_estimates_and_imports_are_in_no_total() -> None:
    rows = [
        measured("1", TODAY, 100.0, estimated_joules=40.0),
        row("2", TODAY, origin="measured", estimated_joules=30.0),
        row("3", TODAY, origin="imported: CodeCarbon", estimated_joules=7.0, gpus=8),
        row("4", TODAY, origin="imported: x", metered_joules=9.0, days='{"2026-11-25": 9.0}'),
    ]
    found = month(rows)
    assert found.totals.metered.joules == sum(found.day_joules[-1:]) == 100.0  # type: ignore[arg-type]
    assert found.totals.estimated_joules == 70.0
    assert (found.totals.imported_joules, found.totals.imported_estimated_joules) == (9.0, 7.0)
    assert (found.totals.jobs, found.totals.jobs_measured, found.totals.jobs_imported) == (2, 2, 2)
    assert found.totals.gpu_held_seconds == 2 * 3600
    assert told(found.names) == {"train": (100.0, 2)}
    assert [one.row.job for one in found.largest] == ["1"]


def test_no_result_and_cancelled_are_apart() -> None:
    states = ("FAILED", "OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "CANCELLED", "RUNNING", "NEW")
    found = month([measured(s, TODAY, 10.0 * 2**i, state=s) for i, s in enumerate(states)])
    totals = found.totals
    assert (totals.no_result_joules, totals.no_result_jobs) == (150.0, 4)
    assert (totals.cancelled_joules, totals.cancelled_jobs) == (160.0, 1)
    assert [one.label for one in found.outcomes.slices] == [
        "failed", "out of memory", "timed out", "node failure", "cancelled", "running", "unknown"
    ]  # fmt: skip


def test_what_has_not_run_is_not_counted() -> None:
    pending = row("1", TODAY, state="PENDING")._replace(start_wall_seconds=None)
    planned = row("2", TODAY, state="PENDING", elapsed_seconds=0.0)
    never_ran = row("3", TODAY, 0.0, state="CANCELLED")
    assert month([pending, planned, never_ran]).totals.jobs == 0
    assert month([row("4", TODAY, 0.0, state="FAILED")]).totals.jobs == 1


def test_a_running_job_holds_its_gpus_until_now() -> None:
    running = row("1", NOW - 600, state="RUNNING", gpus=2, elapsed_seconds=5.0)
    found = month([running._replace(end_wall_seconds=None)])
    assert found.totals.gpu_held_seconds == 1200


def test_the_top_five_and_the_others() -> None:
    pairs = [(i, n) for i in range(1, 9) for n in (0, 1)]
    rows = [measured(f"{i}-{n}", TODAY, 10.0 * i, name=f"n{i}") for i, n in pairs]
    names = month(rows).names
    assert [one.label for one in names.slices] == ["n8", "n7", "n6", "n5", "n4"]
    assert names.others is not None
    assert (names.others.energy_joules, names.others.jobs, names.others_labels) == (120.0, 6, 3)
    shares = [one.share or 0 for one in (*names.slices, names.others)]
    assert sum(shares) == pytest.approx(1)
    six = month([one for one in rows if one.name not in ("n1", "n2")]).names
    assert len(six.slices) == 6 and six.others is None  # one other has a name of its own


def test_gpu_models_add_up_to_the_total() -> None:
    two = json.dumps({"A, \"b\"": 20.0, "C": None})
    rows = [
        measured("1", TODAY, 100.0, gpu_models=two, gpu_joules=20.0),
        measured("2", TODAY, 50.0, gpu_models="", gpu_joules=10.0),
        measured("3", TODAY, 5.0, gpu_models="", gpu_joules=None),
    ]
    assert told(month(rows).gpu_models) == {
        CPU_AND_MEMORY: (125.0, 3), 'A, "b"': (20.0, 1), "unknown model": (10.0, 1)
    }  # fmt: skip


def test_models_hold_no_more_than_the_job() -> None:
    """A row may count an estimate among its GPUs, but not within the metered total."""
    odd = measured("1", TODAY, 10.0, gpu_models='{"A": 8.0, "B MIG 1g.5gb": 7.0}')
    assert told(month([odd]).gpu_models) == {"A": (8.0, 1), "B MIG 1g.5gb": (2.0, 1)}


def test_a_band_that_is_not_known_for_all_is_not_told() -> None:
    rows = [measured("1", TODAY, 5.0), measured("2", TODAY, 5.0, metered_low_joules=None)]
    assert month(rows).totals.metered.low_joules is None
    assert month(rows[:1]).totals.metered.low_joules == pytest.approx(4.5)


@given(st.permutations(range(40)))
def test_the_order_of_rows_is_of_no_account(order: list[int]) -> None:
    rows = two_months()[:40]
    one, other = month(rows), month([rows[place] for place in order])
    assert other.totals.metered.joules == pytest.approx(one.totals.metered.joules)
    assert [s.label for s in other.names.slices] == [s.label for s in one.names.slices]


def test_everything_adds_up() -> None:
    found = month(two_months())
    total = found.totals.metered.joules
    assert total is not None and total > 0
    assert sum(day or 0.0 for day in found.day_joules) == pytest.approx(total)
    for parts in (found.outcomes, found.names, found.accounts, found.partitions, found.gpu_models):
        slices = [*parts.slices, *([parts.others] if parts.others else [])]
        assert sum(one.energy_joules or 0.0 for one in slices) == pytest.approx(total)
    assert None in found.day_joules
