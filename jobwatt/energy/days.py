"""A job's metered energy by day: each device's joules where its own readings put them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from jobwatt.energy.merge import METERED
from jobwatt.journal.reader import Journal
from jobwatt.model import Account
from jobwatt.sources.base import NODE

DayOf = Callable[[float], str]
"""Unix seconds -> the local day, `2026-11-25`."""


def joules_by_day(account: Account, journals: Sequence[Journal], day_of: DayOf) -> dict[str, float]:
    """Metered joules of the account by day of their reading; their sum is the metered total.

    A share of a package is spread over the days as the package's own energy is.
    """
    totals = {
        (device.node, device.device_id): device.energy.joules
        for device in account.devices
        if device.device_kind != NODE
        and device.energy.kind in METERED
        and device.energy.joules is not None
    }
    end = account.start_wall_seconds + account.duration_seconds
    first = day_of(account.start_wall_seconds)
    if not totals:
        return {}
    if day_of(end) == first:
        return {first: sum(totals.values())}
    parts: dict[tuple[str, str], dict[str, float]] = {}
    for journal in journals:
        node = str(journal.head.get("node", ""))
        days = _runs(journal.wall_seconds, day_of)
        columns = (*journal.gpu_columns, *journal.other_columns)
        for device, own in zip((*journal.gpus, *journal.others), columns, strict=True):
            if (node, device.id) not in totals:
                continue
            found = parts.setdefault((node, device.id), {})
            for day, begin, finish in days:
                energies = own["energy_joules"][begin:finish]
                found[day] = found.get(day, 0.0) + sum(e for e in energies if e is not None)
    return _spread(totals, parts, first)


def _spread(
    totals: dict[tuple[str, str], float],
    parts: dict[tuple[str, str], dict[str, float]],
    first: str,
) -> dict[str, float]:
    by_day: dict[str, float] = {}
    for key, joules in totals.items():
        found = parts.get(key, {})
        whole = sum(found.values())
        shares = {day: part / whole for day, part in found.items()} if whole > 0 else {first: 1.0}
        for day, share in shares.items():
            by_day[day] = by_day.get(day, 0.0) + joules * share
    return dict(sorted(by_day.items()))


def _runs(walls: Sequence[float | None], day_of: DayOf) -> list[tuple[str, int, int]]:
    """Days with the spans that end in them, as ranges. A quarter of an hour is looked up once."""
    known: dict[int, str] = {}

    def day(wall: float | None) -> str:
        quarter = int((wall or 0.0) // 900)  # no time zone's midnight is within a quarter
        if quarter not in known:
            known[quarter] = day_of(quarter * 900.0)
        return known[quarter]

    runs, start = [], 0
    for name, group in groupby(walls, key=day):
        length = sum(1 for _ in group)
        runs.append((name, start, start + length))
        start += length
    return runs
