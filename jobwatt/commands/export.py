"""`jobwatt export [jobs|devices|series]`: the history's figures for other programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from jobwatt.commands.said import say
from jobwatt.commands.whole_file import whole_file
from jobwatt.config import Settings, load
from jobwatt.errors import JobwattError, NotFoundError, UnreadableError, UsageError
from jobwatt.history.history import History, open_history
from jobwatt.history.index import FOR_EVER
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.history.when import parse_time
from jobwatt.journal.reader import read_journal
from jobwatt.journal.store import steps_of
from jobwatt.streams import output_error
from jobwatt.views.table_files import csv_lines, json_lines
from jobwatt.views.tables import (
    DEVICES,
    JOBS,
    SERIES,
    Record,
    Table,
    device_records,
    job_record,
    series_records,
)

JSONL, CSV, PARQUET = "jsonl", "csv", "parquet"
FORMATS = (JSONL, CSV, PARQUET)
ENDINGS = {
    "": JSONL, ".jsonl": JSONL, ".ndjson": JSONL, ".json": JSONL, ".csv": CSV, ".parquet": PARQUET,
}  # fmt: skip
TABLES = (JOBS, DEVICES, SERIES)
SLURM_SECONDS = 30 * 86400.0
"""How far back Slurm is asked where all jobs are wanted: what is older it told at the time."""


class Wish(NamedTuple):
    """The command line."""

    what: str
    job: str
    cluster: str
    since: str
    until: str
    form: str
    output: str


def export(wish: Wish, environ: Mapping[str, str]) -> None:
    """Write them to the file or on stdout.

    UsageError, NotFoundError: the wish cannot be met. JobwattError: the disk refuses.
    """
    table = next((table for table in TABLES if table.name == wish.what), None)
    if table is None:
        names = ", ".join(table.name for table in TABLES)
        raise UsageError(f"there is no {wish.what[:40]!r} to export", f"there are: {names}")
    if table is SERIES and not wish.job:
        raise UsageError("a series is of one job", "write: jobwatt export series --job JOB")
    write = _writer(wish, table)
    now = time.time()
    since = parse_time(wish.since, now, "--since") if wish.since else 0.0
    until = parse_time(wish.until, now, "--until") if wish.until else FOR_EVER
    settings = load(environ)
    history = open_history(settings, environ, since or now - SLURM_SECONDS)
    say(history.problems)
    left_out: list[str] = []
    rows, step = _rows(history, wish, since, until)
    if table is JOBS:
        records: Iterator[Record] = map(job_record, rows)
    elif table is DEVICES:
        records = _devices(history, rows, step, left_out)
    else:
        records = _series(settings, rows, step, since, until, left_out)
    write(_begun(records))
    say(left_out)


def _rows(history: History, wish: Wish, since: float, until: float) -> tuple[Sequence[JobRow], str]:
    """The jobs wanted, and the step of them, if one was named. NotFoundError: no such job."""
    if not wish.job:
        return history.rows(since, until), ""
    name, _, step = wish.job.partition(".")
    tasks = [row for row in history.tasks(name) if wish.cluster in ("", row.cluster)]
    if tasks:
        return tasks, step
    row = history.row(name, wish.cluster)
    if row is None:
        where = f" on {wish.cluster}" if wish.cluster else ""
        raise NotFoundError(f"no job {name[:60]!r}{where} is known", "jobwatt jobs lists them")
    return [row], step


def _devices(
    history: History, rows: Sequence[JobRow], step: str, left_out: list[str]
) -> Iterator[Record]:
    for row in rows:
        if not row.origin:
            continue
        try:
            account = history.account(row.job, row.cluster, step)
        except (NotFoundError, UnreadableError) as error:
            if len(rows) == 1:
                raise
            left_out.append(f"job {row.job} left out: {error}")
        else:
            yield from device_records(row, account)


def _series(
    settings: Settings,
    rows: Sequence[JobRow],
    step: str,
    since: float,
    until: float,
    left_out: list[str],
) -> Iterator[Record]:
    found = False
    for row in rows:
        try:
            steps = steps_of(settings.directory, row.job, row.cluster or None)
        except NotFoundError:
            continue
        for files in steps:
            if step not in ("", files.step):
                continue
            for path in files.journals:
                try:
                    journal = read_journal(path)
                except UnreadableError as error:
                    left_out.append(str(error))
                    continue
                found = True
                yield from series_records(journal, since, until)
    if not found:
        raise _no_series(rows[0], step, left_out)


def _no_series(row: JobRow, step: str, left_out: Sequence[str]) -> JobwattError:
    job = f"{row.shown_id}.{step}" if step else row.shown_id
    if left_out:
        return UnreadableError(f"no journal of job {job} can be read: {left_out[-1]}")
    kept = f"jobwatt export devices --job {row.shown_id} has them"
    if row.origin.startswith(IMPORTED):
        return NotFoundError(f"of job {job} only figures were imported", kept)
    if row.origin and not step:
        return NotFoundError(f"the journals of job {job} are gone, its figures are kept", kept)
    return NotFoundError(f"job {job} was not measured", "jobwatt jobs --measured lists those")


def _begun(records: Iterator[Record]) -> Iterator[Record]:
    """The same records, the first of them already made: what cannot be found says so before a
    file is begun."""
    first = next(records, None)
    if first is None:
        return records

    def all_of_them() -> Iterator[Record]:
        yield first
        yield from records

    return all_of_them()


def _writer(wish: Wish, table: Table) -> Callable[[Iterator[Record]], None]:
    """UsageError: no such format, or no library for it."""
    ending = Path(wish.output).suffix
    form = wish.form or ENDINGS.get(ending.lower(), "")
    if wish.form and wish.form not in FORMATS:
        raise UsageError(f"no format {wish.form[:40]!r}", f"there are: {', '.join(FORMATS)}")
    if not form:
        raise UsageError(
            f"no format is known by the ending {ending[:40]}",
            f"say which one it shall be: --format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}",
        )
    if form == PARQUET:
        from jobwatt.views.parquet import need_pyarrow

        need_pyarrow()
        if wish.output in ("", "-") and sys.stdout.isatty():
            raise UsageError("Parquet is not for a terminal", "name a file: -o jobs.parquet")

    def write(records: Iterator[Record]) -> None:
        if wish.output not in ("", "-"):
            with whole_file(wish.output) as file:
                _write(form, table, records, file)
        else:
            _to_stdout(form, table, records)

    return write


def _write(form: str, table: Table, records: Iterator[Record], file: BinaryIO) -> None:
    if form == PARQUET:
        from jobwatt.views.parquet import write_parquet

        write_parquet(table, records, file)
    else:
        file.writelines((csv_lines if form == CSV else json_lines)(table, records))


def _to_stdout(form: str, table: Table, records: Iterator[Record]) -> None:
    """ReaderGoneError: the reader has gone. JobwattError: the disk refuses."""
    sys.stdout.flush()
    try:
        # A file object of its own: what a full disk refuses is not tried again at exit.
        with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as file:
            _write(form, table, records, file)
    except OSError as error:
        raise output_error(error) from error
