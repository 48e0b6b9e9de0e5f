"""The history as commands use it: brought up to date when opened, then asked."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jobwatt.config import Settings
from jobwatt.config_values import user_name_or_home
from jobwatt.errors import NotFoundError, UnreadableError
from jobwatt.history import index_file, place, slurm_cache
from jobwatt.history.figures import figures_path, keep, load
from jobwatt.history.index import Index
from jobwatt.history.rows import JobRow
from jobwatt.history.update import Clock, update
from jobwatt.journal.store import account_of_job, account_of_step, roots, steps_of
from jobwatt.model import Account

if TYPE_CHECKING:
    from jobwatt.slurm.ask import Answer

T = TypeVar("T")


class History:
    """All jobs of one journal directory. `problems`: lines for people, most of them said once."""

    def __init__(
        self,
        settings: Settings,
        index: Index,
        problems: Sequence[str],
        refresh: Callable[[Index], list[str]],
    ) -> None:
        self.problems = tuple(problems)
        self._settings = settings
        self._index = index
        self._refresh = refresh

    @property
    def index(self) -> Index:
        """What it is read from."""
        return self._index

    @property
    def slurm_source(self) -> str:
        """Who told the states: `sacct and squeue`, …; empty where nobody could."""
        return self._asked(lambda index: index.note("slurm source"))

    @property
    def slurm_asked_wall_seconds(self) -> float:
        """When Slurm was asked last, Unix seconds; 0 if never."""
        return float(self._index.note("slurm asked") or 0.0)

    def rows(self, since_wall_seconds: float, until_wall_seconds: float) -> list[JobRow]:
        """Jobs that lived in this time, the newest start first."""
        return self._asked(lambda index: index.rows(since_wall_seconds, until_wall_seconds))

    def row(self, job: str, cluster: str = "") -> JobRow | None:
        """A job as people name it: `123`, an array's task `5_1`, a het job's part `123+1`."""
        array, underscore, task = job.partition("_")
        if underscore:
            tasks = [row for row in self.tasks(array) if row.array_task == task]
            return _newest([row for row in tasks if cluster in ("", row.cluster)])
        raw = job.partition("+")[0]
        return _newest(self._asked(lambda index: index.rows_of(raw, cluster)))

    def tasks(self, array_job: str) -> list[JobRow]:
        """The known tasks of an array."""
        return self._asked(lambda index: index.tasks_of(array_job))

    def runs(self, name: str) -> list[JobRow]:
        """Measured jobs of this name, the newest first."""
        return self._asked(lambda index: index.runs_of(name))

    def account(self, job: str, cluster: str = "", step: str = "") -> Account:
        """Of a job by its raw id: from its journals, or the kept figures where they are gone.

        NotFoundError: nothing was measured. UnreadableError: it was, and cannot be read.
        """
        key = (job, cluster)
        place, written = self._asked(lambda index: index.place_of(key))
        try:
            steps = steps_of(self._settings.directory, job, cluster or None)
        except NotFoundError:
            if place is None:
                raise
            steps = []
        # Kept figures are exact and read at once; journals may have been thinned out since.
        fresh = any(files.modified_wall_seconds > written for files in steps)
        if place is not None and not fresh:
            try:
                kept = load(place, key)
            except UnreadableError:
                if not steps:
                    raise
            else:
                accounts = kept.steps or (kept.account,)
                if not step:
                    return kept.account
                found = [account for account in accounts if account.step == step]
                if found:
                    return max(found, key=lambda account: account.restart)
        if not step:
            return account_of_job(steps)
        of_step = [files for files in steps if files.step == step]
        if not of_step:
            names = ", ".join(sorted({files.step for files in steps})[:20]) or "no other"
            raise NotFoundError(f"job {job} has no measured step {step!r}", f"it has: {names}")
        return account_of_step(max(of_step, key=lambda files: files.restart))

    def _asked(self, question: Callable[[Index], T]) -> T:
        """Its answer; of an index made anew where this one turns out to be damaged."""
        try:
            return question(self._index)
        except sqlite3.DatabaseError as error:
            self._index, said = undamaged(_fresh(self._index, error), self._refresh)
            self.problems = (*self.problems, *said)
            return question(self._index)

    def add_imported(self, entries: Sequence[tuple[JobRow, Account]]) -> int:
        """Keep another tool's figures; how many of them were new. OSError: the disk refuses."""
        host, now = os.uname().nodename, time.time()
        new = 0
        for row, account in entries:
            if self._index.row_of(row.key) == row:
                continue
            new += self._index.row_of(row.key) is None
            month = time.strftime("%Y-%m", time.localtime(row.start_wall_seconds or now))
            path = figures_path(self._settings.directory, month, host)
            entry = keep(path, row, account, (), now)
            with self._index.writing():
                self._index.put([(entry.row, entry.place, entry.written_wall_seconds)])
        return new


