"""The console of every rich view: no colour where NO_COLOR, TERM=dumb or a pipe says so."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would exit with 1; `jobwatt show | head` is no error, and `cli` says so."""
        raise BrokenPipeError


def stdout_console(environ: Mapping[str, str], pipe_columns: int = 132) -> Console:
    """Standard output, as wide as the terminal, or `pipe_columns` where there is none."""
    return _Console(
        highlight=False,
        no_color=True if environ.get("TERM") == "dumb" else None,
        width=None if sys.stdout.isatty() else pipe_columns,
    )
