"""Ticks -> spans and their lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.journal.format import GPU_COLUMNS, POWER_COLUMNS, STEP_COLUMNS
from jobwatt.sampler.condense import (
    DeviceSpan,
    Mean,
    Totals,
    encode,
    rounded,
    span_limit_seconds,
    span_line,
)
from jobwatt.sources.base import NO_READING, Reading

WATTS = st.one_of(st.none(), st.floats(0.0, 1e3))


@pytest.mark.parametrize(
    ("age", "watched", "limit"),
    [(0, False, 0.5), (25, False, 0.5), (100, False, 2.0), (500, False, 10.0), (1e6, False, 10.0),
     (1e6, True, 0.5)],
)  # fmt: skip
def test_a_kill_never_takes_more_than_two_percent(age: float, watched: bool, limit: float) -> None:
    assert span_limit_seconds(age, 10.0, watched) == pytest.approx(limit)


@given(st.lists(st.tuples(WATTS, st.floats(0.01, 60.0)), max_size=30))
def test_means_weigh_by_time(rows: list[tuple[float | None, float]]) -> None:
    mean = Mean()
    for value, seconds in rows:
        mean.add(value, seconds)
    known = [(value, seconds) for value, seconds in rows if value is not None]
    if not known:
        assert (mean.low, mean.mean(), mean.high) == (None, None, None)
        return
    total = sum(value * seconds for value, seconds in known)
    assert mean.mean() == pytest.approx(total / sum(seconds for _, seconds in known))
    assert mean.low == min(value for value, _ in known)
    assert mean.high == max(value for value, _ in known)


def test_the_first_reading_has_no_length() -> None:
    mean = Mean()
    mean.add(40.0, 0.0)
    assert mean.mean() == 40.0


@given(st.lists(st.tuples(WATTS, st.floats(0.1, 5.0)), max_size=50))
def test_energies_add_up_and_unknown_is_null(rows: list[tuple[float | None, float]]) -> None:
    span = DeviceSpan()
    for joules, seconds in rows:
        span.add(NO_READING, joules, seconds)
    known = [joules for joules, _ in rows if joules is not None]
    energy = span.power_row()[0]
    # Three digits below 1 kJ, one above: never worse than 0.01 %.
    assert energy == (pytest.approx(sum(known), rel=1e-4, abs=6e-4) if known else None)


def test_a_gpu_span() -> None:
    span = DeviceSpan()
    reading = Reading(1.0, 100.0, 0.0, 10.0, 3 << 30, 1000.0, 40.0, 1, 2)
    span.add(reading, 100.0, 1.0)
    span.add(Reading(1.0, 300.0, 90.0, 10.0, 1 << 30, 1400.0, 40.0, 4, 0), 600.0, 3.0)
    row = dict(zip(GPU_COLUMNS, span.gpu_row(), strict=True))
    assert row == {
        "energy_joules": 700,
        "power_min_watts": 100,
        "power_max_watts": 300,
        "utilization_mean_percent": 68,
        "utilization_min_percent": 0.0,
        "utilization_max_percent": 90.0,
        "memory_utilization_mean_percent": 10,
        "memory_used_max_mebibytes": 3072,
        "sm_clock_mean_mhz": 1300,
        "temperature_max_celsius": 40.0,
        "event_reasons": 5,
        "processes_max": 2,
        "idle_seconds": 1,
        "idle_energy_joules": 100,
    }


def test_nothing_known_is_all_null() -> None:
    span = DeviceSpan()
    span.add(NO_READING, None, 1.0)
    assert span.gpu_row() == [None] * len(GPU_COLUMNS)
    assert span.power_row() == [None] * len(POWER_COLUMNS)


def test_a_counter_without_power_gives_the_mean_power() -> None:
    span = DeviceSpan()
    span.add(Reading(energy_joules=5.0), 150.0, 2.0)
    assert span.power_row() == [150, 75, 75]
    span.add(Reading(energy_joules=5.0), 0.0, 0.0)  # no time, no power
    assert span.power_row() == [150, 75, 75]


def test_a_line() -> None:
    before = Totals(10.0, 1 << 30, 0, 1 << 20, 100.0, 400.0, 0.5)
    after = Totals(12.5, 2 << 30, 3 << 20, 1 << 20, 103.0, 408.0, 0.503)
    line = span_line(7.12345, 2.0, 1.7e9, [], [DeviceSpan()], before, after, 3)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    device, step, node, own = [None] * 3, [2.5, 2048, 3, 0], [3, 8], [0.003, 3]
    assert json.loads(line) == [7.12, 2, 1.7e9, *device, *step, *node, *own]


def test_totals_that_run_back_or_are_unknown() -> None:
    line = json.loads(span_line(1, 1, 1, [], [], Totals(10.0, None, 5), Totals(9.0), 0))
    assert line[3 : 3 + len(STEP_COLUMNS)] == [0, None, None, None]
    assert line[-4:-2] == [None, None]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(None, 1, "null"), (1.0, 3, "1"), (0.04, 1, "0"), (2.345678, 3, "2.346"), (5, 1, "5")],
)
def test_few_characters(value: float | None, digits: int, text: str) -> None:
    assert encode(rounded(value, digits)) == text.encode() + b"\n"
