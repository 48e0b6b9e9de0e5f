"""Quantities as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.energy.units import (
    JOULES_PER_KILOWATT_HOUR,
    JOULES_PER_WATT_HOUR,
    format_bytes,
    format_duration,
    format_energy,
    format_percent,
    format_power,
)

FORMATS = [format_energy, format_power, format_duration, format_bytes, format_percent]
SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
JOULES = {"J": 1, "Wh": 3.6e3, "kWh": 3.6e6, "MWh": 3.6e9, "GWh": 3.6e12}


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (0, "0 J"),
        (-0.0, "0 J"),
        (0.001, "0 J"),
        (-0.001, "0 J"),
        (0.5, "0.50 J"),
        (9.994, "9.99 J"),
        (9.996, "10.0 J"),
        (99.96, "100 J"),
        (812, "812 J"),
        (3599.4, "3599 J"),
        (3599.6, "1.00 Wh"),
        (3600, "1.00 Wh"),
        (13_000, "3.61 Wh"),
        (-13_000, "-3.61 Wh"),
        (999.4 * 3600, "999 Wh"),
        (999.6 * 3600, "1.00 kWh"),
        (3.6e6, "1.00 kWh"),
        (45 * 3.6e6, "45.0 kWh"),
        (3.6e9, "1.00 MWh"),
        (3.6e12, "1.00 GWh"),
        (3.6e20, "1.00e+08 GWh"),
    ],
)
def test_energy(joules: float, text: str) -> None:
    assert format_energy(joules) == text


@pytest.mark.parametrize(
    ("watts", "text"),
    [
        (0, "0 W"),
        (0.42, "0.42 W"),
        (63.46, "63.5 W"),
        (412, "412 W"),
        (999.4, "999 W"),
        (999.6, "1.00 kW"),
        (1250, "1.25 kW"),
        (2.5e6, "2.50 MW"),
    ],
)
def test_power(watts: float, text: str) -> None:
    assert format_power(watts) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-0.0, "0 s"),
        (0.0001, "0 s"),
        (-0.0001, "0 s"),
        (0.35, "350 ms"),
        (0.9996, "1.0 s"),
        (23.4, "23.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (303, "5 min 03 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (86369, "23 h 59 min"),
        (86399, "1 d 00 h"),
        (3 * 86400 + 4 * 3600, "3 d 04 h"),
        (3 * 86400 - 1, "3 d 00 h"),
        (-90, "-1 min 30 s"),
        (8.64e12, "1.00e+08 d"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.6, "1.00 KiB"),
        (1024, "1.00 KiB"),
        (1536 * 1024**2, "1.50 GiB"),
        (80 * 1024**3, "80.0 GiB"),
        (1023.6 * 1024, "1.00 MiB"),
        (2048 * 1024**5, "2048 PiB"),
    ],
)
def test_bytes(size: float, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (0, "0 %"),
        (-0.0, "0 %"),
        (0.01, "<0.1 %"),
        (0.1, "0.1 %"),
        (3.44, "3.4 %"),
        (5, "5 %"),
        (9.96, "10 %"),
        (87.4, "87 %"),
        (99, "99 %"),
        (99.7, "99.7 %"),
        (99.9999, "99.9 %"),
        (100, "100 %"),
        (240, "240 %"),
        (-12, "-12 %"),
        (-0.01, "0.0 %"),
    ],
)
def test_percent(percent: float, text: str) -> None:
    assert format_percent(percent) == text


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 10**400])
def test_unknown(form: Callable[..., str], value: float | None) -> None:
    assert form(value) == "unknown"
    assert form(value, "n/a") == "n/a"
    assert form(value, unknown="–") == "–"


@pytest.mark.parametrize("form", FORMATS)
@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6))
def test_every_number_is_short_and_never_minus_zero(form: Callable[..., str], value: float) -> None:
    text = form(value)
    if form is not format_percent or abs(value) < 1e6:
        assert len(text) <= 16
    assert "unknown" not in text and "nan" not in text and "inf" not in text
    assert not re.match(r"-[0. ]+(\D*)$", text), text


@given(st.floats(0.01, 1e15))
def test_energy_reads_back(joules: float) -> None:
    number, unit = format_energy(joules).split()
    assert float(number) * JOULES[unit] == pytest.approx(joules, rel=0.006, abs=0.006)


@given(st.floats(0, 1e10))
def test_duration_reads_back_within_half_of_its_last_unit(seconds: float) -> None:
    words = format_duration(seconds).split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    total = sum(float(number) * SECONDS[unit] for number, unit in pairs)
    last = SECONDS[pairs[-1][1]] * (0.1 if "." in pairs[-1][0] else 1)
    assert abs(total - seconds) <= max(last / 2, 0.0005) * 1.0001
    assert all(
        float(number) < {"s": 60, "min": 60, "h": 24}.get(unit, 1e9) for number, unit in pairs
    )


def test_constants() -> None:
    assert JOULES_PER_KILOWATT_HOUR == 1000 * JOULES_PER_WATT_HOUR
    assert format_energy(JOULES_PER_KILOWATT_HOUR) == "1.00 kWh"
