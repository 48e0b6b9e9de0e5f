"""`jobwatt show [JOB[.STEP]]`: one job or step in full."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from jobwatt.commands.said import say
from jobwatt.commands.which import one_job
from jobwatt.config import Settings, load
from jobwatt.energy.series import Series, series_of
from jobwatt.errors import NotFoundError, UnreadableError, UsageError
from jobwatt.history.history import History, open_history
from jobwatt.history.index import FOR_EVER
from jobwatt.history.measured import row_of
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.journal.reader import Journal
from jobwatt.journal.store import StepFiles, last_step, read_job, read_step, steps_of
from jobwatt.model import Account
from jobwatt.paths import PACKED_SUFFIX
from jobwatt.views.report import build

LOOK_BACK_SECONDS = 30 * 86400.0
"""How far back Slurm is asked: as `jobwatt jobs` does, so that both share one answer."""
NO_READING = "Nothing over time: no reading yet."
KEPT_ONLY = "Nothing over time: the journals are gone, these are the figures that were kept."
IMPORTED_ONLY = "Nothing over time: only sums were imported."


class _Wanted(NamedTuple):
    job: str
    step: str
    cluster: str


class _Measured(NamedTuple):
    account: Account
    series: Series | None
    no_series: str
    """Why there is none."""


def show(
    job: str, as_json: bool, cluster: str, ascii_only: bool, environ: Mapping[str, str]
) -> None:
    """Print it on stdout. NotFoundError: no such job or step."""
    gc.disable()  # a million numbers and no garbage, in a process that ends right after
    settings = load(environ)
    history = open_history(settings, environ, time.time() - LOOK_BACK_SECONDS)
    say(history.problems)
    wanted = _wanted(job, cluster, history, settings)
    # A step is named by the raw id of its job, as the summary at its end names it.
    find = partial(one_job, history) if job and not wanted.step else history.row
    row = find(wanted.job, wanted.cluster)
    if row is not None:
        wanted = wanted._replace(job=row.job, cluster=row.cluster)
    try:
        found = _measured(wanted, history, settings)
    except NotFoundError:
        if row is None or wanted.step:
            raise
        found = None
    if as_json:
        _print_json(found, row)
        return
    from jobwatt.views.show import Known, print_report

    asked = bool(history.slurm_source)
    if found is not None:
        row = row or row_of(found.account, {}, 0.0)
        imported = row.origin.startswith(IMPORTED)
        known = Known(row, asked, found.series, IMPORTED_ONLY if imported else found.no_series)
        print_report(build(found.account), known, ascii_only, environ)
    elif row is not None:
        print_report(None, Known(row, asked), ascii_only, environ)


def _print_json(found: _Measured | None, row: JobRow | None) -> None:
    from jobwatt.views.json import not_measured_json, report_json

    if found is not None:
        print(report_json(build(found.account), row, found.series), flush=True)
    elif row is not None:
        print(not_measured_json(row), flush=True)


def _wanted(name: str, cluster: str, history: History, settings: Settings) -> _Wanted:
    """What the words on the command line mean; without any, the step measured last."""
    if not name:
        return _last(history, settings)
    job, _, step = name.partition(".")
    if not job:
        raise UsageError(f"{name!r} names no job", "write: jobwatt show JOB or JOB.STEP")
    return _Wanted(job, step, cluster)


def _last(history: History, settings: Settings) -> _Wanted:
    """The step whose journal changed last; where no journal is left, the job measured last."""
    try:
        last = last_step(settings.directory)
    except NotFoundError:
        rows = [row for row in history.rows(0.0, FOR_EVER) if row.origin]
        if not rows:
            raise
        row = max(rows, key=lambda row: row.end_wall_seconds or row.start_wall_seconds or 0.0)
        return _Wanted(row.job, "", row.cluster)
    return _Wanted(last.job, last.step, last.cluster)


def _measured(wanted: _Wanted, history: History, settings: Settings) -> _Measured:
    """NotFoundError: nothing was measured of it. UnreadableError: it was, and is damaged."""
    try:
        steps = steps_of(settings.directory, wanted.job, wanted.cluster or None)
    except NotFoundError:
        return _Measured(history.account(*_as_account(wanted)), None, KEPT_ONLY)
    if wanted.step:
        steps = _one_step(wanted, steps)
    if any(path.name.endswith(PACKED_SUFFIX) for files in steps for path in files.journals):
        # Packed journals may have been thinned out; what was kept of them before is exact.
        account, journals = history.account(*_as_account(wanted)), _journals(steps)
    else:
        account, journals = read_job(steps)
    return _Measured(account, series_of(journals), NO_READING)


def _as_account(wanted: _Wanted) -> tuple[str, str, str]:
    return wanted.job, wanted.cluster, wanted.step


def _one_step(wanted: _Wanted, steps: Sequence[StepFiles]) -> list[StepFiles]:
    """The last restart of the step."""
    found = [files for files in steps if files.step == wanted.step]
    if not found:
        names = ", ".join(sorted({files.step for files in steps})[:20])
        raise NotFoundError(
            f"job {wanted.job} has no measured step {wanted.step!r}", f"it has: {names}"
        )
    return [max(found, key=lambda files: files.restart)]


def _journals(steps: Sequence[StepFiles]) -> list[Journal]:
    journals: list[Journal] = []
    for files in steps:
        try:
            journals += read_step(files)[0]
        except UnreadableError:  # the account says so
            continue
    return journals
