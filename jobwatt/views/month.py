"""`jobwatt month` in a terminal: the figures, a bar for each day, where the energy went."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from textwrap import wrap

from rich.text import Text

from jobwatt.energy.units import format_energy
from jobwatt.history.month_model import Month
from jobwatt.history.periods import short_date
from jobwatt.views.clean import to_ascii
from jobwatt.views.console import stdout_console
from jobwatt.views.month_blocks import COLUMN_GAP, blocks_beside
from jobwatt.views.month_largest import largest_lines
from jobwatt.views.month_say import LEGEND, Fact, facts, headline, nothing
from jobwatt.views.plot import BLOCKS, Glyphs, choose_glyphs, known_peak, plot, spark

PIPE_COLUMNS = 132
WIDE_COLUMNS = 120
"""From here on there is room for more than the essential."""
MAX_COLUMNS = 200
LABEL_COLUMNS = 11
CHANGE_COLUMNS = 6
_MARGIN = 9
_DAY_LABELS = 5


def print_month(month: Month, ascii_only: bool, environ: Mapping[str, str]) -> None:
    """Print on stdout; no colour where NO_COLOR, TERM=dumb or a pipe says so."""
    console = stdout_console(environ, PIPE_COLUMNS)
    glyphs = choose_glyphs(environ, getattr(sys.stdout, "encoding", None), ascii_only)
    lines = month_lines(month, console.width, glyphs)
    with console.capture() as captured:
        console.print(Text("\n").join(lines), soft_wrap=len(lines) > 1)
    text = captured.get()
    print(to_ascii(text) if glyphs.is_ascii else text, end="")


def month_lines(month: Month, columns: int, glyphs: Glyphs) -> list[Text]:
    """The whole screen for a terminal of so many columns."""
    columns = min(columns, MAX_COLUMNS)
    said = nothing(month)
    if said:
        return [Text(f"jobwatt: {said}")]
    lines = [Text(headline(month), "bold"), *_facts(month, columns)]
    if month.totals.metered.joules:
        lines += [Text(), *_days(month, columns, glyphs)]
    lines += [Text(), *blocks_beside(month, columns, glyphs)]
    if month.largest:
        lines += [Text(), *largest_lines(month.largest, columns)]
    return [*lines, *(Text(line, "dim") for line in wrap(LEGEND, columns))]


def _facts(month: Month, columns: int) -> list[Text]:
    """Three columns: the period, the one before, the change; where it is narrow, the first.

    The total of the period before then gets a line of its own.
    """
    head = Fact("", month.period.dates, month.before.short_dates, "change")
    rows = [head, *facts(month)]
    now_columns = max(len(fact.now) for fact in rows) + COLUMN_GAP
    before_columns = max(len(fact.before) for fact in rows) + 1
    room = columns - 2 - LABEL_COLUMNS - now_columns
    if room < before_columns:
        total = rows[1]
        said = f"{total.before}, {head.before}" + f"; now {total.change}" * bool(total.change)
        rows.insert(2, Fact("before", said))
    lines = []
    for fact in rows:
        style = "dim" if fact is head else "bold" if fact.label == "total" else ""
        line = Text.assemble(("  " + fact.label.ljust(LABEL_COLUMNS), "dim"))
        line.append(fact.now.ljust(now_columns), style)
        if room >= before_columns:
            line.append(fact.before.ljust(before_columns), "dim")
        if room >= before_columns + CHANGE_COLUMNS:
            line.append(f"{fact.change:>{CHANGE_COLUMNS}}", style)
        line.rstrip()
        lines.append(line)
    return lines


def _days(month: Month, columns: int, glyphs: Glyphs) -> list[Text]:
    """A column of blocks for each day; below it the period before, to the same scale."""
    glyphs = glyphs if glyphs.is_ascii else BLOCKS
    wide = columns >= WIDE_COLUMNS
    days = len(month.day_joules)
    room = columns - _MARGIN - 2
    # A step of at least two columns: a bar and a gap.
    step = max(2, room // max(days, 1)) if days * 2 <= room else 1
    step = min(step, 6)
    cells = days * step
    before = month.day_joules_before[:days]
    before = before + (None,) * (days - len(before))
    top = known_peak((*month.day_joules, *before))
    places = [round(i * (days - 1) / (_DAY_LABELS - 1)) for i in range(_DAY_LABELS)]
    times = [short_date(month.period.days[place]) for place in dict.fromkeys(places)]
    rows = plot(
        _spaced(month.day_joules, step), _MARGIN + 2 + cells, 6 if wide else 4, glyphs,
        format_energy, times, top, _MARGIN,
    )  # fmt: skip
    lines = [Text("Energy by day", "bold")]
    lines += [_coloured(row, _MARGIN + 1, "cyan") for row in rows]
    line = Text(f"{'before':>{_MARGIN}} {glyphs.vertical}")
    line.append(spark(_spaced(before, step), cells, glyphs, top).rstrip(), "dim")
    return [*lines, line]


def _spaced(values: Sequence[float | None], step: int) -> list[float | None]:
    """Each value over `step - 1` cells, then a gap."""
    found: list[float | None] = []
    for value in values:
        found += [value] * max(1, step - 1) + [None] * (1 if step > 1 else 0)
    return found


def _coloured(row: str, start: int, style: str) -> Text:
    return Text.assemble((row[:start], "dim"), (row[start:], style))
