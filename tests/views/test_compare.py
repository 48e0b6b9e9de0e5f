"""`jobwatt compare`: jobs side by side, and one beside its earlier runs."""

from __future__ import annotations

import json

import pytest

from jobwatt.history.compare import QUANTITIES, Earlier, earlier
from jobwatt.history.rows import JobRow
from jobwatt.views.clean import width
from jobwatt.views.compare import change, compare_json, comparison_lines, shown_value
from tests.history.month_rows import HOSTILE, NOW, measured, row
from tests.screens import check_screen

QUANTITY = {quantity.name: quantity for quantity in QUANTITIES}


def jobs() -> list[JobRow]:
    return [
        measured("601", NOW, 4e6, power_mean_watts=1111.0, cpus=8, metered_kind="attributed"),
        measured("602", NOW + 9, 6e6, 1800.0, name=HOSTILE, gpus=4, state="TIMEOUT",
                 array_job="600", array_task="2", cpus=0),
        measured("603", NOW + 10, 4.8e7, 7200.0, estimated_joules=5000.0, coverage=None),
    ]  # fmt: skip


def screen(rows: list[JobRow], before: Earlier | None, columns: int) -> str:
    shown = [line.plain for line in comparison_lines(rows, before, columns)]
    text = "\n".join(shown)
    tables = shown[: len(shown) - shown[::-1].index("")]  # what follows is of words
    assert max(map(width, tables)) <= columns
    assert not {"\x1b", "\u202e"} & set(text)
    return text


@pytest.mark.parametrize("columns", [80, 200])
def test_side_by_side(columns: int) -> None:
    check_screen(f"compare-{columns}", screen(jobs(), None, columns))


def test_beside_the_median_of_earlier_runs() -> None:
    runs = [measured(str(n), NOW - n, 2e6 * n, 1000.0 * n) for n in (1, 2, 3)]
    before = earlier(jobs()[0], runs)
    check_screen("compare-median-80", screen(jobs()[:1], before, 80))


def test_no_earlier_run() -> None:
    text = screen(jobs()[:1], earlier(jobs()[0], []), 80)
    assert "no earlier run named train was measured" in text and "median" not in text
    text = screen(jobs()[:1], earlier(jobs()[0], [measured("1", NOW - 5, 1.0)]), 80)
    assert "median: 1 earlier run named train that ended in any way" in text


def test_a_job_without_a_name() -> None:
    job = jobs()[0]._replace(name="", command="sbatch x")
    text = screen([job], earlier(job, []), 80)
    assert text.endswith("\n\nenergy: attributed; estimates are not in it\n"
                         "no earlier run with the same command was measured")  # fmt: skip
    runs = [measured(str(n), NOW - n, 2e6, name="", command="sbatch x") for n in (1, 2, 3)]
    text = screen([job], earlier(job, runs), 80)
    assert "\nmedian: 3 earlier runs that completed with the same command" in text


def many() -> list[JobRow]:
    return [measured(str(700 + n), NOW + n, 4e6 + 1e5 * n, 1000.0 + n) for n in range(9)]


def test_more_jobs_than_fit_side_by_side() -> None:
    check_screen("compare-9-80", screen(many(), None, 80))


@pytest.mark.parametrize("columns", range(20, 200, 9))
@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_all_changes_are_shown_or_none(count: int, columns: int) -> None:
    """Every job once beside the first one, which is in every group."""
    text = screen(many()[:count], None, columns)
    heads = [line.replace("vs 700", "change").split() for line in text.splitlines()
             if line.startswith("   ") and " 700 " in line]  # fmt: skip
    assert heads and all(head[0] == "700" for head in heads)
    found = [word for head in heads for word in head[1:]]
    jobs_shown = [word for word in found if word != "change"]
    if columns >= 50:
        assert jobs_shown == [str(700 + n) for n in range(1, count)]
        assert found.count("change") in (0, count - 1)


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [
        (110.0, 100.0, "+10 %"),
        (70.0, 100.0, "-30 %"),
        (100.0, 100.0, "+0 %"),
        (0.0, 100.0, "-100 %"),
        (999.0, 100.0, "+899 %"),
        (1200.0, 100.0, "x 12"),
        (5.0, 0.0, ""),
        (None, 5.0, ""),
        (5.0, None, ""),
    ],
)
def test_changes(now: float | None, then: float | None, said: str) -> None:
    assert change(now, then) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("metered_joules", 3.6e6, "1.00 kWh"),
        ("power_mean_watts", 1250.0, "1.25 kW"),
        ("elapsed_seconds", 3600.0, "1 h 00 min"),
        ("utilization_mean_percent", 80.0, "80 %"),
        ("coverage", 0.5, "50 %"),
        ("gpus", 4.0, "4"),
        ("gpus", None, "-"),
        ("coverage", None, "-"),
        ("metered_joules", None, "-"),
        ("metered_joules", 0.0, "0 J"),
    ],
)
def test_values_with_their_units(name: str, value: float | None, said: str) -> None:
    assert shown_value(QUANTITY[name], value) == said


def test_what_no_job_has_is_no_line() -> None:
    text = screen([measured("1", NOW, 5.0), row("2", NOW)], None, 80)
    assert "memory" not in text and "estimated" not in text.split("\n\n")[0]


def test_json() -> None:
    rows = jobs()
    document = json.loads(compare_json(rows, None))
    assert [job["job"] for job in document["jobs"]] == ["601", "602", "603"]
    assert document["earlier"] is None and document["schema"] == 1
    assert document["jobs"][0]["metered_joules"] == 4e6
    before = earlier(rows[0], [measured("1", NOW - 1, 7.0)])
    document = json.loads(compare_json(rows[:1], before))
    assert document["earlier"]["runs"] == 1
    assert document["earlier"]["medians"]["metered_joules"] == 7.0
    assert document["earlier"]["medians"]["estimated_joules"] is None
