"""`jobwatt jobs`: a table that keeps the columns that matter where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.text import Text

from jobwatt.energy.integrate import known_sum
from jobwatt.energy.merge import METERED
from jobwatt.energy.units import format_duration, format_energy, format_percent, format_power
from jobwatt.history.measured import JOURNAL
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.history.select import Line, without_result
from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED
from jobwatt.slurm.jobs import CANCELLED, FAILED, NO_RESULT, RUNNING, UNKNOWN
from jobwatt.views.clean import clean
from jobwatt.views.columns import Column, table_lines
from jobwatt.views.console import stdout_console

TOTAL_COLUMNS = 12
MAX_NAME_COLUMNS = 40
LEAST_NAME_COLUMNS = 12
"""A fifth of the terminal is for the name, so that a long one pushes no figure out."""
_STYLES = {FAILED: "red", RUNNING: "green", CANCELLED: "yellow", UNKNOWN: "dim"}


@dataclass(frozen=True)
class JobList:
    """What is shown, and of how much."""

    lines: Sequence[Line]
    left_out: int
    """Lines beyond the limit."""
    rows: Sequence[JobRow]
    """All jobs that were asked for, those left out too."""
    span: str
    """`since 26 Oct`: of the headline."""
    slurm_source: str


def print_jobs(found: JobList, environ: Mapping[str, str]) -> None:
    """Print on stdout; no colour where NO_COLOR, TERM=dumb or a pipe says so."""
    console = stdout_console(environ, 160)
    console.print(Text("\n").join(jobs_lines(found, console.width)), soft_wrap=True)


def jobs_lines(found: JobList, columns: int) -> list[Text]:
    """The table, and below it what all of the jobs come to."""
    if not found.rows:
        return [Text(f"no jobs {found.span}")]
    table = table_lines(_columns(found.lines, columns), columns)
    notes = [Text(part) for line in total_lines(found) for part in _wrapped(line, columns)]
    return [*table, Text(""), *notes]


def total_lines(found: JobList) -> list[str]:
    """Sums over all jobs, the absolute figures beside their shares."""
    rows = found.rows
    measured = [row for row in rows if row.origin]
    count = f"{len(rows)} job{'s' * (len(rows) != 1)} {found.span}"
    if len(measured) < len(rows):
        count += f", {len(measured)} of them measured"
    if found.left_out:
        count += f"; {found.left_out} more line{'s' * (found.left_out != 1)} by --limit 0"
    lines = [count, f"  energy    {_energy(rows)}"]
    whole = known_sum([row.metered_joules for row in rows])
    idle = known_sum([row.gpu_idle_joules for row in rows])
    if idle:
        lines.append(f"  idle      {format_energy(idle)}{_share(idle, whole)} by GPUs at 0 % use")
    lost = without_result(rows)
    if lost:
        lines.append(f"  no result {_spent(lost, whole)}: {_outcomes(lost)}")
    cancelled = [row for row in rows if row.outcome == CANCELLED]
    if cancelled:
        lines.append(f"  cancelled {_spent(cancelled, whole)}")
    if not found.slurm_source:
        told = any(row.source not in ("", JOURNAL) for row in rows)
        known = "told before" if told else "as far as the journals know"
        lines.append(f"  states    {known}: Slurm could not be asked")
    return lines


def _wrapped(line: str, columns: int) -> list[str]:
    """A total that is too long for its line goes on below its figures."""
    return wrap(line, max(40, columns), subsequent_indent=" " * TOTAL_COLUMNS)


def _energy(rows: Sequence[JobRow]) -> str:
    metered = known_sum([row.metered_joules for row in rows])
    estimated = known_sum([row.estimated_joules for row in rows])
    kinds = {row.metered_kind for row in rows}
    text = "unavailable"
    if metered is not None:
        known = [kind for kind in METERED if kind in kinds]
        text = f"{format_energy(metered)} {' and '.join(known)}"
    if estimated is not None:
        imported = [row.origin.startswith(IMPORTED) for row in rows if row.estimated_joules]
        how = " and imported" if all(imported) else " or imported" if any(imported) else ""
        apart = "" if metered is None else f"{text}; apart from it "
        text = f"{apart}{format_energy(estimated)} estimated{how}"
    return text


def _spent(rows: Sequence[JobRow], whole: float | None) -> str:
    joules = known_sum([row.metered_joules for row in rows])
    jobs = f"{len(rows)} job{'s' * (len(rows) != 1)}"
    return f"{format_energy(joules)}{_share(joules, whole)} in {jobs}"


def _share(part: float | None, whole: float | None) -> str:
    return f" ({format_percent(100 * part / whole)})" if part is not None and whole else ""


def _outcomes(rows: Sequence[JobRow]) -> str:
    counts = {name: sum(row.outcome == name for row in rows) for name in NO_RESULT}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _columns(lines: Sequence[Line], columns: int) -> list[Column]:
    names = max(LEAST_NAME_COLUMNS, min(MAX_NAME_COLUMNS, columns // 5))

    def cells(cell: Callable[[Line], str]) -> list[str]:
        return [cell(line) for line in lines]

    styles = [_STYLES.get(_outcome(line), "red" * (_outcome(line) in NO_RESULT)) for line in lines]
    return [
        Column("job", cells(_id), is_text=True),
        Column("name", cells(lambda one: clean(one.first.name, names) or "-"), is_text=True),
        Column("state", cells(_outcome), is_text=True, styles=styles),
        Column("started", cells(_started), rank=8),
        Column("elapsed", cells(lambda one: _duration(one.rows)), rank=1),
        Column("nodes", cells(lambda one: _most(one, lambda row: row.nodes)), rank=9),
        Column("GPUs", cells(lambda one: _most(one, lambda row: row.gpus)), rank=2),
        Column("energy", cells(_joules)),
        Column("kind", cells(_kind), rank=7, is_text=True),
        Column("power", cells(_power), rank=5),
        Column("GPU use", cells(_use), rank=3),
        Column("idle", cells(lambda one: _sum(one, lambda row: row.gpu_idle_joules)), rank=4),
        Column("no result", cells(_lost), rank=6),
        Column("partition", cells(lambda one: clean(one.first.partition, 20)), 10, is_text=True),
        Column("account", cells(lambda one: clean(one.first.account, 20)), 11, is_text=True),
        Column("covers", cells(_covers), rank=12),
    ]


def _id(line: Line) -> str:
    row = line.first
    if not line.is_array:
        return clean(row.shown_id, 30)
    return clean(f"{row.array_job}_[{len(line.rows)} tasks]", 30)


def _outcome(line: Line) -> str:
    """Of an array the outcome of all its tasks, else the worst with its number."""
    outcomes = [row.outcome for row in line.rows]
    if len(set(outcomes)) == 1:
        return outcomes[0]
    for name in (RUNNING, *NO_RESULT, CANCELLED):
        if name in outcomes:
            return f"{outcomes.count(name)} {name}"
    return UNKNOWN


def _started(line: Line) -> str:
    import time

    starts = [row.start_wall_seconds for row in line.rows if row.start_wall_seconds]
    return time.strftime("%d %b %H:%M", time.localtime(min(starts))) if starts else "-"


def _duration(rows: Sequence[JobRow]) -> str:
    return format_duration(known_sum([row.elapsed_seconds for row in rows]), "-")


def _most(line: Line, value: Callable[[JobRow], int | None]) -> str:
    known = [count for row in line.rows if (count := value(row)) is not None]
    return str(max(known)) if known else "-"


def _sum(line: Line, value: Callable[[JobRow], float | None]) -> str:
    return format_energy(known_sum([value(row) for row in line.rows]), "-")


def _joules(line: Line) -> str:
    """Metered; with a `~` where there is but an estimate."""
    if any(row.metered_joules is not None for row in line.rows):
        return _sum(line, lambda row: row.metered_joules)
    estimated = _sum(line, lambda row: row.estimated_joules)
    return estimated if estimated == "-" else f"~{estimated}"


def _power(line: Line) -> str:
    return "-" if line.is_array else format_power(line.first.power_mean_watts, "-")


def _use(line: Line) -> str:
    known = [
        (row.utilization_mean_percent, row.elapsed_seconds or 0.0)
        for row in line.rows
        if row.utilization_mean_percent is not None
    ]
    weight = sum(seconds for _, seconds in known)
    return format_percent(sum(u * s for u, s in known) / weight if weight else None, "-")


def _lost(line: Line) -> str:
    lost = known_sum([row.no_result_joules for row in line.rows])
    return "" if lost == 0 else format_energy(lost, "-")  # most jobs have their result


def _kind(line: Line) -> str:
    """Of the energy: how far it can be trusted."""
    kinds = {row.metered_kind for row in line.rows if row.metered_kind}
    if kinds:
        return ATTRIBUTED if ATTRIBUTED in kinds else MEASURED
    return ESTIMATED if any(row.estimated_joules is not None for row in line.rows) else "-"


def _covers(line: Line) -> str:
    known = [row.coverage for row in line.rows if row.coverage is not None]
    return format_percent(100 * min(known)) if known else "-"
