"""`jobwatt month` in a terminal: the screens as people see them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobwatt.history.month import build_month
from jobwatt.history.month_model import Month
from jobwatt.history.periods import periods
from jobwatt.history.rows import JobRow
from jobwatt.views.clean import to_ascii, width
from jobwatt.views.month import month_lines
from jobwatt.views.month_say import change, facts
from jobwatt.views.plot import ASCII, BLOCKS, BRAILLE, Glyphs
from tests.history.month_rows import NOW, measured, row, two_months, wall
from tests.screens import check_screen

pytestmark = pytest.mark.usefixtures("utc")

TODAY = wall("2026-11-25 01:00")


def month(rows: list[JobRow], wish: str = "") -> Month:
    return build_month(rows, *periods(wish, NOW), NOW)


def screen(found: Month, columns: int, glyphs: Glyphs = BRAILLE) -> str:
    lines = [line.plain for line in month_lines(found, columns, glyphs)]
    assert max(map(width, lines)) <= columns
    text = "\n".join(lines)
    assert "\x1b" not in text and "\u202e" not in text
    return to_ascii(text) if glyphs.is_ascii else text


@pytest.mark.parametrize(
    ("name", "columns", "glyphs", "wish"),
    [
        ("month-80", 80, BRAILLE, ""),
        ("month-200", 200, BRAILLE, ""),
        ("month-80-ascii", 80, ASCII, ""),
        ("month-november-132", 132, BLOCKS, "2026-11"),
        ("month-october-60", 60, BRAILLE, "2026-10"),
    ],
)
def test_screens(name: str, columns: int, glyphs: Glyphs, wish: str) -> None:
    text = screen(month(two_months(), wish), columns, glyphs)
    check_screen(name, text)
    assert len(text.splitlines()) <= {80: 48, 132: 48, 200: 49}.get(columns, 70)
    assert not glyphs.is_ascii or text.isascii()


def test_the_essential_is_within_24_lines() -> None:
    top = screen(month(two_months()), 80).splitlines()[:24]
    for word in ("total", "no result", "cancelled", "GPU idle", "before", "Energy by day"):
        assert any(word in line for line in top), word


def test_the_smallest_terminals_keep_the_figures() -> None:
    for columns in (20, 40, 50, 79):
        lines = [line.plain for line in month_lines(month(two_months()), columns, BRAILLE)]
        assert any("total" in line for line in lines)
        assert any("428 kWh" in line and "-9.2 %" in line for line in lines)


def test_a_day_of_which_nothing_is_known_is_a_gap() -> None:
    rows = [measured("1", TODAY, 100.0), row("2", TODAY - 86400)]
    lines = screen(month(rows), 80).splitlines()
    lowest = next(line for line in lines if line.startswith("      0 J │"))
    bars = lowest.partition("│")[2].ljust(60)
    # Two columns a day: known zeros are a line, the 29th day is a gap, the last one full.
    assert bars[54:60] == "▁ " + "  " + "█ "


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "jobwatt: nothing measured from 27 Oct to 25 Nov 2026; "
             "to begin, write srun-green in place of srun"),
        ([row("1", TODAY)], "jobwatt: none of 1 job measured from 27 Oct to 25 Nov 2026; "
                            "to begin, write srun-green in place of srun"),
        ([measured("1", TODAY - 40 * 86400, 7200.0)],
         "jobwatt: nothing measured from 27 Oct to 25 Nov 2026 (from 27 Sep to 26 Oct: 2.00 Wh); "
         "to begin, write srun-green in place of srun"),
    ],
)  # fmt: skip
def test_no_month_of_data_is_one_line(rows: list[JobRow], said: str) -> None:
    assert screen(month(rows), 132) == said


def test_estimates_alone() -> None:
    text = screen(month([row("1", TODAY, origin="measured", estimated_joules=7200.0)]), 80)
    assert "total      unavailable: no meter was read" in text
    assert "estimated  2.00 Wh, not in the total" in text
    assert "Energy by day" not in text


def test_without_gpus_nothing_is_said_of_gpus() -> None:
    one = measured("1", TODAY, 100.0, gpus=0, gpu_models="", gpu_joules=None,
                   gpu_idle_joules=None, utilization_mean_percent=None)  # fmt: skip
    assert "GPU" not in screen(month([one]), 80).replace("GPUs", "", 1)


def test_where_slurm_told_nothing() -> None:
    text = screen(month([measured("1", TODAY, 100.0, source="journal")]), 80)
    assert "jobs       1 measured; Slurm told of none, covers 98 %" in text


def test_a_time_that_no_calendar_has() -> None:
    found = month([measured("1", TODAY, 100.0)])
    (one,) = found.largest
    absurd = replace(one, row=one.row._replace(start_wall_seconds=1e300))
    (line,) = [x for x in screen(replace(found, largest=(absurd,)), 132).splitlines()
               if x.startswith("1  ")]  # fmt: skip
    assert "  ?  " in line


def test_no_ratio_without_a_base() -> None:
    assert change(5.0, 0.0) == change(5.0, None) == change(None, 5.0) == ""
    assert (change(5.0, 4.0), change(3.0, 4.0)) == ("+25 %", "-25 %")
    assert (change(4.1, 4.0), change(4.0, 4.0)) == ("+2.5 %", "+0.0 %")
    assert change(400.0, 1.0) == "x 400"
    said = facts(month([measured("1", TODAY, 100.0)]))
    assert [fact.change for fact in said] == [""] * len(said)
    assert said[0].before == "nothing measured"


def test_jobs_of_several_clusters_say_which() -> None:
    rows = [measured("7", TODAY, 100.0, cluster="a"), measured("7", TODAY, 90.0, cluster="b")]
    text = screen(month(rows), 80)
    assert "7@a" in text and "7@b" in text
    assert "7@a" not in screen(month(rows[:1]), 80)


def test_every_figure_that_is_unknown_is_a_dash_or_a_word() -> None:
    found = month([measured("1", TODAY, 100.0)])
    bare = replace(found.totals, coverage=None, gpu_idle_joules=None, gpu_held_seconds=None,
                   gpu_utilization_mean_percent=None, power_mean_watts=None)  # fmt: skip
    text = screen(replace(found, totals=bare), 80)
    assert "None" not in text and "nan" not in text
    assert "GPU idle   unknown" in text
