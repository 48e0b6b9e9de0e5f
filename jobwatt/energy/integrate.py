"""Sums over columns of spans, with weights where spans of several steps overlap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import compress
from operator import mul, or_

Weights = Sequence[float] | None
Column = Sequence[float | None]
Interval = tuple[float, float]


# Columns of a day have 8,640 cells, and most have no unknown one: they are taken whole first,
# because looking for None costs more than adding up.


def known_sum(column: Column, weights: Weights = None) -> float | None:
    """Sum of the known values; None if there is none."""
    column = weighted(column, weights)
    try:
        return float(sum(column)) if column else None  # type: ignore[arg-type]
    except TypeError:
        values = known(column)
        return float(sum(values)) if values else None


def weighted(column: Column, weights: Weights) -> Column:
    """Each value times its weight."""
    if weights is None:
        return column
    return [None if v is None else v * w for v, w in zip(column, weights, strict=True)]


def known(column: Column) -> list[float]:
    """The column without its unknown values."""
    return [value for value in column if value is not None]


def covered_seconds(column: Column, lengths: Column, weights: Weights = None) -> float:
    """Length of the spans whose value is known."""
    if None in column:
        mask = [value is not None for value in column]
        lengths = list(compress(lengths, mask))
        weights = None if weights is None else list(compress(weights, mask))
    return known_sum(lengths, weights) or 0.0


def mean_over_time(column: Column, lengths: Column) -> float | None:
    """Mean of the known values, weighted by the length of their spans."""
    try:
        total: float = sum(lengths)  # type: ignore[arg-type]
        return sum(map(mul, column, lengths)) / total if total > 0 else None
    except TypeError:
        pairs = zip(column, lengths, strict=True)
        both = [(v, d) for v, d in pairs if v is not None and d is not None]
        return mean_over_time(*zip(*both, strict=True)) if both else None


def peak(column: Column) -> float | None:
    """Largest known value."""
    try:
        return max(column, default=None)  # type: ignore[type-var]
    except TypeError:
        return max(known(column), default=None)


def bits(column: Column) -> int | None:
    """Bitwise or of the known masks."""
    masks = set(column) - {None}
    return reduce(or_, (int(mask) for mask in masks if mask is not None)) if masks else None


def new_fractions(spans: Sequence[Interval], covered: Sequence[Interval]) -> list[float]:
    """Part of each span that no interval of `covered` (sorted, disjoint) holds already."""
    fractions = []
    position = 0
    for start, end in spans:
        while position < len(covered) and covered[position][1] <= start:
            position += 1
        taken, at = 0.0, position
        while at < len(covered) and covered[at][0] < end:
            taken += min(covered[at][1], end) - max(covered[at][0], start)
            at += 1
        fractions.append(max(0.0, 1.0 - taken / (end - start)) if end > start else 1.0)
    return fractions


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted, disjoint intervals that cover the same time."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
