"""`jobwatt compare JOB...`: side by side, or one job against its earlier runs."""

from __future__ import annotations

import time
from collections.abc import Mapping

from jobwatt.commands.said import say
from jobwatt.commands.which import one_job
from jobwatt.config import load
from jobwatt.errors import NotFoundError, UsageError
from jobwatt.history.compare import Earlier, earlier
from jobwatt.history.history import History, open_history
from jobwatt.history.rows import JobRow


def compare(names: tuple[str, ...], as_json: bool, environ: Mapping[str, str]) -> None:
    """Print on stdout.

    NotFoundError: a job is not known, or was not measured. UsageError: one job twice, or an array.
    """
    history = open_history(load(environ), environ, time.time())
    rows = list({row.key: row for row in (_row(history, name) for name in names)}.values())
    if len(rows) == 1 < len(names):
        same = rows[0].shown_id
        raise UsageError(
            f"all of these are job {same}", f"jobwatt compare {same} shows its earlier runs beside"
        )
    before: Earlier | None = None
    if len(rows) == 1:
        before = earlier(rows[0], history.runs(rows[0].name))
    say(history.problems)
    if as_json:
        from jobwatt.views.compare import compare_json

        print(compare_json(rows, before))
        return
    from jobwatt.views.compare import print_comparison

    print_comparison(rows, before, environ)


def _row(history: History, name: str) -> JobRow:
    row = one_job(history, name)
    if row is None:
        raise NotFoundError(f"no job {name!r:.40} is known", "jobwatt jobs lists those that are")
    if not row.origin:
        raise NotFoundError(
            f"job {row.shown_id} was not measured", "start steps by srun-green to measure them"
        )
    return row
