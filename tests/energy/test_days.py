"""Energy by day: where the readings put it, and never more or less than the total."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobwatt.energy.account import account_step
from jobwatt.energy.days import joules_by_day
from jobwatt.energy.merge import total
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import Account
from jobwatt.sources.base import ESTIMATE, NODE
from tests.journal.journals import CPU0, GPU0, Row, gpu_row, head, power_row, span, write

MIDNIGHT_SECONDS = 6400.0
"""After the first reading, in UTC."""


def utc(wall_seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(wall_seconds))


def read(folder: Path, *lines: Row, name: str = "0.0.n1.0.jsonl", **changes: object) -> Journal:
    return read_journal(write(folder / name, head(**changes), *lines))  # type: ignore[arg-type]


def account(*journals: Journal) -> Account:
    return account_step(journals, None, 1e10)


def metered(found: Account) -> float:
    whole = total(found.devices)
    return whole.joules or 0.0 if whole else 0.0


def test_within_a_day_no_journal_is_needed(tmp_path: Path) -> None:
    found = account(read(tmp_path, span(10.0, 10.0)))
    assert joules_by_day(found, [], utc) == {"2023-11-14": metered(found)}


def test_two_days_as_the_readings_have_it(tmp_path: Path) -> None:
    before = [span(n * 100.0, 100.0) for n in range(1, 64)]
    after = [span(n * 100.0, 100.0, gpus=[gpu_row(3000.0)]) for n in range(64, 84)]
    journal = read(tmp_path, *before, *after)
    found = account(journal)
    days = joules_by_day(found, [journal], utc)
    assert list(days) == ["2023-11-14", "2023-11-15"]
    assert days["2023-11-14"] == pytest.approx(63 * (30_000 + 6250))
    assert days["2023-11-15"] == pytest.approx(20 * (3000 + 6250))


def test_nothing_metered_is_no_day(tmp_path: Path) -> None:
    guess = CPU0._replace(method=ESTIMATE)
    journal = read_journal(
        write(tmp_path / "a", head((guess,)), span(9000.0, 9000.0, gpus=[]))
    )
    assert joules_by_day(account(journal), [journal], utc) == {}


def test_the_node_meter_is_in_no_day(tmp_path: Path) -> None:
    meter = CPU0._replace(kind=NODE, id="node")
    lines = [span(n * 5000.0, 5000.0, others=[power_row(9e9)]) for n in (1, 2)]
    journal = read_journal(write(tmp_path / "a", head((GPU0, meter)), *lines))
    assert sum(joules_by_day(account(journal), [journal], utc).values()) == pytest.approx(3e6)


def test_without_its_journals_a_long_job_has_its_first_day(tmp_path: Path) -> None:
    found = account(read(tmp_path, span(5000.0, 5000.0), span(10_000.0, 5000.0)))
    assert joules_by_day(found, [], utc) == {"2023-11-14": pytest.approx(metered(found))}


def test_readings_of_no_energy_at_all(tmp_path: Path) -> None:
    lines = [span(n * 5000.0, 5000.0, gpus=[gpu_row(0.0)], others=[power_row(0.0)]) for n in (1, 2)]
    journal = read(tmp_path, *lines)
    assert joules_by_day(account(journal), [journal], utc) == {"2023-11-14": 0.0}


def test_each_node_has_its_own_clock(tmp_path: Path) -> None:
    first = read(tmp_path, *(span(n * 1000.0, 1000.0) for n in range(1, 7)))
    ahead = [[*row[:2], (row[2] or 0) + 86_400, *row[3:]] for row in (span(6000.0, 6000.0),)]
    second = read(tmp_path, *ahead, name="0.0.n2.1.jsonl", node="n2")
    found = replace(account(first, second), duration_seconds=86_400.0)
    days = joules_by_day(found, [first, second], utc)
    assert days["2023-11-14"] == pytest.approx(days["2023-11-15"])
    assert sum(days.values()) == pytest.approx(metered(found))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(1, 40_000), st.none() | st.integers(0, 10**6)), min_size=1),
    st.sampled_from([-43_200, -1800, 0, 20_700, 45_900]),
)
def test_the_days_are_the_total_in_every_time_zone(
    tmp_path: Path, spans: list[tuple[float, int | None]], offset: int
) -> None:
    time_seconds, lines = 0.0, []
    for length, joules in spans:
        length = round(length, 2)
        time_seconds = round(time_seconds + length, 2)
        lines.append(span(time_seconds, length, gpus=[gpu_row(joules)]))
    journal = read(tmp_path, *lines)
    found = account(journal)
    days = joules_by_day(found, [journal], lambda wall: utc(wall + offset))
    assert sum(days.values()) == pytest.approx(metered(found), rel=1e-9)
    first, last = (utc(1.7e9 + offset + t) for t in (-0.5, time_seconds))
    assert all(first <= day <= last for day in days) and list(days) == sorted(days)
