"""Counters that wrap, are reset or stand still, and polled power."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.energy.counter import (
    MAX_POLLED_GAP_SECONDS,
    MAX_POWER_WATTS,
    SLACK_JOULES,
    Meter,
    Step,
    advance,
    counter_difference,
)

RANGE = 262_143.328850
POWERS = st.floats(0.0, 400.0)


def feed(
    readings: list[tuple[float, float | None, float | None]],
    range_joules: float | None = None,
    max_power_watts: float | None = 400.0,
) -> list[Step]:
    """Steps after the first reading, which gives none."""
    meter, steps = Meter(), []
    for time_seconds, counter, power in readings:
        meter, step = advance(meter, time_seconds, counter, power, range_joules, max_power_watts)
        steps.append(step)
    assert steps[0].energy_joules is None
    return steps[1:]


@pytest.mark.parametrize(
    ("before", "after", "seconds", "range_joules", "expected"),
    [
        (100.0, 350.0, 1.0, None, (250.0, "")),
        (100.0, 100.0, 1.0, None, (0.0, "")),
        (RANGE - 50.0, 25.0, 1.0, RANGE, (75.0, "wrap")),
        (RANGE - 50.0, 25.0, 1.0, None, (None, "reset")),
        (5e6, 10.0, 1.0, None, (None, "reset")),
        # Back to near zero from the middle of the range: a wrap would need 200 kJ in a second.
        (60_000.0, 10.0, 1.0, RANGE, (None, "reset")),
        # Forward faster than the device can: a fault, not energy.
        (0.0, 400.0 * 1.5 + SLACK_JOULES + 1.0, 1.0, None, (None, "reset")),
        (0.0, 400.0 * 1.5 + SLACK_JOULES - 1.0, 1.0, None, (799.0, "")),
        # Long enough for a second wrap: nobody knows how many.
        (10.0, 20.0, 500.0, RANGE, (None, "lost")),
        (10.0, 20.0, 400.0, RANGE, (10.0, "")),
    ],
)
def test_counter_difference(
    before: float,
    after: float,
    seconds: float,
    range_joules: float | None,
    expected: tuple[float | None, str],
) -> None:
    energy, event = counter_difference(before, after, seconds, range_joules, 400.0)
    assert event == expected[1]
    assert energy == (None if expected[0] is None else pytest.approx(expected[0]))


def test_a_device_without_a_ceiling_has_the_general_one() -> None:
    rise = MAX_POWER_WATTS * 1.5
    assert counter_difference(0.0, rise, 1.0, None, None) == (rise, "")
    assert counter_difference(0.0, rise + SLACK_JOULES + 1, 1.0, None, None)[0] is None


@given(st.lists(st.tuples(st.floats(0.1, 20.0), POWERS), min_size=1), st.floats(0.0, RANGE))
def test_wraps_lose_and_make_no_energy(
    intervals: list[tuple[float, float]], start_joules: float
) -> None:
    now, energy = 0.0, 0.0
    readings: list[tuple[float, float | None, float | None]] = [(0.0, start_joules, None)]
    for seconds, watts in intervals:
        now, energy = now + seconds, energy + seconds * watts
        readings.append((now, (start_joules + energy) % RANGE, None))
    steps = feed(readings, RANGE)
    assert sum(step.energy_joules or 0.0 for step in steps) == pytest.approx(energy, abs=1e-3)
    wraps = sum(step.event == "wrap" for step in steps)
    assert wraps == int((start_joules + energy) // RANGE)


@given(st.lists(st.one_of(st.none(), POWERS), min_size=1, max_size=60))
def test_a_counter_bridges_failed_readings(powers: list[float | None]) -> None:
    """None is a failed reading; the counter goes on at 200 W meanwhile."""
    readings: list[tuple[float, float | None, float | None]] = [(0.0, 1000.0, None)]
    energy = 1000.0
    for number, watts in enumerate(powers, 1):
        energy += 200.0 if watts is None else watts
        readings.append((float(number), None if watts is None else energy, None))
    readings.append((len(powers) + 1.0, energy, None))
    steps = feed(readings)
    assert sum(step.energy_joules or 0.0 for step in steps) == pytest.approx(energy - 1000.0)
    failed = [step for step, watts in zip(steps, powers, strict=False) if watts is None]
    assert all(step.energy_joules is None for step in failed)


def test_a_failed_reading_is_lost_and_not_zero() -> None:
    (step,) = feed([(0.0, 5.0, None), (1.0, None, None)])
    assert step == Step(None, "lost")
    assert advance(Meter(), 0.0, None, None) == (Meter(), Step(None, ""))


def test_a_reset_is_bridged_by_power_where_there_is_one() -> None:
    assert feed([(0.0, 9e5, 100.0), (2.0, 3.0, 300.0), (3.0, 203.0, 200.0)]) == [
        Step(400.0, "reset"),
        Step(200.0, ""),
    ]
    assert feed([(0.0, 9e5, None), (2.0, 3.0, None)]) == [Step(None, "reset")]


@given(st.lists(st.tuples(st.floats(0.1, MAX_POLLED_GAP_SECONDS), POWERS), min_size=2))
def test_polled_power_is_the_trapezoid_rule(points: list[tuple[float, float]]) -> None:
    now, expected, previous = 0.0, 0.0, points[0][1]
    readings: list[tuple[float, float | None, float | None]] = [(0.0, None, previous)]
    for seconds, watts in points:
        after = now + seconds
        if after - now > MAX_POLLED_GAP_SECONDS:
            continue
        expected += (previous + watts) / 2 * (after - now)
        now, previous = after, watts
        readings.append((now, None, watts))
    total = sum(step.energy_joules or 0.0 for step in feed(readings))
    assert total == pytest.approx(expected)


def test_equal_power_readings_all_count() -> None:
    steps = feed([(float(second), None, 250.0) for second in range(101)])
    assert sum(step.energy_joules or 0.0 for step in steps) == pytest.approx(25_000.0)
    assert not any(step.event for step in steps)


def test_a_long_gap_of_polled_power_is_unknown() -> None:
    gap = MAX_POLLED_GAP_SECONDS
    assert feed([(0.0, None, 100.0), (gap, None, 100.0)]) == [Step(100.0 * gap, "")]
    assert feed([(0.0, None, 100.0), (gap + 0.1, None, 100.0)]) == [Step(None, "lost")]


def test_time_that_stands_still_or_runs_back_is_no_energy() -> None:
    assert feed([(5.0, 10.0, 100.0), (5.0, 20.0, 100.0)]) == [Step(0.0)]
    # The old state is kept: what happened in between counts at the next good time stamp.
    assert feed([(5.0, 10.0, None), (4.0, 20.0, None), (6.0, 30.0, None)])[1] == Step(20.0, "")
