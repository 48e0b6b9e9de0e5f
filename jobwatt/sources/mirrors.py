"""Counters that are one register seen twice, such as the dies of a first-generation AMD EPYC.

Some kernels show one RAPL zone per die where the processor has one register per socket, so a
plain sum multiplies the energy by the number of dies (mlco2/codecarbon issues 1274 and 1379). A
perf PMU whose `cpumask` lists one CPU per die can do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

ROUNDS = 4
PAUSE_SECONDS = 0.003
"""RAPL registers are refreshed about every millisecond (Intel SDM volume 3, "RAPL Interfaces")."""

Round = tuple[Sequence[float | None], Sequence[float | None]]
"""All counters read one after the other, then all once more in the same order."""


def mirrored(rounds: Sequence[Round], first: int, second: int, same_zero: bool) -> bool:
    """Whether counters `first` < `second` are one register.

    One register read as A1 B1 A2 B2 gives A1 <= B1 <= A2 <= B2, but for a constant offset where
    the two did not start at zero together (`same_zero` False: perf counts from its opening).
    They are one if a single offset explains every round. With the same zero that offset is 0, and
    a copy may lag by one refresh: the joules of two dies since boot are never that close.
    A counter still at zero, or one of unknown offset that did not move, proves nothing.
    """
    low, high, rise = float("-inf"), float("inf"), 0.0
    before: tuple[float, float] | None = None
    for earlier, later in rounds:
        a1, b1, a2, b2 = earlier[first], earlier[second], later[first], later[second]
        if a1 is None or b1 is None or a2 is None or b2 is None:
            return False
        low, high = max(low, b1 - a2), min(high, b1 - a1, b2 - a2)
        before_a, before_b = before or (a1, b1)
        rise = max(rise, a2 - before_a, b2 - before_b)
        before = (a2, b2)
    if before is None:
        return False
    if same_zero:
        return min(before) > 0 and low - rise <= 0 <= high + rise
    return rise > 0 and low <= high


def without_mirrors(
    groups: Sequence[Hashable],
    read: Callable[[], Sequence[float | None]],
    pause: Callable[[float], None],
    same_zero: bool,
) -> list[int]:
    """Indices of the counters to keep. Only counters of one group (kind and socket) can mirror.

    Takes about 10 ms where a group has several counters, else no time at all.
    """
    if len(set(groups)) == len(groups):
        return list(range(len(groups)))
    rounds: list[Round] = []
    for number in range(ROUNDS):
        if number:
            pause(PAUSE_SECONDS)
        rounds.append((read(), read()))
    kept: list[int] = []
    for index, group in enumerate(groups):
        if not any(
            groups[other] == group and mirrored(rounds, other, index, same_zero) for other in kept
        ):
            kept.append(index)
    return kept
