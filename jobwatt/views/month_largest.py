"""The largest jobs of `jobwatt month`, one line each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.text import Text

from jobwatt.energy.units import format_duration, format_energy
from jobwatt.history.month_model import Large
from jobwatt.views.month_fit import fit
from jobwatt.views.month_say import share_text, shown_id
from jobwatt.views.plot import Glyphs
from jobwatt.views.summary import band

WIDE_COLUMNS = 120
PARTLY = "* the part of the job that lies within this time"


class _Column(NamedTuple):
    title: str
    columns: int
    right: bool
    cell: Callable[[Large], str]
    wide: bool = False


def _start(one: Large) -> str:
    seconds = one.row.start_wall_seconds
    return "-" if seconds is None else time.strftime("%m-%d %H:%M", time.localtime(seconds))


_COLUMNS = (
    _Column("outcome", 13, False, lambda one: one.row.outcome),
    _Column("start", 11, False, _start, wide=True),
    _Column("elapsed", 11, True, lambda one: format_duration(one.row.elapsed_seconds, "-")),
    _Column("GPUs", 4, True, lambda one: "-" if one.row.gpus is None else str(one.row.gpus)),
    _Column("energy", 9, True, lambda one: format_energy(one.energy.joules)),
    _Column("share", 6, True, lambda one: share_text(one.share)),
    _Column("kind", 11, False, lambda one: one.energy.kind + ("" if one.whole else "*")),
    _Column("band", 20, False, lambda one: band(one.energy), wide=True),
    _Column("account", 12, False, lambda one: one.row.account or "-", wide=True),
    _Column("partition", 12, False, lambda one: one.row.partition or "-", wide=True),
)


def largest_lines(largest: Sequence[Large], columns: int, glyphs: Glyphs) -> list[Text]:
    """A table with its head; more columns where there is room."""
    wide = columns >= WIDE_COLUMNS
    chosen = [column for column in _COLUMNS if wide or not column.wide]
    ids = [shown_id(one, largest) for one in largest]
    id_columns = min(max(len(text) for text in ("Largest", *ids)), 24 if wide else 12)
    others = id_columns + sum(column.columns + 1 for column in chosen) + 1
    name_columns = min(max(columns - others, 6), 40)

    def line(name: str, job_name: str, cells: Sequence[str]) -> str:
        found = [fit(name, id_columns, glyphs), fit(job_name, name_columns, glyphs)]
        for text, column in zip(cells, chosen, strict=True):
            found.append(fit(text, column.columns, glyphs, column.right))
        return " ".join(found).rstrip()

    lines = [Text(line("Largest", "job name", [column.title for column in chosen]), "bold")]
    for one, name in zip(largest, ids, strict=True):
        lines.append(Text(line(name, one.row.name or "-", [c.cell(one) for c in chosen])))
    if not all(one.whole for one in largest):
        lines.append(Text(PARTLY, "dim"))
    return lines
