"""A GPU's counter against its polled power, on made-up samples with known answers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from jobwatt.checkup.compare import Sample, compare

PERIOD_SECONDS = 0.025


def samples(
    watts: float,
    scale: float = 1.0,
    seconds: float = 2.0,
    refresh_seconds: float = 0.1,
    offset_seconds: float = 0.0,
) -> list[Sample]:
    """Constant power, the counter a staircase; polled power is `scale` times the truth."""
    times = [offset_seconds + index * PERIOD_SECONDS for index in range(int(seconds / 0.025))]
    return [
        Sample(t, 1e6 + watts * refresh_seconds * math.floor(t / refresh_seconds), watts * scale)
        for t in times
    ]


@given(st.floats(10, 1500), st.floats(0, 0.1), st.floats(0.8, 10), st.sampled_from([0.02, 0.1]))
def test_a_staircase_raises_no_alarm(
    watts: float, offset: float, seconds: float, refresh: float
) -> None:
    compared = compare(
        samples(watts, seconds=seconds, refresh_seconds=refresh, offset_seconds=offset)
    )
    assert compared.verdict == "agrees"


def test_what_the_refresh_hides_at_both_ends_is_left_out() -> None:
    """From first to last sample the counter rose by 0.6 s of power, in 0.675 s."""
    compared = compare(samples(200.0, seconds=0.7))
    assert compared.time_seconds is not None and compared.counter_joules is not None
    assert abs(compared.counter_joules / compared.time_seconds - 200.0) < 1.0


@given(st.floats(10, 1500), st.floats(2, 10))
def test_a_wrong_sensor_is_found(watts: float, seconds: float) -> None:
    for scale in (0.0, 0.5, 0.85, 1.2, 3.0):
        compared = compare(samples(watts, scale, seconds))
        assert compared.verdict == "disagrees", scale
        assert compared.text.startswith("DISAGREE by ")
    for scale in (0.95, 1.05):
        assert compare(samples(watts, scale, seconds)).verdict == "agrees", scale


def test_no_power_and_no_rise_agree() -> None:
    compared = compare(samples(0.0))
    assert (compared.verdict, compared.counter_joules) == ("agrees", 0.0)


def test_a_counter_that_stands_still_is_not_compared() -> None:
    still = [sample._replace(energy_joules=5.0) for sample in samples(250.0)]
    compared = compare(still)
    assert compared.verdict == "unknown"
    assert compared.text == "the counter stands still at 250 W"


def test_what_cannot_be_compared() -> None:
    good = samples(200.0)
    none_polled = [sample._replace(power_watts=None) for sample in good]
    none_counted = [sample._replace(energy_joules=None) for sample in good]
    reset = [
        sample._replace(energy_joules=(sample.energy_joules or 0) - (1e6 if index > 40 else 0))
        for index, sample in enumerate(good)
    ]
    half = [s._replace(power_watts=None) if i > 30 else s for i, s in enumerate(good)]
    for case in ([], good[:1], good[:8], none_polled, none_counted, reset, half):
        compared = compare(case)
        assert compared.verdict == "unknown" and compared.text


def test_a_lagging_power_is_unsteady_and_not_wrong() -> None:
    """A step from 60 W to 400 W; polled power is the mean of the last second."""
    found = []
    for index in range(80):
        t = index * PERIOD_SECONDS
        energy = 60.0 * t + 340.0 * max(t - 0.5, 0.0)
        mean = 60.0 + 340.0 * min(max(t - 0.5, 0.0), 1.0)
        found.append(Sample(t, energy, mean))
    assert compare(found).verdict == "unsteady"
