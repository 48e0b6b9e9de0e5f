"""Bars, one-line curves and plots out of letters: braille, eighth blocks or ASCII. Pure.

All of them draw means: of the values that share a cell, the mean counts (each value by the part of
it that lies in the cell), so that the inked area is energy and a short peak is not a busy hour.
The peak is a figure, and figures stand beside. None is a gap; a known 0 is a line at the bottom.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from jobwatt.views.clean import width as columns_of

Values = Sequence[float | None]


class Glyphs(NamedTuple):
    """Letters to draw with."""

    name: str
    samples: int
    """Values side by side in one cell."""
    levels: int
    """Heights within one cell."""
    cells: str
    """A cell by the heights of its values (0 is empty), as digits of base `levels + 1`."""
    parts: str
    """Parts of a cell filled from the left, for `bar`; the last is a full one."""
    vertical: str
    horizontal: str
    corner: str
    tick: str

    @property
    def is_ascii(self) -> bool:
        """Whether nothing but ASCII may be written."""
        return self.cells.isascii()


_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_DOTS = "".join(chr(0x2800 + left + right) for left in _LEFT for right in _RIGHT)
_PARTS = "▏▎▍▌▋▊▉█"

# The empty braille letter is hollow dots in some fonts: a space in its place.
BRAILLE = Glyphs("braille", 2, 4, " " + _DOTS[1:], _PARTS, "│", "─", "└", "┴")
BLOCKS = Glyphs("blocks", 1, 8, " ▁▂▃▄▅▆▇█", _PARTS, "│", "─", "└", "┴")
ASCII = Glyphs("ascii", 1, 4, " .:|#", "-#", "|", "-", "+", "+")


def choose_glyphs(environ: Mapping[str, str], encoding: str | None, ascii_only: bool) -> Glyphs:
    """The finest letters that the terminal surely shows.

    ASCII where it is wished (`--ascii`), for TERM=dumb, where the locale is not a UTF-8 one, or
    where `encoding` (of the standard output) lacks the letters. The Linux console has no braille.
    """
    term = environ.get("TERM", "")
    if ascii_only or term == "dumb" or not _is_utf8(environ) or not _can_write(encoding):
        return ASCII
    return BLOCKS if term == "linux" else BRAILLE


def _is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the user's locale is UTF-8, before Python had its own way with it.

    In the C locale Python sets LC_CTYPE to C.UTF-8 by itself, unless LC_ALL is set (PEP 538).
    """
    ours, lang = environ.get("LC_CTYPE", ""), environ.get("LANG", "")
    if not environ.get("LC_ALL") and ours in ("C.UTF-8", "C.utf8") and lang in ("", "C", "POSIX"):
        return False
    name = environ.get("LC_ALL") or ours or lang
    return name.lower().replace("-", "").partition("@")[0].endswith("utf8")


def _can_write(encoding: str | None) -> bool:
    try:
        (BRAILLE.cells + BLOCKS.cells + _PARTS).encode(encoding or "ascii")
    except (LookupError, UnicodeError):
        return False
    return True


