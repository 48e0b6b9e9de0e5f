"""A journal with one line a minute: the same format, the same joules and the same coverage. Pure.

Minimum, maximum, mean and sum of the lines that one stands in for. Lines in which other devices are
unknown are never put together, so that no joule is spread over time that nobody metered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from jobwatt.energy import integrate
from jobwatt.journal.format import (
    GPU_COLUMNS,
    NODE_COLUMNS,
    POWER_COLUMNS,
    SELF_COLUMNS,
    STEP_COLUMNS,
    TIME_COLUMNS,
)
from jobwatt.journal.reader import Column, Journal

MINUTE_SECONDS = 60.0
THINNED = "condensed_seconds"
"""Key of the head that says so."""

Merge = Callable[[Column, Column], float | None]


def _plain(value: float | None) -> float | None:
    """With four digits, so that it is written without an exponent, which no journal has."""
    return None if value is None else round(value, 4)


def _total(column: Column, lengths: Column) -> float | None:
    return _plain(integrate.known_sum(column))


def _low(column: Column, lengths: Column) -> float | None:
    return _plain(min(integrate.known(column), default=None))


def _high(column: Column, lengths: Column) -> float | None:
    return _plain(integrate.peak(column))


def _mean(column: Column, lengths: Column) -> float | None:
    value = integrate.mean_over_time(column, lengths)
    return None if value is None else round(value, 2)


def _bits(column: Column, lengths: Column) -> float | None:
    return integrate.bits(column)


def _last(column: Column, lengths: Column) -> float | None:
    return _plain(column[-1])


_MERGES: dict[str, Merge] = {
    "time_seconds": _last,
    "wall_seconds": _last,
    "event_reasons": _bits,
}


def _merge_of(name: str) -> Merge:
    """How cells of this column become one, by what its name says."""
    if name in _MERGES:
        return _MERGES[name]
    for word, merge in (("_min_", _low), ("_max", _high), ("_mean_", _mean)):
        if word in name:
            return merge
    return _total


def thinned(journal: Journal) -> bytes:
    """The text of the journal with one line a minute; events and the end as they were."""
    names = [*TIME_COLUMNS]
    for _ in journal.gpus:
        names += GPU_COLUMNS
    for _ in journal.others:
        names += POWER_COLUMNS
    names += (*STEP_COLUMNS, *NODE_COLUMNS, *SELF_COLUMNS)
    merges = [_merge_of(name) for name in names]
    columns = _columns(journal)
    energies = [index for index, name in enumerate(names) if name == "energy_joules"]
    head = {**journal.head, THINNED: MINUTE_SECONDS}
    lines: list[Any] = [head]

    def stretch(row: Sequence[float | None]) -> tuple[int, tuple[bool, ...]]:
        # The middle of a span: its end may fall on the minute.
        middle = (row[0] or 0.0) - (row[1] or 0.0) / 2
        return int(middle // MINUTE_SECONDS), tuple(row[index] is None for index in energies)

    for _, rows in groupby(zip(*columns, strict=True), key=stretch):
        cells = list(zip(*rows, strict=True))
        lines.append([m(cell, cells[1]) for m, cell in zip(merges, cells, strict=True)])
    lines += journal.events
    if journal.end is not None:
        lines.append({"t": journal.last_seconds, "end": journal.end})
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def is_thinned(journal: Journal) -> bool:
    """Whether it has one line a minute already."""
    return THINNED in journal.head


def difference(before: Journal, after: Journal) -> str:
    """What of the journal got lost, in words; empty if all of it is there."""
    for column in ("gpu_columns", "other_columns"):
        pairs = zip(getattr(before, column), getattr(after, column), strict=True)
        for old, new in pairs:
            for name in ("energy_joules", "idle_energy_joules"):
                if name in old and not _same(
                    integrate.known_sum(old[name]), integrate.known_sum(new[name])
                ):
                    return f"{name} differ"
            covered = (
                integrate.covered_seconds(own["energy_joules"], journal.length_seconds)
                for own, journal in ((old, before), (new, after))
            )
            if not _same(*covered):
                return "the covered time differs"
    if (before.events, before.end) != (after.events, after.end):
        return "events differ"
    if not _same(before.last_seconds, after.last_seconds):
        return "the end differs"
    return ""


def _same(a: float | None, b: float | None) -> bool:
    """Within what rounding to four digits does to a sum."""
    if a is None or b is None:
        return a is b
    return abs(a - b) <= 1e-6 * abs(a) + 0.01


def _columns(journal: Journal) -> list[Column]:
    found: list[Column] = [journal.time_seconds, journal.length_seconds, journal.wall_seconds]
    for own in (*journal.gpu_columns, *journal.other_columns):
        found += own.values()
    for group in (journal.step_columns, journal.node_columns, journal.self_columns):
        found += group.values()
    return found
