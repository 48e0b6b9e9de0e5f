"""The breakdowns of `jobwatt month` side by side, as many as the terminal is wide for."""

from __future__ import annotations

from rich.text import Text

from jobwatt.energy.units import format_energy
from jobwatt.history.month_model import Breakdown, Month
from jobwatt.views.clean import clean, width
from jobwatt.views.month_say import breakdowns, share_text, slice_lines
from jobwatt.views.plot import Glyphs, bar

COLUMN_GAP = 2
_MIN_COLUMNS = 39
"""Of one block: two fit a terminal of 80."""
_BAR_FROM_COLUMNS = 48
_FIGURES = ((9, "energy"), (6, "share"), (6, "jobs"))


def blocks_beside(month: Month, columns: int, glyphs: Glyphs) -> list[Text]:
    """Stacks of blocks; each block goes onto the stack that is lowest so far."""
    count = 1 if columns < 2 * _MIN_COLUMNS + COLUMN_GAP else 3 if columns >= 150 else 2
    size = min((columns - COLUMN_GAP * (count - 1)) // count, 72)
    stacks: list[list[Text]] = [[] for _ in range(count)]
    for title, breakdown in breakdowns(month):
        stack = min(stacks, key=len)
        if stack:
            stack.append(Text())
        stack += _block(title, breakdown, size, glyphs)
    lines = []
    for row in range(max(map(len, stacks))):
        line = Text()
        for index, stack in enumerate(stacks):
            if row < len(stack):
                line.append(" " * (index * (size + COLUMN_GAP) - line.cell_len))
                line.append(stack[row])
        line.rstrip()
        lines.append(line)
    return lines


def _block(title: str, breakdown: Breakdown, size: int, glyphs: Glyphs) -> list[Text]:
    bar_columns = size // 4 if size >= _BAR_FROM_COLUMNS else 0
    figures = sum(size_of + 1 for size_of, _ in _FIGURES)
    label_columns = size - figures - (bar_columns + 1 if bar_columns else 0)
    head = _padded(title, label_columns)
    head += "".join(f" {name:>{size_of}}" for size_of, name in _FIGURES)
    lines = [Text(head, "bold")]
    for label, one in slice_lines(breakdown):
        cells = (format_energy(one.energy_joules, "-"), share_text(one.share), str(one.jobs))
        text = _padded(label, label_columns)
        text += "".join(f" {c:>{w}}" for c, (w, _) in zip(cells, _FIGURES, strict=True))
        line = Text(text)
        if bar_columns:
            line.append(" ")
            line.append(bar(one.share, bar_columns, glyphs), "cyan")
        lines.append(line)
    return lines


def _padded(text: str, size: int) -> str:
    """Harmless, cut and filled up to so many columns."""
    text = clean(text, size)
    return text + " " * (size - width(text))
