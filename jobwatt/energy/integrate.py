"""Sums over columns of spans, with weights where spans of several steps overlap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress

Weights = Sequence[float] | None
Column = Sequence[float | None]
Interval = tuple[float, float]


def known_sum(column: Column, weights: Weights = None) -> float | None:
    """Sum of the known values; None if there is none."""
    if weights is not None:
        values = [v * w for v, w in zip(column, weights, strict=True) if v is not None]
    elif None in column:
        values = [value for value in column if value is not None]
    else:
        values = list(column)  # type: ignore[arg-type]
    return float(sum(values)) if values else None


def covered_seconds(column: Column, lengths: Column, weights: Weights = None) -> float:
    """Length of the spans whose value is known."""
    known = [value is not None for value in column]
    kept = None if weights is None else list(compress(weights, known))
    return known_sum(list(compress(lengths, known)), kept) or 0.0


def mean_over_time(column: Column, lengths: Column) -> float | None:
    """Mean of the known values, weighted by the length of their spans."""
    seconds = covered_seconds(column, lengths)
    if seconds <= 0:
        return None
    pairs = zip(column, lengths, strict=True)
    return sum(v * d for v, d in pairs if v is not None and d is not None) / seconds


def peak(column: Column) -> float | None:
    """Largest known value."""
    return max((value for value in column if value is not None), default=None)


def bits(column: Column) -> int | None:
    """Bitwise or of the known masks."""
    known = {int(value) for value in column if value is not None}
    if not known:
        return None
    mask = 0
    for value in known:
        mask |= value
    return mask


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
