"""What Slurm, or else the journal, knows of a job, as labelled lines. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from jobwatt.energy.units import format_bytes, format_duration, format_percent
from jobwatt.history.measured import JOURNAL
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.slurm import jobs as slurm
from jobwatt.views.clean import clean

TOLD = frozenset(
    {
        "command",
        "SLURM_JOB_NAME",
        "SLURM_JOB_PARTITION",
        "SLURM_JOB_ACCOUNT",
        "SLURM_JOB_NODELIST",
        "SLURM_JOB_START_TIME",
        "SLURM_ARRAY_JOB_ID",
        "SLURM_ARRAY_TASK_ID",
    }
)
"""Details of a journal's head that the facts tell already."""
LONG = 400
STYLES = {
    slurm.COMPLETED: "green",
    slurm.RUNNING: "cyan",
    slurm.FAILED: "red",
    slurm.OUT_OF_MEMORY: "red",
    slurm.TIMEOUT: "red",
    slurm.NODE_FAIL: "red",
    slurm.CANCELLED: "yellow",
}
"""Colours only repeat what the words say."""


class Fact(NamedTuple):
    """One labelled line."""

    label: str
    text: str
    style: str = ""


def heading(row: JobRow, slurm_was_asked: bool) -> str:
    """Who says it."""
    if row.source not in ("", JOURNAL):
        return f"Job, by {clean(row.source, 30)}"
    if row.origin.startswith(IMPORTED):
        return f"Run, {clean(row.origin, 60)}"
    if row.job.startswith("local-"):
        return "Command"
    why = "it is not in Slurm's last answer" if slurm_was_asked else "Slurm was not asked"
    return f"Job, by its journal: {why}"


def job_facts(row: JobRow) -> list[Fact]:
    """What is known; what is not is left out."""
    facts = [
        Fact("name", row.name),
        Fact("state", _state(row), STYLES.get(row.outcome, "")),
        Fact("time", _times(row)),
        Fact("limit", _limit(row)),
        Fact("nodes", _nodes(row)),
        Fact("allocated", _allocated(row)),
        Fact("account", _account(row)),
        Fact("array", _array(row)),
        Fact("het job", _components(row)),
        Fact("requeued", _requeued(row)),
        Fact("command", row.command),
    ]
    return [fact._replace(text=clean(fact.text, LONG)) for fact in facts if fact.text]


def _state(row: JobRow) -> str:
    """`FAILED (NonZeroExitCode), exit code 1`."""
    if not row.state:
        return ""
    words = row.state
    if row.reason and row.reason not in ("None", row.state):
        words += f" ({row.reason})"
    if row.exit_signal:
        words += f", signal {row.exit_signal}"
    if row.exit_code is not None and not (row.exit_signal and not row.exit_code):
        words += f", exit code {row.exit_code}"
    return words


def _times(row: JobRow) -> str:
    if row.start_wall_seconds is None:
        submitted = row.submit_wall_seconds
        return "" if submitted is None else f"submitted {moment(submitted)}, not started"
    words = moment(row.start_wall_seconds)
    if row.end_wall_seconds is not None:
        words += f" to {moment(row.end_wall_seconds, row.start_wall_seconds)}"
    if row.elapsed_seconds is not None:
        words += f", {format_duration(row.elapsed_seconds)}"
    if row.submit_wall_seconds is not None and not row.restarts:
        waited = row.start_wall_seconds - row.submit_wall_seconds
        if waited >= 1:
            words += f", after {format_duration(waited)} in the queue"
    return words


def _limit(row: JobRow) -> str:
    """How much of the time limit was used."""
    if not row.time_limit_seconds:
        return ""
    limit = format_duration(row.time_limit_seconds)
    if row.elapsed_seconds is None:
        return limit
    return f"{limit}, {format_percent(100 * row.elapsed_seconds / row.time_limit_seconds)} used"


def _nodes(row: JobRow) -> str:
    if row.nodes is None or not row.node_list:
        return row.node_list or ("" if row.nodes is None else str(row.nodes))
    return f"{row.nodes}: {row.node_list}"


def _allocated(row: JobRow) -> str:
    if row.cpus is None and not row.gpus:
        return ""
    parts = [_count(row.cpus, "CPU"), _count(row.gpus, "GPU")]
    if row.memory_bytes:
        parts.append(f"{format_bytes(row.memory_bytes)} of memory")
    return ", ".join(part for part in parts if part)


def _count(number: int | None, word: str) -> str:
    return "" if number is None else f"{number or 'no'} {word}{'s' * (number != 1)}"


def _account(row: JobRow) -> str:
    labelled = (("", row.account), ("partition ", row.partition), ("user ", row.user))
    return ", ".join(label + text for label, text in labelled if text)


def _array(row: JobRow) -> str:
    return f"task {row.array_task} of {row.array_job}" if row.array_job else ""


def _components(row: JobRow) -> str:
    if not row.components:
        return ""
    return f"{row.components} components, {row.job}+0 to {row.job}+{row.components - 1}"


def _requeued(row: JobRow) -> str:
    if not row.restarts:
        return ""
    return "once" if row.restarts == 1 else f"{row.restarts} times"


def moment(wall_seconds: float, after_wall_seconds: float | None = None) -> str:
    """`2026-11-25 09:00:12` in local time; the time alone where the day is that of `after`."""
    words = local(wall_seconds, "%Y-%m-%d %H:%M:%S")
    if after_wall_seconds is not None and local(after_wall_seconds, "%Y-%m-%d") == words[:10]:
        return words[11:]
    return words


def local(wall_seconds: float, form: str) -> str:
    """Local time as strftime writes it; `?` for a time that no calendar has."""
    try:
        return time.strftime(form, time.localtime(wall_seconds))
    except (ValueError, OverflowError, OSError):
        return "?"


def axis_times(start_wall_seconds: float, end_wall_seconds: float) -> Sequence[str]:
    """Words for a time axis: clock times; with the date where it goes over midnight."""
    middle = (start_wall_seconds + end_wall_seconds) / 2
    span = end_wall_seconds - start_wall_seconds
    day = "%Y-%m-%d"
    if local(start_wall_seconds, day) != local(end_wall_seconds, day):
        form = "%b %d %H:%M"
    else:
        form = "%H:%M:%S" if span < 1800 else "%H:%M"
    return [local(wall, form) for wall in (start_wall_seconds, middle, end_wall_seconds)]
