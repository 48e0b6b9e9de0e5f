"""A row of the overhead table, and how its numbers are written. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One measured quantity of one subject."""

    quantity: str
    subject: str
    value: str
    compared: str = ""
    """Ratio to, or difference from, what the quantity's other rows say."""
    wanted: str = ""
    """The project's limit and whether it was met."""


def wanted(value: float, limit: float, text: str) -> str:
    """A limit as the table says it."""
    return f"{text}: {'met' if value <= limit else '**missed**'}"


def spread(values_seconds: Sequence[float]) -> str:
    """Median and quartiles, in milliseconds."""
    low, middle, high = statistics.quantiles(values_seconds, n=4)
    return f"{middle * 1e3:.1f} ms ({low * 1e3:.1f} to {high * 1e3:.1f})"


def times(value: float, reference: float) -> str:
    """A ratio; empty where the reference is no positive number."""
    if reference <= 0:
        return ""
    ratio = value / reference
    return f"{ratio:.0f} ×" if ratio >= 20 else f"{ratio:.2f} ×"


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = ["| quantity | of | value | compared | wanted |", "|---|---|--:|--:|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
