"""`jobwatt jobs`: a table that keeps the columns that matter where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.text import Text

from jobwatt.energy.integrate import known_sum
from jobwatt.energy.merge import METERED
from jobwatt.energy.units import format_duration, format_energy, format_percent, format_power
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.history.select import Line, without_result
from jobwatt.model import ESTIMATED
from jobwatt.slurm.jobs import CANCELLED, FAILED, NO_RESULT, RUNNING, UNKNOWN
from jobwatt.views.clean import clean
from jobwatt.views.columns import Column, table_lines
from jobwatt.views.console import stdout_console
from jobwatt.views.show_job import local

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
    states: str = ""
    """Of when or from whom they are, where not from Slurm just now."""


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
    if found.states:
        lines.append(f"  states    {found.states}")
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
        imported = [
            row.origin.startswith(IMPORTED) for row in rows if row.estimated_joules is not None
        ]
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

    def cells(cell: Callable[[JobRow], str]) -> list[str]:
        return [cell(line.row) for line in lines]

    outcomes = list(map(_outcome, lines))
    styles = [_STYLES.get(outcome, "red" * (outcome in NO_RESULT)) for outcome in outcomes]
    return [
        Column("job", list(map(_id, lines)), is_text=True),
        Column("name", cells(lambda row: clean(row.name, names) or "-"), is_text=True),
        Column("state", outcomes, is_text=True, styles=styles),
        Column("started", cells(_started), rank=8),
        Column("elapsed", cells(lambda row: format_duration(row.elapsed_seconds, "-")), rank=1),
        Column("nodes", cells(lambda row: _count(row.nodes)), rank=9),
        Column("GPUs", cells(lambda row: _count(row.gpus)), rank=2),
        Column("energy", cells(_joules)),
        Column("kind", cells(_kind), rank=7, is_text=True),
        Column("power", cells(lambda row: format_power(row.power_mean_watts, "-")), rank=5),
        Column("GPU use", cells(lambda row: format_percent(row.utilization_mean_percent, "-")), 3),
        Column("idle", cells(lambda row: format_energy(row.gpu_idle_joules, "-")), rank=4),
        Column("no result", list(map(_lost, lines)), rank=6),
        Column("partition", cells(lambda row: clean(row.partition, 20)), rank=10, is_text=True),
        Column("account", cells(lambda row: clean(row.account, 20)), rank=11, is_text=True),
        Column("covers", list(map(_covers, lines)), rank=12),
    ]


def _id(line: Line) -> str:
    row = line.row
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


def _started(row: JobRow) -> str:
    start = row.start_wall_seconds
    return "-" if start is None else local(start, "%d %b %H:%M")


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def _joules(row: JobRow) -> str:
    """Metered; with a `~` where there is but an estimate."""
    if row.metered_joules is None and row.estimated_joules is not None:
        return f"~{format_energy(row.estimated_joules)}"
    return format_energy(row.metered_joules, "-")


def _kind(row: JobRow) -> str:
    """Of the energy: how far it can be trusted."""
    estimate = "-" if row.estimated_joules is None else ESTIMATED
    return row.metered_kind or estimate


def _lost(line: Line) -> str:
    lost = known_sum([row.no_result_joules for row in line.rows])
    return "" if lost == 0 else format_energy(lost, "-")  # most jobs have their result


def _covers(line: Line) -> str:
    known = [row.job_coverage for row in line.rows if row.job_coverage is not None]
    return format_percent(100 * min(known)) if known else "-"
