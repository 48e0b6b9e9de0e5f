"""Columns of spans -> sums by bin of a time grid. Pure.

What a span has is spread evenly over its length, so that nothing is lost between the first edge
and the last. A day of 8 GPUs has 140,000 cells: the columns are added up by the interpreter's own
loops, and Python looks only at the edges.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import le, mul

from jobwatt.energy.integrate import Column, Weights

Sums = list[float]


class Spread:
    """The grid as one journal's spans see it: made once, used for all of its columns."""

    def __init__(self, ends: Sequence[float], lengths: Sequence[float], edges: Sequence[float]):
        """Spans by end and length, and the edges of the bins in order, on the same clock."""
        self._lengths = lengths
        self._order: list[int] | None = None
        if not all(map(le, ends, ends[1:])):  # no sampler writes so, but a file may hold it
            self._order = sorted(range(len(ends)), key=ends.__getitem__)
        ends, lengths = self._sorted(ends), self._sorted(lengths)
        self._edges: list[tuple[int, float]] = []
        """For each edge: how many spans are before it, and the part of the next one that is."""
        for edge in edges:
            index, part = bisect_right(ends, edge), 0.0
            if index < len(ends) and lengths[index] > 0:
                part = max(0.0, 1.0 - (ends[index] - edge) / lengths[index])
            self._edges.append((index, part))
        self._seconds = self._sums(self._lengths)

    def energy(self, column: Column, weights: Weights = None) -> tuple[Sums, Sums]:
        """Joules by bin, and the seconds of it for which they are known."""
        lengths, values = self._known_lengths(column, weights), _or_zero(column)
        weighted = values if weights is None else list(map(mul, values, weights))
        return self._sums(weighted), self._seconds_of(lengths)

    def over_time(self, column: Column, weights: Weights = None) -> tuple[Sums, Sums]:
        """Value times seconds by bin, and the seconds for which it is known."""
        lengths = self._known_lengths(column, weights)
        return self._sums(list(map(mul, _or_zero(column), lengths))), self._seconds_of(lengths)

    def _known_lengths(self, column: Column, weights: Weights) -> Sequence[float]:
        lengths = self._lengths
        if None in column:
            cells = zip(column, lengths, strict=True)
            lengths = [0.0 if value is None else length for value, length in cells]
        return lengths if weights is None else list(map(mul, lengths, weights))

    def _seconds_of(self, lengths: Sequence[float]) -> Sums:
        return self._seconds if lengths is self._lengths else self._sums(lengths)

    def _sums(self, values: Sequence[float]) -> Sums:
        values = self._sorted(values)
        total = list(accumulate(values, initial=0.0))
        at_edges = [
            total[index] + part * values[index] if part else total[index]
            for index, part in self._edges
        ]
        return [after - before for before, after in pairwise(at_edges)]

    def _sorted(self, values: Sequence[float]) -> Sequence[float]:
        return values if self._order is None else [values[index] for index in self._order]


def _or_zero(column: Column) -> Sequence[float]:
    if None not in column:
        return column  # type: ignore[return-value]
    return [value or 0.0 for value in column]
