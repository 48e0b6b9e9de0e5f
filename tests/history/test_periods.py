"""Which days a month has, whatever the calendar and the clock do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from jobwatt.errors import UsageError
from jobwatt.history.periods import periods
from tests.history.month_rows import NOW, wall

Zone = Callable[[str], None]


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    def use(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    use("UTC")
    yield use
    monkeypatch.undo()
    time.tzset()


def test_the_last_30_days_hold_today() -> None:
    period, before = periods("", NOW)
    assert (period.days[0], period.days[-1], len(period.days)) == ("2026-10-27", "2026-11-25", 30)
    assert (before.days[0], before.days[-1], len(before.days)) == ("2026-09-27", "2026-10-26", 30)
    assert (period.start_wall_seconds, period.end_wall_seconds) == (wall("2026-10-27 00:00"), NOW)
    assert before.end_wall_seconds == period.start_wall_seconds
    assert period.under_way and not before.under_way
    assert period.dates == "27 Oct to 25 Nov 2026"
    assert period.elapsed_seconds == NOW - wall("2026-10-27 00:00")


def test_a_month_that_is_over() -> None:
    period, before = periods("2026-03", NOW)
    assert (period.days[0], len(period.days)) == ("2026-03-01", 31)
    assert (before.days[0], len(before.days)) == ("2026-02-01", 28)
    assert period.end_wall_seconds == wall("2026-04-01 00:00")
    assert not period.under_way
    assert (period.label, before.label) == ("March 2026", "February 2026")
    assert period.dates == "1 to 31 Mar 2026"


def test_a_month_under_way_is_compared_up_to_the_same_day() -> None:
    period, before = periods("2026-11", NOW)
    assert (period.days[-1], before.days[-1]) == ("2026-11-25", "2026-10-25")
    assert before.label == "1 to 25 October 2026"
    assert before.end_wall_seconds == wall("2026-10-26 00:00")


def test_the_month_before_may_be_shorter() -> None:
    _, before = periods("2027-03", wall("2027-03-30 12:00"))
    assert (before.days[-1], before.label) == ("2027-02-28", "February 2027")
    _, before = periods("2028-03", wall("2028-04-30 12:00"))
    assert before.days[-1] == "2028-02-29"


def test_january_follows_december() -> None:
    period, before = periods("2026-01", NOW)
    assert (period.days[0], before.days[0]) == ("2026-01-01", "2025-12-01")
    period, _ = periods("", wall("2027-01-10 12:00"))
    assert period.dates == "12 Dec 2026 to 10 Jan 2027"


@pytest.mark.parametrize(("name", "hours"), [("Europe/Berlin", 25), ("America/New_York", 25)])
def test_days_are_local_and_may_have_25_hours(zone: Zone, name: str, hours: int) -> None:
    zone(name)
    period, _ = periods("2026-10" if "Berlin" in name else "2026-11", wall("2026-12-24 12:00"))
    starts = [*period.day_starts_wall_seconds, period.end_wall_seconds]
    lengths = {round((b - a) / 3600) for a, b in pairwise(starts)}
    assert lengths == {24, hours}
    assert [int(day[-2:]) for day in period.days] == list(range(1, len(period.days) + 1))


def test_summer_time_that_begins_at_midnight(zone: Zone) -> None:
    zone("America/Santiago")  # 6 September 2026 has no midnight
    period, _ = periods("2026-09", NOW)
    assert [int(day[-2:]) for day in period.days] == list(range(1, 31))


@pytest.mark.parametrize(
    "wish", ["2026-13", "2026-00", "26-11", "2026", "now", "2026-11-01", "0000-01", "\u0662026-01"]
)
def test_what_is_no_month(wish: str) -> None:
    with pytest.raises(UsageError, match="is no month"):
        periods(wish, NOW)


def test_a_month_to_come() -> None:
    with pytest.raises(UsageError, match="December 2026 has not begun"):
        periods("2026-12", NOW)


def test_overlap_and_days_touched() -> None:
    period, before = periods("2026-11", NOW)
    edge = wall("2026-11-01 00:00")
    assert period.overlap_seconds(edge - 100, edge + 50) == 50
    assert before.overlap_seconds(edge - 100, edge + 50) == 0  # up to 25 October
    assert list(period.day_range(edge - 100, edge + 86400)) == [0]
    assert list(period.day_range(edge, edge + 86401)) == [0, 1]
    assert list(period.day_range(edge, edge)) == [0]
    assert list(period.day_range(NOW - 10, NOW + 1e6)) == [24]
    assert list(period.day_range(0, edge - 100)) == []
