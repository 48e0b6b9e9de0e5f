"""Spans onto a grid: nothing is lost, nothing is known where nothing was seen."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.energy.spread import Spread

EDGES = [0.0, 10.0, 20.0, 30.0]


def test_a_span_is_spread_over_the_bins_that_it_covers() -> None:
    joules, seconds = Spread([15.0], [10.0], EDGES).energy([100.0])
    assert joules == pytest.approx([50.0, 50.0, 0.0])
    assert seconds == pytest.approx([5.0, 5.0, 0.0])


def test_one_span_over_all_bins() -> None:
    joules, seconds = Spread([30.0], [30.0], EDGES).energy([90.0])
    assert joules == pytest.approx([30.0, 30.0, 30.0])
    assert seconds == pytest.approx([10.0, 10.0, 10.0])


def test_gaps_and_unknown_values() -> None:
    spread = Spread([5.0, 12.0, 30.0], [5.0, 2.0, 5.0], EDGES)
    assert spread.energy([10.0, 20.0, None]) == ([10.0, 20.0, 0.0], [5.0, 2.0, 0.0])
    assert spread.over_time([10.0, None, 80.0]) == ([50.0, 0.0, 400.0], [5.0, 0.0, 5.0])


def test_weights() -> None:
    spread = Spread([10.0, 20.0], [10.0, 10.0], EDGES)
    assert spread.energy([100.0, 100.0], [0.25, 0.0]) == ([25.0, 0.0, 0.0], [2.5, 0.0, 0.0])
    assert spread.over_time([80.0, 80.0], [0.25, 1.0])[0] == [200.0, 800.0, 0.0]


def test_only_what_is_between_the_edges_counts() -> None:
    joules, seconds = Spread([4.0, 40.0], [8.0, 20.0], EDGES).energy([80.0, 100.0])
    assert joules == pytest.approx([40.0, 0.0, 50.0])
    assert seconds == pytest.approx([4.0, 0.0, 10.0])


def test_order_and_length_of_spans_may_be_odd() -> None:
    spread = Spread([25.0, 5.0, 15.0, 15.0], [1.0, 1.0, 1.0, 0.0], EDGES)
    assert spread.energy([3.0, 1.0, 2.0, 7.0])[0] == pytest.approx([1.0, 9.0, 3.0])


@given(
    st.lists(
        st.tuples(st.floats(0.01, 1e3), st.floats(0, 1e3), st.none() | st.floats(0, 1e7)),
        min_size=1,
    ),
    st.integers(1, 50),
)
def test_nothing_is_lost(spans: list[tuple[float, float, float | None]], bins: int) -> None:
    """Length of each span, gap before it, and energy."""
    ends = list(accumulate(length + gap for length, gap, _ in spans))
    lengths = [length for length, _, _ in spans]
    edges = [ends[-1] * number / bins for number in range(bins)] + [ends[-1]]
    joules, seconds = Spread(ends, lengths, edges).energy([energy for _, _, energy in spans])
    known = [(length, energy) for length, _, energy in spans if energy is not None]
    assert sum(joules) == pytest.approx(sum(energy for _, energy in known), abs=1e-6)
    assert sum(seconds) == pytest.approx(sum(length for length, _ in known), abs=1e-6)
    assert min(joules) >= -1e-3
