"""Quantities as text for people. Joules, watts, seconds and bytes inside; conversion only here.

Every function takes None, NaN and infinity as unknown and gives `unknown` for them, and never
writes `-0`.
"""

from __future__ import annotations

import math
from itertools import pairwise

JOULES_PER_WATT_HOUR = 3600.0
JOULES_PER_KILOWATT_HOUR = 3.6e6

UNKNOWN = "unknown"

_ENERGY = ((1.0, "J"), (3.6e3, "Wh"), (3.6e6, "kWh"), (3.6e9, "MWh"), (3.6e12, "GWh"))
_POWER = ((1.0, "W"), (1e3, "kW"), (1e6, "MW"), (1e9, "GW"))
_BYTES = tuple((1024.0**n, unit) for n, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB")))


def format_energy(energy_joules: float | None, unknown: str = UNKNOWN) -> str:
    """`812 J`, `3.61 Wh`, `45.0 kWh`: joules below 1 Wh, for people think in watt-hours."""
    return _scaled(energy_joules, _ENERGY, unknown)


def format_power(power_watts: float | None, unknown: str = UNKNOWN) -> str:
    """`63.5 W`, `412 W`, `1.25 kW`."""
    return _scaled(power_watts, _POWER, unknown)


def format_bytes(size_bytes: float | None, unknown: str = UNKNOWN) -> str:
    """`812 B`, `1.50 GiB`: powers of 1024, as memory is counted."""
    size = _finite(size_bytes)
    if size is not None and abs(round(size)) < 1024:
        return f"{round(size)} B"
    return _scaled(size, _BYTES, unknown)


def format_percent(percent: float | None, unknown: str = UNKNOWN) -> str:
    """`3.4 %`, `87 %` for a number from 0 to 100 (not a fraction).

    What is not quite 0 or 100 never reads as such: `<0.1 %`, `99.9 %`.
    """
    value = _finite(percent)
    if value is None:
        return unknown
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99 < value < 100:
        return f"{math.floor(value * 10) / 10:.1f} %"
    decimals = 1 if value != round(value) and abs(round(value, 1)) < 10 else 0
    return f"{_no_minus_zero(round(value, decimals)):.{decimals}f} %"


def format_duration(time_seconds: float | None, unknown: str = UNKNOWN) -> str:
    """`350 ms`, `23.4 s`, `5 min 03 s`, `1 h 02 min`, `3 d 04 h`: two units at most."""
    value = _finite(time_seconds)
    if value is None:
        return unknown
    sign, value = ("-" if value < 0 else ""), abs(value)
    if value >= 1e11:
        return f"{sign}{value / 86400:.2e} d"
    milliseconds = round(value * 1e3)
    if milliseconds == 0:
        return "0 s"
    if milliseconds < 1000:
        return f"{sign}{milliseconds} ms"
    if round(value, 1) < 60:
        return f"{sign}{value:.1f} s"
    if round(value) < 3600:
        minutes, seconds = divmod(round(value), 60)
        return f"{sign}{minutes} min {seconds:02d} s"
    if round(value / 60) < 24 * 60:
        hours, minutes = divmod(round(value / 60), 60)
        return f"{sign}{hours} h {minutes:02d} min"
    days, hours = divmod(round(value / 3600), 24)
    return f"{sign}{days} d {hours:02d} h"


def _scaled(value: float | None, ladder: tuple[tuple[float, str], ...], unknown: str) -> str:
    """Three significant digits or more, in the largest unit of which there is at least one."""
    number = _finite(value)
    if number is None:
        return unknown
    for (scale, unit), (next_scale, _) in pairwise(ladder):
        # Rounded first, so that 999.7 W is 1.00 kW and not 1000 W.
        if round(abs(number) / scale) < round(next_scale / scale):
            return f"{_three_digits(number / scale)} {unit}"
    scale, unit = ladder[-1]
    return f"{_three_digits(number / scale)} {unit}"


def _three_digits(value: float) -> str:
    """`0`, `0.05`, `3.61`, `36.1`, `361`, `3601`; digits before the point are never dropped."""
    for decimals, limit in ((2, 10), (1, 100)):
        rounded = _no_minus_zero(round(value, decimals))
        if abs(rounded) < limit:
            return f"{rounded:.{decimals}f}" if rounded else "0"
    return f"{value:.0f}" if abs(value) < 1e6 else f"{value:.2e}"


def _no_minus_zero(value: float) -> float:
    return value + 0.0  # -0.0 + 0.0 is 0.0


def _finite(value: float | None) -> float | None:
    """The value as a float; None for unknown, NaN, infinity and integers beyond a float."""
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
