"""`jobwatt config` in a terminal: a table where there is room, else a block for each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from jobwatt.config import Row
from jobwatt.views.clean import clean
from jobwatt.views.console import stdout_console

_ANY_WIDTH = 10_000
"""A pipe has no width: one line for each setting, however long."""


def print_settings(rows: Sequence[Row], environ: Mapping[str, str]) -> None:
    """Print on stdout. Values stay whole: a path is there to be copied."""
    console = stdout_console(environ, _ANY_WIDTH)
    table = _table(rows)
    needed = console.measure(table, options=console.options.update(max_width=_ANY_WIDTH))
    if needed.maximum <= console.width:
        console.print(table)
        return
    width = max(len(row.key) for row in rows)
    for row in rows:
        style = "" if row.origin == "default" else "bold"
        value = (clean(row.value, 300) or '""', style)
        console.print(Text.assemble((row.key.ljust(width), "bold"), "  ", value), soft_wrap=True)
        indent = " " * (width + 2)
        origin = f"from {row.origin}"
        if row.origin != row.variable:
            origin = f"{row.origin}; {row.variable} overrides it"
        for line in (origin, row.help):
            # Text.wrap keeps the indent on every line of a long text.
            for part in Text(clean(line, 300)).wrap(console, max(console.width - width - 2, 20)):
                console.print(Text(indent + part.plain, style="dim"))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("setting", "value", "from", "environment"):
        table.add_column(name, overflow="fold", no_wrap=name in ("setting", "environment"))
    table.add_column("meaning", overflow="fold")
    for row in rows:
        table.add_row(
            Text(row.key, style="bold"),
            Text(clean(row.value, 300) or '""', style="" if row.origin == "default" else "bold"),
            Text(clean(row.origin, 300)),
            row.variable,
            Text(row.help),
        )
    return table
