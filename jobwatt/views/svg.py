"""Small SVG plots for a page: bars by day, one bar of parts, a bar in a table. Pure.

They hold no text but titles, since they are stretched to the width of the page: words stand in
the page beside them. All that comes in is escaped here. Colours are classes of the page's style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

SLOT = 10.0
"""Width of a day in the plot's own units."""
HEIGHT = 100.0
_BEFORE = (0.6, 8.8)
_NOW = (2.2, 5.6)
"""Offset and width of a bar within its day: the period before shows at both sides."""


class Day(NamedTuple):
    """One day and the one in its place in the period before. None is unknown or absent."""

    title: str
    now: float | None
    before: float | None
    unknown: bool = False
    """Something ran, nothing was measured."""


class Part(NamedTuple):
    """A part of a whole: a class of the style, 0 to 1, and what to say of it."""

    name: str
    fraction: float
    title: str


def element(name: str, attributes: Mapping[str, str | float], *children: str) -> str:
    """An element; `children` are markup, attributes are text."""
    said = "".join(
        f' {key}="{escape(value if isinstance(value, str) else number(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{said}>{''.join(children)}</{name}>"


def number(value: float) -> str:
    """Three digits after the point at most, as SVG takes them."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def day_bars(days: Sequence[Day], top: float, title: str, description: str) -> str:
    """A bar for each day, behind it that of the period before; `top` is the full height."""
    width = SLOT * max(len(days), 1)
    grid = [
        element("line", {"class": "grid", "x1": 0, "x2": width, "y1": y, "y2": y})
        for y in (0.0, HEIGHT / 2, HEIGHT)
    ]
    bars = []
    for index, day in enumerate(days):
        x = index * SLOT
        parts = [
            element("title", {}, escape(day.title)),
            # All of the day answers the pointer, not only its ink.
            element("rect", {"class": "slot", "x": x, "y": 0, "width": SLOT, "height": HEIGHT}),
        ]
        for name, value, (offset, size) in (
            ("before", day.before, _BEFORE),
            ("now", day.now, _NOW),
        ):
            if value is not None and value > 0 and top > 0:
                height = min(1.0, value / top) * HEIGHT
                parts.append(
                    element("rect", {"class": name, "x": x + offset, "y": HEIGHT - height,
                                     "width": size, "height": height})
                )  # fmt: skip
        if day.unknown:
            y = HEIGHT - 2
            ends = {"x1": x + _BEFORE[0], "x2": x + sum(_BEFORE), "y1": y, "y2": y}
            parts.append(element("line", {"class": "unknown", **ends}))
        bars.append(element("g", {}, *parts))
    return _image("days", width, title, description, [*grid, *bars])


def parts_bar(parts: Sequence[Part], title: str, description: str) -> str:
    """One bar cut into its parts, in their order."""
    found, x = [], 0.0
    for part in parts:
        size = max(0.0, part.fraction) * HEIGHT
        attributes = {"x": x, "y": 0.0, "width": size, "height": HEIGHT}
        rect = element(
            "rect", {"class": part.name, **attributes}, element("title", {}, escape(part.title))
        )
        found.append(rect)
        x += size
    return _image("parts", HEIGHT, title, description, found)


def meter(fraction: float | None) -> str:
    """A bar in a table, beside its figure and therefore silent to a screen reader."""
    size = min(1.0, max(0.0, fraction or 0.0)) * HEIGHT
    rects = [
        element("rect", {"class": name, "x": 0, "y": 0, "width": width, "height": HEIGHT})
        for name, width in (("track", HEIGHT), ("now", size))
    ]
    box = {"viewBox": f"0 0 {number(HEIGHT)} {number(HEIGHT)}", "preserveAspectRatio": "none"}
    return element("svg", {"class": "meter", "aria-hidden": "true", **box}, *rects)


def swatch(name: str) -> str:
    """A square in a colour of the plots, for a legend."""
    rect = element("rect", {"class": name, "x": 0, "y": 0, "width": 10, "height": 10})
    return element("svg", {"class": "swatch", "aria-hidden": "true", "viewBox": "0 0 10 10"}, rect)


def _image(name: str, width: float, title: str, description: str, children: Sequence[str]) -> str:
    return element(
        "svg",
        {
            "class": f"plot {name}",
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
            "viewBox": f"0 0 {number(width)} {number(HEIGHT)}",
            "preserveAspectRatio": "none",
        },
        element("title", {"id": f"{name}-title"}, escape(title)),
        element("desc", {"id": f"{name}-desc"}, escape(description)),
        *children,
    )