def resample(values: Values, count: int) -> list[float | None]:
    """`count` means over equal parts of the whole; a part of which nothing is known is None."""
    total = len(values)
    if total == count:
        return list(values)
    means: list[float | None] = []
    # In units of 1/count of a value: whole numbers, so that no edge is missed by rounding.
    for start in range(0, count * total, total or 1):
        end, weighted, known = start + total, 0.0, 0
        for index in range(start // count, -(-end // count)):
            value = values[index]
            if value is not None:
                overlap = min(end, (index + 1) * count) - max(start, index * count)
                weighted += value * overlap
                known += overlap
        means.append(weighted / known if known else None)
    return means or [None] * count


def known_peak(values: Values) -> float:
    """The largest known value; 0 if there is none above."""
    return max((value for value in values if value is not None and value > 0), default=0.0)


def bar(fraction: float | None, width: int, glyphs: Glyphs) -> str:
    """A horizontal bar, `width` columns with its blanks. What is above 0 shows; None does not."""
    if fraction is None or not fraction > 0 or width <= 0:
        return " " * max(0, width)
    steps = len(glyphs.parts)
    filled = max(1, round(min(1.0, fraction) * width * steps))
    full, part = divmod(filled, steps)
    text = glyphs.parts[-1] * full + (glyphs.parts[part - 1] if part else "")
    return text + " " * (width - len(text))


def spark(values: Values, width: int, glyphs: Glyphs, top: float | None = None) -> str:
    """A curve of one line, `width` columns. `top`: the full height; default is the largest."""
    rows = _rows(values, width, 1, glyphs, top)
    return rows[0] if rows else ""


def plot(
    values: Values,
    width: int,
    height: int,
    glyphs: Glyphs,
    unit: Callable[[float], str],
    times: Sequence[str] = (),
    top: float | None = None,
    margin: int = 0,
) -> list[str]:
    """A curve of `height` lines with both axes, `height + 2` lines of at most `width` columns.

    `unit` writes the two ends of the y axis (0 and `top`, by default the largest mean drawn),
    `times` are the words below the x axis: at its start, its end, and evenly between. `margin` is
    the least width of the words at the left, so that plots one above the other line up.
    """
    margin, label = max(margin, len(unit(0.0))), ""
    while len(label) not in range(1, margin + 1):
        # The largest mean hangs on the number of cells, and these on the width of its label.
        margin = max(margin, len(label))
        cells = max(1, width - margin - 2)
        most = known_peak(resample(values, cells * glyphs.samples)) if top is None else top
        label = unit(most)
    rows = _rows(values, cells, height, glyphs, most)
    words = [label, *[""] * (height - 2), unit(0.0)] if height > 1 else [label]
    lines = [
        f"{word:>{margin}} {glyphs.vertical}{row}".rstrip()
        for word, row in zip(words, rows, strict=True)
    ]
    below, ticks = _time_axis(times, cells)
    line = [glyphs.tick if column in ticks else glyphs.horizontal for column in range(cells)]
    lines.append(f"{'':>{margin}} {glyphs.corner}{''.join(line)}")
    lines.append(f"{'':>{margin + 2}}{below}".rstrip())
    return lines


def _rows(values: Values, width: int, height: int, glyphs: Glyphs, top: float | None) -> list[str]:
    """The inked cells, upper row first."""
    samples = resample(values, max(0, width) * glyphs.samples)
    most = known_peak(samples) if top is None else top
    steps = [_steps(value, most, height * glyphs.levels) for value in samples]
    rows = []
    for row in reversed(range(height)):
        below = row * glyphs.levels
        letters = []
        for start in range(0, len(steps), glyphs.samples):
            code = 0
            for step in steps[start : start + glyphs.samples]:
                code = code * (glyphs.levels + 1) + min(glyphs.levels, max(0, step - below))
            letters.append(glyphs.cells[code])
        rows.append("".join(letters))
    return rows


def _steps(value: float | None, top: float, steps: int) -> int:
    """Height of a value: 0 for the unknown alone."""
    if value is None or math.isnan(value):
        return 0
    return max(1, min(steps, round(value / top * steps))) if top > 0 else 1


def _time_axis(times: Sequence[str], cells: int) -> tuple[str, set[int]]:
    """The words below the x axis, and where the line above has its ticks."""
    last = len(times) - 1
    places = []
    for index, text in enumerate(times):
        at = 0 if index == 0 else round(index * (cells - 1) / last)
        size = columns_of(text)
        start = 0 if index == 0 else at - size + 1 if index == last else at - size // 2
        places.append((start, start + size, at, text))
    if any(after[0] < before[1] + 2 for before, after in pairwise(places)) or (
        places and places[-1][1] > cells
    ):
        # Too narrow: both ends are better than none.
        return _time_axis((times[0], times[-1]), cells) if last > 1 else ("", set())
    line = ""
    for start, _, _, text in places:
        line += " " * (start - columns_of(line)) + text
    return line, {at for _, _, at, _ in places[1:-1]}
