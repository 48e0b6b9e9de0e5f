"""The stretch of time that `jobwatt month` looks at, and the one it is compared with. Pure.

Days are those of the process's own time zone, as in `JobRow.days`.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from jobwatt.errors import UsageError

LAST_DAYS = 30
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_FIRST_YEAR = 1970
_LAST_YEAR = 9998


@dataclass(frozen=True)
class Period:
    """Whole local days, the last one perhaps under way."""

    label: str
    """`last 30 days`, `November 2026`."""
    days: tuple[str, ...]
    """`2026-11-25`, in order, without a gap; days yet to come are not among them."""
    day_starts_wall_seconds: tuple[float, ...]
    end_wall_seconds: float
    """The end of the last day, or now where that has not come."""
    under_way: bool

    @property
    def start_wall_seconds(self) -> float:
        """Midnight before the first day."""
        return self.day_starts_wall_seconds[0]

    @property
    def elapsed_seconds(self) -> float:
        """From the start up to now, or to the end."""
        return max(0.0, self.end_wall_seconds - self.start_wall_seconds)

    @property
    def dates(self) -> str:
        """`27 Oct to 25 Nov 2026`; what both ends share is written once."""
        year = self.days[-1][:4]
        if self.days[0][:4] != year:
            first, last = self.days[0], self.days[-1]
            return f"{short_date(first)} {first[:4]} to {short_date(last)} {year}"
        return f"{self.short_dates} {year}"

    @property
    def short_dates(self) -> str:
        """`27 Oct to 25 Nov`, `1 to 25 Nov`: without a year."""
        first, last = short_date(self.days[0]), short_date(self.days[-1])
        if first == last:
            return last
        if self.days[0][:7] == self.days[-1][:7]:
            first = first.partition(" ")[0]
        return f"{first} to {last}"

    def overlap_seconds(self, start_wall_seconds: float, end_wall_seconds: float) -> float:
        """How much of a stretch of time lies within the period."""
        first = max(start_wall_seconds, self.start_wall_seconds)
        return max(0.0, min(end_wall_seconds, self.end_wall_seconds) - first)

    def holds(self, wall_seconds: float) -> bool:
        """Whether a moment lies within it."""
        return self.start_wall_seconds <= wall_seconds < self.end_wall_seconds

    def day_range(self, start_wall_seconds: float, end_wall_seconds: float) -> range:
        """Positions in `days` that a stretch of time touches; a moment touches its day."""
        starts = self.day_starts_wall_seconds
        if end_wall_seconds < starts[0] or start_wall_seconds >= self.end_wall_seconds:
            return range(0)
        first = max(0, bisect_right(starts, start_wall_seconds) - 1)
        return range(first, max(first + 1, bisect_left(starts, end_wall_seconds)))


def periods(wish: str, now_wall_seconds: float) -> tuple[Period, Period]:
    """The period asked for and the one before it.

    No wish: the last 30 days, today among them, and the 30 days before. `YYYY-MM`: that month
    and the month before; of a month under way the days so far, and of the month before the days
    up to the same date. UsageError: no month, or one that has not begun.
    """
    today = time.localtime(now_wall_seconds)
    if not wish:
        day = today.tm_mday
        return (
            _period(f"last {LAST_DAYS} days", today.tm_year, today.tm_mon,
                    range(day - LAST_DAYS + 1, day + 1), now_wall_seconds),
            _period(f"the {LAST_DAYS} days before", today.tm_year, today.tm_mon,
                    range(day - 2 * LAST_DAYS + 1, day - LAST_DAYS + 1), now_wall_seconds),
        )  # fmt: skip
    year, month = _parse(wish)
    if (year, month) > (today.tm_year, today.tm_mon):
        raise UsageError(f"{MONTHS[month - 1]} {year} has not begun")
    previous = (year, month - 1) if month > 1 else (year - 1, 12)
    days, days_before = _length(year, month), _length(*previous)
    label_before = f"{MONTHS[previous[1] - 1]} {previous[0]}"
    if (year, month) == (today.tm_year, today.tm_mon):
        days = today.tm_mday
        if days < days_before:
            days_before = days
            label_before = f"1 to {days} {label_before}" if days > 1 else f"1 {label_before}"
    return (
        _period(f"{MONTHS[month - 1]} {year}", year, month, range(1, days + 1), now_wall_seconds),
        _period(label_before, *previous, range(1, days_before + 1), now_wall_seconds),
    )


def _parse(wish: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})", wish)
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (_FIRST_YEAR < year <= _LAST_YEAR and 1 <= month <= 12):
        raise UsageError(f"{wish[:40]!r} is no month", "write it as YYYY-MM: jobwatt month 2026-11")
    return year, month


def _length(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _period(label: str, year: int, month: int, days: range, now_wall_seconds: float) -> Period:
    """`days` count from the first of the month, also below 1: mktime puts them right."""
    starts = tuple(_midnight(year, month, day) for day in days)
    end = _midnight(year, month, days[-1] + 1)
    return Period(
        label,
        # Noon: where summer time begins at midnight, that is not on the clock.
        tuple(time.strftime("%Y-%m-%d", time.localtime(start + 43200)) for start in starts),
        starts,
        min(end, now_wall_seconds),
        end > now_wall_seconds,
    )


def _midnight(year: int, month: int, day: int) -> float:
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))


def short_date(day: str) -> str:
    """`27 Oct` of `2026-10-27`."""
    return f"{int(day[8:])} {MONTHS[int(day[5:7]) - 1][:3]}"
