"""`jobwatt compare`: a column for each job, a line for each figure, the change beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.text import Text

from jobwatt.energy.merge import METERED
from jobwatt.energy.units import format_duration, format_energy, format_percent, format_power
from jobwatt.history.compare import (
    COMMON_NAMES,
    QUANTITIES,
    SAME_COMMAND,
    Earlier,
    Quantity,
)
from jobwatt.history.rows import JobRow
from jobwatt.views.clean import clean
from jobwatt.views.columns import Column, room_left, table_lines
from jobwatt.views.console import stdout_console
from jobwatt.views.tables import JOBS, SCHEMA, job_record

MAX_NAME_COLUMNS = 24
SHORT_NAME_COLUMNS = 12
"""Where there is not enough room for the longer."""
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


def comparison_lines(rows: Sequence[JobRow], before: Earlier | None, columns: int) -> list[Text]:
    """Jobs beside the first of them; a single one beside the median of its earlier runs.

    All changes are shown, or none where only so all jobs fit side by side. More jobs than that
    stand one group below the other, each beside the first.
    """
    shown = [
        quantity
        for quantity in QUANTITIES
        if any(quantity.value(row) is not None for row in rows)
    ]
    first, *others = rows
    if before is not None and before.runs:
        table = [*_first(first, shown, MAX_NAME_COLUMNS), *_median(first, before, shown)]
        return [*table_lines(table, columns), *_notes(rows, before)]
    for with_changes in (True, False):
        for name_columns in (MAX_NAME_COLUMNS, SHORT_NAME_COLUMNS):
            tables = [_first(first, shown, name_columns)]
            for row in others:
                tables.append(_beside(row, first, shown, name_columns, with_changes))
            whole = [column for part in tables for column in part]
            if room_left(whole, columns) >= 0:
                return [*table_lines(whole, columns), *_notes(rows, before)]
    lines: list[Text] = []
    for group in _groups(first, others, shown, columns):
        lines += [*table_lines(group, columns), Text("")]
    return [*lines[:-1], *_notes(rows, before)]


def _groups(
    first: JobRow, others: Sequence[JobRow], shown: Sequence[Quantity], columns: int
) -> list[list[Column]]:
    """Tables that fit, with changes; each has at least one job beside the first."""
    groups: list[list[Column]] = []
    for row in others:
        own = _beside(row, first, shown, SHORT_NAME_COLUMNS, True)
        if not groups or room_left([*groups[-1], *own], columns) < 0:
            groups.append(_first(first, shown, SHORT_NAME_COLUMNS))
        groups[-1] += own
    return groups or [_first(first, shown, SHORT_NAME_COLUMNS)]


def _first(row: JobRow, shown: Sequence[Quantity], name_columns: int) -> list[Column]:
    """The labels, and the job that all others are compared with."""
    labels = ["name", "state", *(quantity.label for quantity in shown)]
    return [Column("", labels, is_text=True), _job(row, shown, name_columns)]


def _job(row: JobRow, shown: Sequence[Quantity], name_columns: int) -> Column:
    values = [shown_value(quantity, quantity.value(row)) for quantity in shown]
    name = clean(row.name, name_columns) or "-"
    return Column(clean(row.shown_id, name_columns), [name, row.outcome, *values])


def _beside(
    row: JobRow, first: JobRow, shown: Sequence[Quantity], name_columns: int, with_changes: bool
) -> list[Column]:
    """A job, and how its figures differ from those of the first."""
    columns = [_job(row, shown, name_columns)]
    if with_changes:
        changes = [change(quantity.value(row), quantity.value(first)) for quantity in shown]
        title = f"vs {clean(first.shown_id, SHORT_NAME_COLUMNS)}"
        columns.append(Column(title, ["", "", *changes]))
    return columns


def _median(row: JobRow, before: Earlier, shown: Sequence[Quantity]) -> list[Column]:
    medians = [before.medians[quantity.name] for quantity in shown]
    changes = [change(q.value(row), then) for q, then in zip(shown, medians, strict=True)]
    return [
        Column("median", ["", "", *map(shown_value, shown, medians)], note=f"of {before.runs}"),
        Column("vs median", ["", "", *changes], rank=1),
    ]


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


def _notes(rows: Sequence[JobRow], before: Earlier | None) -> list[Text]:
    kinds = [kind for kind in METERED if kind in {row.metered_kind for row in rows}]
    notes = [Text("")]
    if kinds:
        notes.append(Text(f"energy: {' and '.join(kinds)}; estimates are not in it", style="dim"))
    if before is None:
        return notes
    name = clean(rows[0].name, MAX_NAME_COLUMNS)
    words = [f"earlier run{'s' * (before.runs > 1)}", f"named {name}" * bool(name)]
    if before.runs:
        words = ["median:", str(before.runs), *words, before.rule]
    else:
        needed = SAME_COMMAND if rows[0].name in COMMON_NAMES else ""
        words = ["no", *words, needed, "was measured"]
    notes.append(Text(" ".join(word for word in words if word)))
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
