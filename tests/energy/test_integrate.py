"""Sums over columns; time covered by several steps is counted once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.energy.integrate import (
    Interval,
    bits,
    covered_seconds,
    known_sum,
    mean_over_time,
    new_fractions,
    peak,
    union,
)

VALUES = st.one_of(st.none(), st.floats(0.0, 1e6))


@st.composite
def spans(draw: st.DrawFn) -> list[Interval]:
    """One step's spans: sorted, disjoint, with gaps; eighths are exact in binary."""
    now, found = draw(st.integers(0, 400)) / 8, []
    pairs = st.tuples(st.integers(1, 80), st.integers(0, 40))
    for length, gap in draw(st.lists(pairs, max_size=12)):
        found.append((now, now + length / 8))
        now += (length + gap) / 8
    return found


@given(st.lists(spans(), min_size=1, max_size=4))
def test_overlapping_steps_count_a_device_once(steps: list[list[Interval]]) -> None:
    """A device of 1 W: the joules of all steps are the seconds that any of them covers."""
    covered: list[Interval] = []
    joules = 0.0
    for step in steps:
        weights = new_fractions(step, covered)
        assert all(0.0 <= weight <= 1.0 for weight in weights)
        joules += known_sum([end - start for start, end in step], weights) or 0.0
        covered = union([*covered, *step])
    eighths = {
        number
        for step in steps
        for start, end in step
        for number in range(int(start * 8), int(end * 8))
    }
    assert joules == pytest.approx(len(eighths) / 8)


@given(spans(), spans())
def test_a_union_is_sorted_and_disjoint(first: list[Interval], second: list[Interval]) -> None:
    merged = union([*first, *second])
    assert all(a[1] < b[0] for a, b in pairwise(merged))
    for start, end in (*first, *second):
        assert any(low <= start and end <= high for low, high in merged)
    assert new_fractions(first, merged) == [0.0] * len(first)
    assert new_fractions(first, []) == [1.0] * len(first)


def test_parts_of_spans() -> None:
    covered = [(0.0, 1.0), (2.0, 3.0), (10.0, 20.0)]
    assert new_fractions([(0.0, 4.0), (4.0, 8.0), (8.0, 12.0), (15.0, 15.0)], covered) == [
        0.5,
        1.0,
        0.5,
        1.0,
    ]


@given(st.lists(st.tuples(VALUES, st.floats(0.01, 100.0)), max_size=30))
def test_unknown_is_left_out_and_never_zero(rows: list[tuple[float | None, float]]) -> None:
    column = [value for value, _ in rows]
    lengths = [length for _, length in rows]
    known = [(value, length) for value, length in rows if value is not None]
    assert covered_seconds(column, lengths) == pytest.approx(sum(length for _, length in known))
    total = known_sum(column)
    if known:
        assert total == pytest.approx(sum(value for value, _ in known))
        assert peak(column) == max(value for value, _ in known)
    else:
        assert total is None
        assert peak(column) is None
    mean = mean_over_time(column, lengths)
    if mean is not None:
        low, high = min(v for v, _ in known), max(v for v, _ in known)
        assert low * (1 - 1e-9) - 1e-9 <= mean <= high * (1 + 1e-9) + 1e-9


def test_weights() -> None:
    assert known_sum([10.0, None, 30.0], [0.5, 1.0, 0.1]) == pytest.approx(8.0)
    assert known_sum([None], [1.0]) is None
    assert covered_seconds([1.0, None, 2.0], [4.0, 4.0, 4.0], [0.5, 1.0, 1.0]) == 6.0


def test_means_weigh_by_time() -> None:
    assert mean_over_time([100.0, 0.0, None], [1.0, 3.0, 96.0]) == 25.0
    assert mean_over_time([None], [1.0]) is None
    assert mean_over_time([5.0], [0.0]) is None


def test_bits() -> None:
    assert bits([1, None, 4, 4.0]) == 5
    assert bits([None]) is None
    assert bits([]) is None
    assert bits([0]) == 0
