"""Known power as a function of time, with its energy in closed form.

Times are seconds from the start of the function, except in `Timeline`, whose steps are at absolute
`CLOCK_MONOTONIC` seconds, which every process of a host shares.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Constant:
    """The same power at all times."""

    watts: float

    def power_watts(self, time_seconds: float) -> float:
        """Power at a time."""
        return self.watts

    def joules_until(self, time_seconds: float) -> float:
        """Energy from the start to a time."""
        return self.watts * time_seconds

    def to_text(self) -> str:
        """The words that the fake library and the ticker read."""
        return f"constant {self.watts!r}"


def idle(watts: float = 55.0) -> Constant:
    """The power of a GPU that is held and not used."""
    return Constant(watts)


@dataclass(frozen=True)
class Square:
    """High for the share `duty` of each period, then low."""

    high_watts: float
    low_watts: float
    period_seconds: float
    duty: float = 0.5

    def power_watts(self, time_seconds: float) -> float:
        """Power at a time."""
        into = time_seconds - math.floor(time_seconds / self.period_seconds) * self.period_seconds
        return self.high_watts if into < self.duty * self.period_seconds else self.low_watts

    def joules_until(self, time_seconds: float) -> float:
        """Energy from the start to a time."""
        high_seconds = self.duty * self.period_seconds
        periods = math.floor(time_seconds / self.period_seconds)
        into = time_seconds - periods * self.period_seconds
        per_period = high_seconds * self.high_watts + (
            (self.period_seconds - high_seconds) * self.low_watts
        )
        rest = min(into, high_seconds) * self.high_watts
        return periods * per_period + rest + max(into - high_seconds, 0.0) * self.low_watts

    def to_text(self) -> str:
        """The words that the fake library and the ticker read."""
        return (
            f"square {self.high_watts!r} {self.low_watts!r} {self.period_seconds!r} {self.duty!r}"
        )


@dataclass(frozen=True)
class Ramp:
    """From one power to another in `duration_seconds`, then constant."""

    start_watts: float
    end_watts: float
    duration_seconds: float

    def power_watts(self, time_seconds: float) -> float:
        """Power at a time."""
        share = min(time_seconds / self.duration_seconds, 1.0)
        return self.start_watts + (self.end_watts - self.start_watts) * share

    def joules_until(self, time_seconds: float) -> float:
        """Energy from the start to a time."""
        rising = min(time_seconds, self.duration_seconds)
        slope = (self.end_watts - self.start_watts) / self.duration_seconds
        held = self.end_watts * (time_seconds - rising)
        return self.start_watts * rising + slope * rising * rising / 2.0 + held

    def to_text(self) -> str:
        """The words that the fake library and the ticker read."""
        return f"ramp {self.start_watts!r} {self.end_watts!r} {self.duration_seconds!r}"


Shape = Constant | Square | Ramp


class Step(NamedTuple):
    """A shape that holds from `since_seconds` until the next step; it starts there at time 0."""

    since_seconds: float
    shape: Shape


@dataclass(frozen=True)
class Piecewise:
    """One shape after another, at seconds from the start; no power before the first step."""

    steps: tuple[Step, ...]


Power = Shape | Piecewise


def shape_from_text(text: str) -> Shape:
    """The inverse of `to_text`. Raises ValueError on unknown words."""
    word, *numbers = text.split()
    values = [float(number) for number in numbers]
    if word == "constant" and len(values) == 1:
        return Constant(*values)
    if word == "square" and len(values) == 4:
        return Square(*values)
    if word == "ramp" and len(values) == 3:
        return Ramp(*values)
    raise ValueError(f"no power shape in {text!r}")


def steps_of(power: Power, start_seconds: float) -> tuple[Step, ...]:
    """The steps of a power that starts at an absolute time."""
    if isinstance(power, Piecewise):
        return tuple(Step(start_seconds + step.since_seconds, step.shape) for step in power.steps)
    return (Step(start_seconds, power),)


@dataclass(frozen=True)
class Timeline:
    """What a meter's power was and will be, at absolute seconds; no power before the first step."""

    steps: tuple[Step, ...]

    def changed(self, at_seconds: float, power: Power) -> Timeline:
        """The same past; from `at_seconds` on, another power."""
        past = tuple(step for step in self.steps if step.since_seconds < at_seconds)
        return Timeline(past + steps_of(power, at_seconds))

    def power_watts(self, time_seconds: float) -> float:
        """Power at an absolute time."""
        index = bisect_right(self.steps, time_seconds, key=lambda step: step.since_seconds) - 1
        if index < 0:
            return 0.0
        step = self.steps[index]
        return step.shape.power_watts(time_seconds - step.since_seconds)

    def joules_until(self, time_seconds: float) -> float:
        """Energy from the first step to an absolute time."""
        total = 0.0
        for index, step in enumerate(self.steps):
            if step.since_seconds >= time_seconds:
                break
            following = self.steps[index + 1 : index + 2]
            end = min([time_seconds, *(after.since_seconds for after in following)])
            total += step.shape.joules_until(end - step.since_seconds)
        return total

    def energy_joules(self, t0_seconds: float, t1_seconds: float) -> float:
        """Energy between two absolute times: the truth to which readings are compared."""
        return self.joules_until(t1_seconds) - self.joules_until(t0_seconds)
