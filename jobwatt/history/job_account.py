"""A job's journals -> its account, its days and those of its steps.

A journal that grows is not read from its beginning each time: the account of what was read is
kept in the index, and only what came since is added to it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jobwatt.energy.account import account_step, first_wall_seconds, is_running
from jobwatt.energy.days import DayOf, joules_by_day
from jobwatt.energy.merge import join_accounts, total
from jobwatt.energy.overlap import is_attach, node_of
from jobwatt.errors import UnreadableError
from jobwatt.history.codec import plain, restore
from jobwatt.history.figures import Kept
from jobwatt.history.index import Index
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.journal.store import StepFiles, account_of_step, read_end, read_job
from jobwatt.model import Account
from jobwatt.paths import parse_journal_name, safe_component, safe_step

LARGE_BYTES = 200_000
"""A growing job with less than this is read whole each time: 20 ms."""


class JobFigures(NamedTuple):
    """A job's account and its metered joules by local day."""

    account: Account
    days: dict[str, float]


def whole(steps: Sequence[StepFiles], now_wall_seconds: float, day_of: DayOf) -> JobFigures:
    """From all lines. UnreadableError: none of its journals can be read."""
    account, journals = read_job(steps, lambda: now_wall_seconds)
    return JobFigures(account, joules_by_day(account, journals, day_of))


def step_accounts(steps: Sequence[StepFiles], now_wall_seconds: float) -> tuple[Account, ...]:
    """The account of each step; empty for a job with only one. Unreadable steps are left out."""
    accounts = []
    for files in steps if len(steps) > 1 else ():
        try:
            accounts.append(account_of_step(files, lambda: now_wall_seconds))
        except UnreadableError:
            continue
    return tuple(accounts)


def growing(
    index: Index, steps: Sequence[StepFiles], now_wall_seconds: float, day_of: DayOf
) -> JobFigures:
    """Of a job that may still run: what is new since the last time, added to that. As `whole`."""
    paths = [path for files in steps for path in files.journals]
    packed = any(path.name.endswith(".gz") for path in paths)
    if packed or sum(_size(path) for path in paths) < LARGE_BYTES:
        return whole(steps, now_wall_seconds, day_of)
    parts: list[JobFigures] = []
    journals: list[tuple[Journal, float | None]] = []
    for files in steps:
        end_wall_seconds, _ = read_end(files.end)
        for path in files.journals:
            kept_bytes, kept = _kept(index, path)
            try:
                journal = read_journal(path, since_bytes=kept_bytes)
            except UnreadableError:
                return whole(steps, now_wall_seconds, day_of)
            journals.append((journal, end_wall_seconds))
            parts.append(_grown(kept, journal, end_wall_seconds, now_wall_seconds, day_of))
            index.put_part(path, journal.read_bytes, _text(parts[-1]))
    newest, end_wall_seconds = max(journals, key=lambda pair: pair[0].modified_wall_seconds)
    if is_running(newest, end_wall_seconds, now_wall_seconds) and not _overlap(journals):
        return _join(parts)
    # Ended: read once more, now that it is complete.
    for path in paths:
        index.put_part(path, 0, "")
    return whole(steps, now_wall_seconds, day_of)


def _grown(
    kept: JobFigures | None,
    journal: Journal,
    end_wall_seconds: float | None,
    now_wall_seconds: float,
    day_of: DayOf,
) -> JobFigures:
    """What was read of a journal before, with the lines that came since."""
    if kept is not None:
        if not journal.time_seconds:
            return JobFigures(replace(kept.account, running=True), kept.days)
        # From where the last part ended: a damaged line in between is time that is not covered.
        end = kept.account.start_wall_seconds + kept.account.duration_seconds
        began = end - first_wall_seconds(journal)
        journal = replace(journal, since_seconds=min(began, journal.since_seconds or began))
    account = account_step([journal], end_wall_seconds, now_wall_seconds)
    fresh = JobFigures(account, joules_by_day(account, [journal], day_of))
    return fresh if kept is None else _join([kept, fresh])


def _overlap(journals: Sequence[tuple[Journal, float | None]]) -> bool:
    """Whether two of them may count the same: steps that see one device, or an attachment."""
    devices = [
        (node_of(journal), device.id)
        for journal, _ in journals
        for device in (*journal.gpus, *journal.others)
    ]
    attached = any(is_attach(journal) for journal, _ in journals)
    return attached or len(set(devices)) < len(devices)


def with_steps_gone(
    figures: JobFigures,
    steps: Sequence[StepFiles],
    kept: Kept,
    now_wall_seconds: float,
    day_of: DayOf,
) -> JobFigures:
    """With the kept steps whose journals are not there any more.

    Kept steps that overlapped count once in the kept account alone: there it is taken whole.
    """
    gone = steps_gone(steps, kept)
    if not gone:
        return figures
    if len(gone) == max(1, len(kept.steps)) or _overlapped(kept):
        known = {_key(part) for part in kept.steps or (kept.account,)}
        fresh = [files for files in steps if (files.step, files.restart) not in known]
        parts = [JobFigures(kept.account, dict(kept.row.joules_by_day()))]
        return _join([*parts, whole(fresh, now_wall_seconds, day_of)] if fresh else parts)
    # Of a job's kept days it is not known which step they belong to: each has its first day.
    days = [{day_of(part.start_wall_seconds): _metered_joules(part)} for part in gone]
    return _join([*map(JobFigures, gone, days), figures])


def steps_gone(steps: Sequence[StepFiles], kept: Kept) -> tuple[Account, ...]:
    """Kept accounts of steps that have no journal any more."""
    there = {(files.step, files.restart) for files in steps}
    return tuple(part for part in kept.steps or (kept.account,) if _key(part) not in there)


def covers(kept: Kept, steps: Sequence[StepFiles]) -> bool:
    """Whether the kept figures are of all these steps, on each of the nodes with a journal."""
    known = {
        (*_key(part), safe_component(node.node))
        for part in kept.steps or (kept.account,)
        for node in part.nodes
    }
    return all(
        (files.step, files.restart, node) in known for files in steps for node in _nodes(files)
    )


def _nodes(files: StepFiles) -> list[str]:
    parsed = [parse_journal_name(path.name) for path in files.journals]
    return [name[2] for name in parsed if name]


def _key(account: Account) -> tuple[str, int]:
    """Step and restart, as the names of its files have them."""
    return safe_step(account.step), account.restart


def _overlapped(kept: Kept) -> bool:
    """Whether its steps come to more than the job."""
    apart = sum(map(_metered_joules, kept.steps))
    return apart > _metered_joules(kept.account) * (1.0 + 1e-6)


def _metered_joules(account: Account) -> float:
    metered = total(account.devices)
    return metered.joules or 0.0 if metered else 0.0


def _join(parts: Sequence[JobFigures]) -> JobFigures:
    days: dict[str, float] = {}
    for part in parts:
        for day, joules in part.days.items():
            days[day] = days.get(day, 0.0) + joules
    return JobFigures(join_accounts([part.account for part in parts]), days)


def _kept(index: Index, path: Path) -> tuple[int, JobFigures | None]:
    size_bytes, text = index.part(path)
    if not text or _size(path) < size_bytes:
        return 0, None
    try:
        data = json.loads(text)
        return size_bytes, JobFigures(restore(Account, data["account"]), data["days"])
    except (ValueError, KeyError, TypeError):
        return 0, None


def _text(figures: JobFigures) -> str:
    return json.dumps({"account": plain(figures.account), "days": figures.days})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