def open_history(
    settings: Settings, environ: Mapping[str, str], since_wall_seconds: float
) -> History:
    """Bring the index up to date and ask Slurm, if a minute has passed since the last time.

    `since_wall_seconds`: how far back Slurm is asked. Damaged or absent files are no error: the
    index is made anew, the rest is said in `History.problems`. UnreadableError: as
    `open_local_index`.
    """
    index, problems = open_local_index(settings)
    refresh = partial(_refresh, settings=settings, environ=environ, since=since_wall_seconds)
    index, said = undamaged(index, refresh)
    return History(settings, index, [*settings.problems, *problems, *said], refresh)


def open_local_index(settings: Settings) -> tuple[Index, list[str]]:
    """The index on this node's disk; in memory, with a line that says why, where none will do.

    UnreadableError: the journal directory has a name that no index can hold.
    """
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        mountinfo = ""
    if not str(settings.directory).isprintable():
        raise UnreadableError(
            f"{settings.directory} is no name in UTF-8, as the index needs it",
            "name another directory: JOBWATT_DIR",
        )
    uid = os.getuid()
    folder, why = place.choose(place.candidates(settings.index_directory, uid), uid, mountinfo)
    if folder is None:
        line = f"no index is kept, so this takes longer ({why}); JOBWATT_INDEX_DIR names a place"
        return index_file.open_index(None, why), [line]
    try:
        return index_file.open_index(folder / place.index_name(settings.directory)), []
    except UnreadableError as error:
        return index_file.open_index(None, error.line()), [f"no index is kept: {error.line()}"]


def undamaged(index: Index, work: Callable[[Index], T]) -> tuple[Index, T]:
    """Do it; where the index turns out to be damaged or locked for long, with a fresh one."""
    try:
        return index, work(index)
    except sqlite3.DatabaseError as error:
        fresh = _fresh(index, error)
        return fresh, work(fresh)


def clock() -> Clock:
    """Now, and local days."""
    return Clock(time.time(), lambda wall: time.strftime("%Y-%m-%d", time.localtime(wall)))


def _fresh(index: Index, error: sqlite3.DatabaseError) -> Index:
    if index_file.is_damage(error):
        return index_file.reset(index)
    why = f"{index.path}: {error}" if index.path else index.why
    index.close()
    return index_file.open_index(None, why)


def _refresh(
    index: Index, settings: Settings, environ: Mapping[str, str], since: float
) -> list[str]:
    now = clock()
    problems = []
    if settings.slurm_api != "none":
        problems = slurm_cache.refresh(
            index,
            lambda since: _ask(since, settings, environ),
            since,
            now.now_wall_seconds,
            settings.slurm_interval_seconds,
        )
    return [*update(index, roots(settings.directory), now), *problems]


def _ask(since: float, settings: Settings, environ: Mapping[str, str]) -> Answer:
    from jobwatt.slurm.ask import Answer, ask  # not needed where it was asked a moment ago

    try:
        user = user_name_or_home(0)
    except ValueError as error:
        return Answer(problems=(f"Slurm is not asked: {error}",))
    return ask(since, user, settings.slurm_api, environ)


def _newest(rows: Sequence[JobRow]) -> JobRow | None:
    return max(rows, key=lambda row: row.start_wall_seconds or 0.0, default=None)
