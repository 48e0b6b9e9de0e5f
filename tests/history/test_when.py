"""Times as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from jobwatt.errors import UsageError
from jobwatt.history.when import parse_time

DAY = 86400.0
NOW = 1_774_710_000.0
"""2026-03-28 16:00:00 in Berlin, the day before the clocks go forward."""


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def local(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01", "2026-01-01 00:00:00"),
        ("2026-01-01T13:05", "2026-01-01 13:05:00"),
        ("2026-01-01 13:05", "2026-01-01 13:05:00"),
        ("2026-07-01T13:05:09", "2026-07-01 13:05:09"),
        (" 2026-01-01 13:05:09 ", "2026-01-01 13:05:09"),
        ("2026-01", "2026-01-01 00:00:00"),
        ("today", "2026-03-28 00:00:00"),
        ("Yesterday", "2026-03-27 00:00:00"),
    ],
)
def test_dates_are_local(text: str, expected: str) -> None:
    assert parse_time(text, NOW, "--since") == local(expected)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", 0.0),
        ("7d", 7 * DAY),
        ("7 days", 7 * DAY),
        ("1day", DAY),
        ("now-12h", DAY / 2),
        ("12hours", DAY / 2),
        ("30m", 1800.0),
        ("30min", 1800.0),
        ("30 minutes", 1800.0),
        ("5mins", 300.0),
        ("2w", 14 * DAY),
        ("2weeks", 14 * DAY),
        ("0d", 0.0),
    ],
)
def test_so_long_ago(text: str, seconds: float) -> None:
    assert parse_time(text, NOW, "--since") == NOW - seconds


def test_before_1970_is_1970() -> None:
    for text in ("999999w", "1969-01-01", "0001-01-01"):
        assert parse_time(text, NOW, "--since") == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "7", "d", "-7d", "7.5d", "1month", "3mo", "7dx", "7h30m", "tomorrow", "2026",
        "2026-13-01", "2026-02-30", "2026-01-01T25:00", "26-01-01", "9999999d", "now-", "٧d",
    ],
)  # fmt: skip
def test_what_is_no_time_is_said_with_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="--until") as caught:
        parse_time(text, NOW, "--until")
    assert "2026-11-25" in caught.value.hint


def test_yesterday_on_the_first_and_over_a_change_of_clocks() -> None:
    assert parse_time("yesterday", local("2026-03-01 08:00:00"), "-") == local(
        "2026-02-28 00:00:00"
    )
    after = local("2026-03-30 08:00:00")
    assert parse_time("today", after, "-") - parse_time("yesterday", after, "-") == 23 * 3600
    changed = local("2026-03-29 12:00:00")
    assert changed - parse_time("today", changed, "-") == 11 * 3600
