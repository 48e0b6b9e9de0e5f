"""`jobwatt compare`: a column for each job, a line for each figure, the change beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.text import Text

from jobwatt.energy.merge import METERED
from jobwatt.energy.units import format_duration, format_energy, format_percent, format_power
from jobwatt.history.compare import QUANTITIES, Earlier, Quantity
from jobwatt.history.rows import JobRow
from jobwatt.views.clean import clean
from jobwatt.views.columns import Column, table_lines
from jobwatt.views.console import stdout_console
from jobwatt.views.tables import JOBS, SCHEMA, job_record

MAX_NAME_COLUMNS = 24
_UNITS: tuple[tuple[str, Callable[[float | None, str], str]], ...] = (
    ("_joules", format_energy),
    ("_watts", format_power),
    ("_seconds", format_duration),
    ("_percent", format_percent),
)


def print_comparison(
    rows: Sequence[JobRow], before: Earlier | None, environ: Mapping[str, str]
) -> None:
    """Print on stdout; no colour where NO_COLOR, TERM=dumb or a pipe says so."""
    console = stdout_console(environ)
    for line in comparison_lines(rows, before, console.width):
        console.print(line, soft_wrap=True)


def comparison_lines(
    rows: Sequence[JobRow], before: Earlier | None, columns: int
) -> list[Text]:
    """Jobs beside the first of them; a single one beside the median of its earlier runs."""
    shown = [
        quantity
        for quantity in QUANTITIES
        if any(quantity.value(row) is not None for row in rows)
    ]
    labels = ["name", "state", *(quantity.label for quantity in shown)]
    table = [Column("", labels, is_text=True)]
    for index, row in enumerate(rows):
        table.append(Column(clean(row.shown_id, MAX_NAME_COLUMNS), _cells(row, shown)))
        if index:
            first = [quantity.value(rows[0]) for quantity in shown]
            own = [quantity.value(row) for quantity in shown]
            table.append(Column("", ["", "", *map(change, own, first)], rank=1))
    if before is not None and before.runs:
        medians = [before.medians[quantity.name] for quantity in shown]
        cells = ["", "", *map(shown_value, shown, medians)]
        table.append(Column("median", cells, note=f"of {before.runs}"))
        own = [quantity.value(rows[0]) for quantity in shown]
        table.append(Column("", ["", "", *map(change, own, medians)]))
    return [*table_lines(table, columns), *_notes(rows, before)]


def change(now: float | None, then: float | None) -> str:
    """`+12 %`, `-30 %`, `x 12`; empty where one is unknown or the base is 0."""
    if now is None or not then:
        return ""
    ratio = now / then
    if ratio >= 10:
        return f"x {ratio:.0f}"
    return f"{100 * (ratio - 1):+.0f} %"


def shown_value(quantity: Quantity, value: float | None) -> str:
    """With its unit, by what its name ends with."""
    if quantity.name == "coverage":
        return format_percent(None if value is None else 100 * value, "-")
    for ending, form in _UNITS:
        if quantity.name.endswith(ending):
            return form(value, "-")
    return "-" if value is None else f"{value:g}"


def _cells(row: JobRow, shown: Sequence[Quantity]) -> list[str]:
    values = [shown_value(quantity, quantity.value(row)) for quantity in shown]
    return [clean(row.name, MAX_NAME_COLUMNS) or "-", row.outcome, *values]


def _notes(rows: Sequence[JobRow], before: Earlier | None) -> list[Text]:
    kinds = [kind for kind in METERED if kind in {row.metered_kind for row in rows}]
    notes = [Text("")]
    if kinds:
        notes.append(Text(f"energy: {' and '.join(kinds)}; estimates are not in it", style="dim"))
    if before is None:
        return notes
    name = clean(rows[0].name, MAX_NAME_COLUMNS)
    if not before.runs:
        notes.append(Text(f"no earlier run named {name} was measured"))
    else:
        runs = f"{before.runs} earlier run{'s' * (before.runs != 1)}"
        notes.append(Text(f"median: {runs} named {name}, {before.rule}"))
    return notes


def compare_json(rows: Sequence[JobRow], before: Earlier | None) -> str:
    """The jobs' records as `export` has them, and the medians; null for unknown."""
    names = [column.name for column in JOBS.columns]
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "jobs": [dict(zip(names, job_record(row), strict=True)) for row in rows],
        "earlier": None,
    }
    if before is not None:
        document["earlier"] = {"runs": before.runs, "rule": before.rule, "medians": before.medians}
    return json.dumps(document, indent=2)
