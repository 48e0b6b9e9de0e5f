"""`jobwatt history check | rebuild | compact`: the files behind all figures."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Mapping

from jobwatt.commands.said import say
from jobwatt.config import load
from jobwatt.energy.units import format_bytes
from jobwatt.errors import JobwattError, UnreadableError
from jobwatt.history import upkeep
from jobwatt.history.check import Finding, check_history
from jobwatt.history.compact import Ages, Counts
from jobwatt.history.compact import compact as compact_history
from jobwatt.history.history import clock, open_history, open_local_index, undamaged
from jobwatt.history.index import Index
from jobwatt.history.index_file import remove_unused
from jobwatt.history.update import update
from jobwatt.journal.store import roots
from jobwatt.views.clean import clean


def check(json: bool, environ: Mapping[str, str]) -> None:
    """Read every file; print what there is and what is damaged. UnreadableError: anything is."""
    settings = load(environ)
    index, problems = open_local_index(settings)
    finding = check_history(index, roots(settings.directory))
    say(problems)
    if json:
        import json as encoder

        print(encoder.dumps({"schema": 1, **finding._asdict()}, indent=2))
    else:
        for line in _found(finding):
            print(line)
    sys.stdout.flush()
    if finding.damaged:
        count = len(finding.damaged)
        raise UnreadableError(
            f"{count} file{'s' * (count != 1)} with damage",
            "all else counts; jobwatt history rebuild makes the index anew",
        )


def rebuild(environ: Mapping[str, str]) -> None:
    """Empty the index and fill it from the figures and journals.

    JobwattError: none can be kept on a disk, so there is nothing that could be made anew.
    """
    settings = load(environ)
    index, _ = open_local_index(settings)
    said: list[str] = []
    if index.path is not None:
        index, _ = undamaged(index, _clear)
        index, said = undamaged(index, lambda one: update(one, roots(settings.directory), clock()))
    if index.path is None:
        raise JobwattError(
            f"the index was not made anew: {index.why}", "JOBWATT_INDEX_DIR names another place"
        )
    say(said)
    print(f"{index.count_jobs()} jobs in {index.path}")


def compact(quiet: bool, environ: Mapping[str, str]) -> None:
    """Take every ended job's journals as far as their age allows; say what was done."""
    settings = load(environ)
    now = clock()
    history = open_history(settings, environ, now.now_wall_seconds)
    say(() if quiet else history.problems)
    with upkeep.alone(history.index) as is_alone:
        if not is_alone:
            say(() if quiet else ["another process of this host is at it; nothing to do"])
            return
        ages = Ages(settings.full_days, settings.minute_days)
        try:
            counts = compact_history(history.index, ages, os.uname().nodename, now)
            upkeep.note_compacted(history.index, now.now_wall_seconds)
        except sqlite3.DatabaseError as error:
            raise UnreadableError(
                f"the index cannot be used: {error}", "what was compacted so far stays so"
            ) from error
    if history.index.path is not None:
        remove_unused(history.index.path.parent, now.now_wall_seconds)
    say(counts.problems)
    if not quiet:
        print(_done(counts))


def _clear(index: Index) -> None:
    with index.writing():
        index.clear()


def _done(counts: Counts) -> str:
    return (
        f"figures of {counts.kept_jobs} jobs kept; files compressed: {counts.packed_files}, "
        f"thinned out: {counts.thinned_files}; journals of {counts.removed_jobs} jobs removed; "
        f"{format_bytes(max(0, counts.freed_bytes))} freed"
    )


def _found(finding: Finding) -> list[str]:
    lines = [
        f"index     {finding.index_path or 'in memory'}: {finding.indexed_jobs} jobs",
        f"figures   {finding.kept_jobs} jobs in {finding.figures_files} files",
        f"journals  {finding.journal_files} files of {finding.job_directories} job directories, "
        f"{format_bytes(finding.journal_bytes)}",
    ]
    lines += [f"damaged   {clean(line, 300)}" for line in finding.damaged]
    return lines if finding.damaged else [*lines, "damaged   nothing"]
