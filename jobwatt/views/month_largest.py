"""The largest jobs of `jobwatt month`, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from jobwatt.energy.units import format_duration, format_energy
from jobwatt.history.month_model import Large
from jobwatt.views.clean import clean
from jobwatt.views.columns import Column, table_lines
from jobwatt.views.month_say import share_text, shown_id
from jobwatt.views.show_job import local
from jobwatt.views.summary import band

PARTLY = "* in part: what of the job lies within this time"
_NAME_COLUMNS = 40


def largest_lines(largest: Sequence[Large], columns: int) -> list[Text]:
    """A table with its head; more columns where there is room."""
    rows = [one.row for one in largest]
    table = [
        Column("Largest", [clean(shown_id(one, largest), 24) for one in largest], is_text=True),
        Column("job name", [clean(row.name, _NAME_COLUMNS) or "-" for row in rows], is_text=True),
        Column("outcome", [row.outcome for row in rows], is_text=True),
        Column("start", [_start(row.start_wall_seconds) for row in rows], 4),
        Column("elapsed", [format_duration(row.elapsed_seconds, "-") for row in rows], 3),
        Column("GPUs", ["-" if row.gpus is None else str(row.gpus) for row in rows], 1),
        Column("energy", [format_energy(one.energy.joules) for one in largest]),
        Column("share", [share_text(one.share) for one in largest], 2),
        Column("kind", [one.energy.kind + "*" * (not one.whole) for one in largest], is_text=True),
        Column("band", [band(one.energy) for one in largest], 5, is_text=True),
        Column("account", [clean(row.account, 20) or "-" for row in rows], 6, is_text=True),
        Column("partition", [clean(row.partition, 20) or "-" for row in rows], 7, is_text=True),
    ]
    lines = table_lines(table, columns)
    lines[0].stylize("bold not dim")
    if not all(one.whole for one in largest):
        lines.append(Text(PARTLY, "dim"))
    return lines


def _start(wall_seconds: float | None) -> str:
    if wall_seconds is None:
        return "-"
    return local(wall_seconds, "%m-%d %H:%M")
