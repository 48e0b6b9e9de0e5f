"""Tables that fit: what matters least goes first where a terminal is narrow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from jobwatt.views.clean import clean, width

GAP = 2
LEAST_TEXT_COLUMNS = 6
"""A name is cut down to this much before the table runs over the margin."""


@dataclass(frozen=True)
class Column:
    """One column, all of its cells harmless text (`views.clean`)."""

    title: str
    cells: Sequence[str]
    rank: int = 0
    """Where there is not enough room, the column of the highest rank goes; 0 stays."""
    note: str = ""
    """Below the title: what the figures are."""
    is_text: bool = False
    """A name: at the left of its column, and the first to be cut."""
    styles: Sequence[str] = ()
    """Of each cell, as rich names them; empty: none."""

    @property
    def width(self) -> int:
        """Terminal columns of the widest cell."""
        return max(map(width, (self.title, self.note, *self.cells)))


def room_left(columns: Sequence[Column], limit: int) -> int:
    """Terminal columns beside a table of all these columns; negative where it does not fit."""
    return limit - sum(column.width for column in columns) - GAP * (len(columns) - 1)


def fitting(columns: Sequence[Column], limit: int) -> list[Column]:
    """Those that have room, in their order. A column that is all `-` or empty tells nothing."""
    kept = [
        column
        for column in columns
        if not column.rank or any(cell.strip(" -") for cell in column.cells)
    ]
    while room_left(kept, limit) < 0 and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def table_lines(columns: Sequence[Column], limit: int) -> list[Text]:
    """Titles, notes where there are any, and the cells; no line is longer than `limit`."""
    kept = fitting(columns, limit)
    widths = [column.width for column in kept]
    lacking = -room_left(kept, limit)
    for index, column in enumerate(kept):
        if column.is_text and lacking > 0:
            cut = min(lacking, max(0, widths[index] - LEAST_TEXT_COLUMNS))
            widths[index] -= cut
            lacking -= cut
    heads = [[(column.title, "dim") for column in kept]]
    if any(column.note for column in kept):
        heads.append([(column.note, "dim") for column in kept])
    rows = heads + [
        [(column.cells[row], column.styles[row] if column.styles else "") for column in kept]
        for row in range(len(kept[0].cells) if kept else 0)
    ]
    return [_line(kept, widths, row, limit) for row in rows]


def _line(
    columns: Sequence[Column], widths: Sequence[int], row: Sequence[tuple[str, str]], limit: int
) -> Text:
    line = Text(no_wrap=True)
    for column, size, (words, style) in zip(columns, widths, row, strict=True):
        words = clean(words, size) if width(words) > size else words
        blanks = " " * (size - width(words))
        line.append(" " * GAP if line.plain else "")
        line.append(words + blanks if column.is_text else blanks + words, style)
    line.rstrip()
    line.truncate(limit)
    return line
