"""`jobwatt jobs`: past and running jobs with their energy."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from jobwatt.commands.said import say
from jobwatt.config import load
from jobwatt.errors import NotFoundError, UsageError
from jobwatt.history.history import History, open_history
from jobwatt.history.rows import JobRow
from jobwatt.history.select import Filter, lines, ordered, states, words
from jobwatt.history.upkeep import begin_if_due
from jobwatt.history.when import parse_time

SCREEN_LINES = 30


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
    rows = _named(history, wish.jobs) if wish.jobs else history.rows(since, until)
    rows = ordered([row for row in rows if wish.jobs or wanted.takes(row)], wish.sort)
    shown = lines(rows, wish.tasks or bool(wish.jobs) or form != "text")
    limit = (SCREEN_LINES if form == "text" else 0) if wish.limit is None else wish.limit
    limit = limit or len(shown)
    say(history.problems)
    if form == "text":
        from jobwatt.views.jobs import JobList, print_jobs

        span = f"since {_date(since)}" + (f" until {_date(until)}" if wish.until else "")
        left_out = max(0, len(shown) - limit)
        found = JobList(
            shown[:limit], left_out, rows, "named" if wish.jobs else span, history.slurm_source
        )
        print_jobs(found, environ)
        return
    from jobwatt.views.jobs_data import jobs_csv, jobs_json

    picked = [line.first for line in shown[:limit]]
    text = jobs_csv(picked) if form == "csv" else jobs_json(picked, history.slurm_source)
    sys.stdout.write(text)


def _named(history: History, names: tuple[str, ...]) -> list[JobRow]:
    """Jobs by id; an array's id stands for its tasks. NotFoundError: no such job."""
    found: dict[tuple[str, str], JobRow] = {}
    for name in names:
        row = history.row(name)
        tasks = history.tasks(name)
        if row is None and not tasks:
            raise NotFoundError(
                f"no job {name!r:.40} is known", "jobwatt jobs --since 365d lists older ones"
            )
        for one in tasks or ([row] if row else []):
            found[one.key] = one
    return list(found.values())


def _date(wall_seconds: float) -> str:
    return time.strftime("%d %b %Y", time.localtime(wall_seconds)).lstrip("0")
