"""From readings to energy: counters that wrap or are reset, and polled power.

Pure and sampler-side (standard library only). A meter is fed `(time, counter, power)` and gives
the joules since the previous reading, or None when nobody can know them.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_POWER_WATTS = 5000.0
"""Ceiling when a device states none: above any CPU socket, GPU or node power share seen today."""
SLACK_JOULES = 200.0
"""Counters refresh in steps (NVML: about 100 ms): a short interval may show one step more."""

MAX_POLLED_GAP_SECONDS = 5.0
"""Longest interval that two polled powers may stand for; beyond it the energy is unknown."""


class Step(NamedTuple):
    """Energy of one interval and how it was found."""

    energy_joules: float | None
    event: str = ""
    """"" (plain), `wrap`, `reset` (interval bridged by polled power) or `lost`."""


class Meter(NamedTuple):
    """State between two readings of one device. Immutable: `advance` gives the next."""

    time_seconds: float | None = None
    counter_joules: float | None = None
    power_watts: float | None = None


def counter_difference(
    previous_joules: float,
    current_joules: float,
    elapsed_seconds: float,
    range_joules: float | None,
    max_power_watts: float | None,
) -> tuple[float | None, str]:
    """Joules between two readings of a counter, and `""`, `wrap` or `reset`.

    A counter that went backwards wrapped if it has a range and the result is plausible; otherwise
    it was reset (driver reload) and the interval's energy is unknown (None). An interval long
    enough for a second wrap is unknown too.
    """
    ceiling_joules = (max_power_watts or MAX_POWER_WATTS) * elapsed_seconds * 1.5 + SLACK_JOULES
    rise = current_joules - previous_joules
    if range_joules is not None and ceiling_joules > range_joules + SLACK_JOULES:
        return None, "lost"
    if 0 <= rise <= ceiling_joules:
        return rise, ""
    if rise < 0 and range_joules is not None and rise + range_joules <= ceiling_joules:
        return rise + range_joules, "wrap"
    return None, "reset"


def advance(
    meter: Meter,
    time_seconds: float,
    counter_joules: float | None,
    power_watts: float | None,
    range_joules: float | None = None,
    max_power_watts: float | None = None,
) -> tuple[Meter, Step]:
    """Feed one reading; give the next state and the energy since the previous reading.

    Order of trust: the counter's difference; where the counter is missing or was reset, polled
    power by the trapezoid rule; else unknown. Equal power readings count like any others.
    A failed reading (both None) keeps the old state, so a counter bridges the gap by itself.
    """
    if counter_joules is None and power_watts is None:
        return meter, Step(None, "lost" if meter.time_seconds is not None else "")
    after = Meter(time_seconds, counter_joules, power_watts)
    if meter.time_seconds is None:
        return after, Step(None)
    elapsed = time_seconds - meter.time_seconds
    if elapsed <= 0:
        return meter, Step(0.0)
    event = ""
    if counter_joules is not None and meter.counter_joules is not None:
        energy, event = counter_difference(
            meter.counter_joules, counter_joules, elapsed, range_joules, max_power_watts
        )
        if energy is not None:
            return after, Step(energy, event)
    before_watts = meter.power_watts
    if power_watts is not None and before_watts is not None and elapsed <= MAX_POLLED_GAP_SECONDS:
        return after, Step((power_watts + before_watts) / 2 * elapsed, event)
    return after, Step(None, event or "lost")
