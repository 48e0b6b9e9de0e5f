"""`jobwatt month [YYYY-MM]`: the last 30 days, or a calendar month, at a glance."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Mapping

from jobwatt.commands.said import say
from jobwatt.config import load
from jobwatt.errors import UsageError
from jobwatt.history.history import open_history
from jobwatt.history.month import build_month
from jobwatt.history.periods import periods
from jobwatt.history.upkeep import begin_if_due


def month(
    wish: str, as_json: bool, html: str, ascii_only: bool, environ: Mapping[str, str]
) -> None:
    """Print it on stdout, or write the page to the file `html` (`-`: on stdout as well).

    UsageError: no month, or two forms wished.
    """
    if as_json and html:
        raise UsageError("--json and --html are two forms of the same", "choose one")
    gc.disable()  # thousands of rows and no garbage, in a process that ends right after
    now = time.time()
    period, before = periods(wish, now)
    settings = load(environ)
    history = open_history(settings, environ, before.start_wall_seconds)
    begin_if_due(history.index, settings, environ)
    rows = history.rows(before.start_wall_seconds, period.end_wall_seconds)
    report = build_month(rows, period, before, now)
    if html:
        from jobwatt.commands.whole_file import whole_file
        from jobwatt.views.month_html import month_page

        page = month_page(report).encode()
        if html == "-":
            sys.stdout.buffer.write(page)  # UTF-8, as it says, whatever the terminal takes
        else:
            with whole_file(html) as file:
                file.write(page)
    elif as_json:
        from jobwatt.views.month_json import month_json

        print(month_json(report))
    else:
        from jobwatt.views.month import print_month

        print_month(report, ascii_only, environ)
    sys.stdout.flush()
    say(history.problems)
