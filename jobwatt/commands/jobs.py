"""`jobwatt jobs`: past and running jobs with their energy."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobwatt.commands.said import say
from jobwatt.config import load
from jobwatt.energy.units import format_duration
from jobwatt.errors import NotFoundError, UsageError
from jobwatt.history.history import History, open_history
from jobwatt.history.measured import JOURNAL
from jobwatt.history.rows import JobRow
from jobwatt.history.select import Filter, lines, ordered, states, words
from jobwatt.history.upkeep import begin_if_due
from jobwatt.history.when import parse_time
from jobwatt.slurm.jobs import RUNNING
from jobwatt.views.show_job import local

SCREEN_LINES = 30
FRESH_SECONDS = 5.0
_ID = re.compile(r"[0-9]{1,12}([_+][0-9]{1,9})?|[A-Za-z][A-Za-z0-9-]{0,60}")
"""Slurm's, or `local-…` of `jobwatt run`, or an imported one."""


@dataclass(frozen=True)
class Wish:
    """The command line."""

    jobs: tuple[str, ...] = ()
    since: str = "30d"
    until: str = ""
    state: str = ""
    name: str = ""
    account: str = ""
    partition: str = ""
    sort: str = ""
    limit: int | None = None
    """Lines; 0 is all of them. Unsaid: `SCREEN_LINES`, and all of them for programs."""
    tasks: bool = False
    measured: bool = False


def jobs(wish: Wish, form: str, environ: Mapping[str, str]) -> None:
    """Print them on stdout as `text`, `json` or `csv`; what could not be read on stderr."""
    now = time.time()
    since = parse_time(wish.since, now, "--since")
    until = parse_time(wish.until, now, "--until") if wish.until else now + 86400.0
    if until <= since:
        raise UsageError("--until is not after --since", "both take 2026-11-25, 7d, 12h or today")
    wanted = Filter(
        states(wish.state), wish.name, words(wish.account), words(wish.partition), wish.measured
    )
    settings = load(environ)
    history = open_history(settings, environ, since)
    begin_if_due(history.index, settings, environ)
    rows = _named(history, wish.jobs, now) if wish.jobs else history.rows(since, until)
    rows = [_lately(row, now) for row in rows if wish.jobs or wanted.takes(row)]
    shown = ordered(lines(rows, wish.tasks or bool(wish.jobs) or form != "text"), wish.sort)
    limit = (SCREEN_LINES if form == "text" else 0) if wish.limit is None else wish.limit
    limit = limit or len(shown)
    say(history.problems)
    if form == "text":
        from jobwatt.views.jobs import JobList, print_jobs

        span = f"since {_date(since, now)}"
        span += f" until {_date(until, now)}" if wish.until else ""
        left_out = max(0, len(shown) - limit)
        told = _states(history, rows, now)
        found = JobList(shown[:limit], left_out, rows, "named" if wish.jobs else span, told)
        print_jobs(found, environ)
        return
    from jobwatt.views.jobs_data import jobs_csv, jobs_json

    picked = [line.row for line in shown[:limit]]
    text = jobs_csv(picked) if form == "csv" else jobs_json(picked, history.slurm_source)
    sys.stdout.write(text)


def _lately(row: JobRow, now: float) -> JobRow:
    """A job that runs has run on since Slurm told of it."""
    if row.state != "RUNNING" or row.start_wall_seconds is None:
        return row
    return row._replace(elapsed_seconds=max(0.0, now - row.start_wall_seconds))


def _states(history: History, rows: Sequence[JobRow], now: float) -> str:
    """From when or whom the states are; empty where Slurm told them just now, or all have ended."""
    if not history.slurm_source:
        told = any(row.source not in ("", JOURNAL) for row in rows)
        known = "told before" if told else "as far as the journals know"
        return f"{known}: Slurm was not asked or did not answer"
    asked = history.slurm_asked_wall_seconds
    if now - asked < FRESH_SECONDS or not any(row.outcome == RUNNING for row in rows):
        return ""
    return f"as Slurm told at {local(asked, '%H:%M:%S')}; it is asked once a minute at the most"


def _named(history: History, names: tuple[str, ...], now: float) -> list[JobRow]:
    """Jobs by id; an array's id stands for its tasks.

    NotFoundError: no such job. UsageError: no id of a job.
    """
    found: dict[tuple[str, str], JobRow] = {}
    for name in names:
        if not _ID.fullmatch(name):
            hint = "for a step: jobwatt show JOB.STEP; for an array's tasks write its id alone"
            raise UsageError(f"{name!r:.40} is no job id", hint)
        row = history.row(name)
        tasks = history.tasks(name)
        if row is None and not tasks:
            ago = format_duration(now - history.slurm_asked_wall_seconds)
            when = f" (Slurm was asked {ago} ago)" if history.slurm_source else ""
            raise NotFoundError(
                f"no job {name!r:.40} is known{when}",
                "it is asked once a minute at the most; jobwatt jobs --since 365d goes further "
                "back",
            )
        for one in tasks or ([row] if row else []):
            found[one.key] = one
    return list(found.values())


def _date(wall_seconds: float, now: float) -> str:
    """With the time of day where it matters."""
    midnight = local(wall_seconds, "%H:%M:%S") == "00:00:00"
    form = "%d %b %Y" if midnight or now - wall_seconds > 3 * 86400.0 else "%d %b %H:%M"
    return local(wall_seconds, form).lstrip("0")
