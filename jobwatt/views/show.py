"""`jobwatt show` in a terminal: the whole report, as wide as the terminal is."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import NamedTuple

from rich.text import Text

from jobwatt.energy.series import Series
from jobwatt.energy.units import format_energy
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.model import Account, DeviceEnergy
from jobwatt.slurm.jobs import RUNNING
from jobwatt.sources.base import GPU
from jobwatt.views.clean import clean, to_ascii
from jobwatt.views.console import stdout_console
from jobwatt.views.plot import Glyphs, choose_glyphs
from jobwatt.views.report import Report
from jobwatt.views.show_devices import gpu_lines, node_lines, other_lines
from jobwatt.views.show_job import TOLD, heading, job_facts
from jobwatt.views.show_series import series_lines
from jobwatt.views.summary import summary_lines

MAX_COLUMNS = 220
LABEL_COLUMNS = 11
HOW_TO_MEASURE = "To measure the next: srun-green in place of srun, or jobwatt run -- COMMAND."
THROTTLE_REASONS = {
    0x0000000000000004: "power cap",
    0x0000000000000008: "hardware slowdown",
    0x0000000000000020: "too hot (software)",
    0x0000000000000040: "too hot (hardware)",
    0x0000000000000080: "power brake",
}
"""NVML clock-event bits that slow a GPU down (nvmlClocksEventReasons in nvml.h)."""


class Known(NamedTuple):
    """What is known of a job beside its figures."""

    row: JobRow
    slurm_was_asked: bool
    series: Series | None = None
    no_series: str = ""
    """Why there is nothing over time."""


def print_report(
    report: Report | None, known: Known, ascii_only: bool, environ: Mapping[str, str]
) -> None:
    """Print on stdout; no colour where NO_COLOR, TERM=dumb or a pipe says so.

    `report` None: nothing was measured.
    """
    console = stdout_console(environ)
    glyphs = choose_glyphs(environ, getattr(sys.stdout, "encoding", None), ascii_only)
    size = min(console.width, MAX_COLUMNS), console.height
    if report is None:
        lines = not_measured_lines(known, size[0])
    else:
        lines = report_lines(report, known, glyphs, size)
    with console.capture() as captured:
        console.print(Text("\n").join(lines), soft_wrap=True)
    text = captured.get()
    print(to_ascii(text) if glyphs.is_ascii else text, end="", flush=True)


def report_lines(
    report: Report, known: Known, glyphs: Glyphs, size: tuple[int, int]
) -> list[Text]:
    """All of it, for a terminal of so many columns and rows."""
    columns, rows = size
    first, *rest = summary_lines(report)[:-1]
    series = known.series
    origin = "file" if known.row.origin.startswith(IMPORTED) else "journal"
    parts = [
        [Text(first, "bold"), *map(Text, rest)],
        _facts(known, columns),
        series_lines(series, glyphs, columns, rows) if series else [Text(known.no_series)],
        gpu_lines(report, series, glyphs, columns),
        other_lines(report.account, columns),
        node_lines(report, columns),
        _section("How shares were cut", _rules(report), columns),
        _section("Slowed down at some time", _slowed(report.account), columns),
        _section("Events", report.account.events, columns),
        _section("Not measured, not read", report.account.problems, columns),
        _section(f"From the {origin}", _details(report.account), columns),
    ]
    lines: list[Text] = []
    for part in parts:
        if any(line.plain for line in part):
            lines += [Text(), *part] if lines else part
    return lines


def not_measured_lines(known: Known, columns: int) -> list[Text]:
    """A job that only Slurm knows."""
    row = known.row
    where = f" on {row.cluster}" if row.cluster else ""
    head = Text(clean(f"jobwatt {row.shown_id}{where}: not measured", 200), "bold")
    how = [HOW_TO_MEASURE]
    if row.outcome == RUNNING:
        how.insert(0, f"To measure the rest of it: jobwatt attach {clean(row.shown_id, 40)}")
    return [head, Text(), *_facts(known, columns), Text(), *map(Text, how)]


def _facts(known: Known, columns: int) -> list[Text]:
    lines = [Text(heading(known.row, known.slurm_was_asked), "bold")]
    indent = " " * (LABEL_COLUMNS + 2)
    for fact in job_facts(known.row):
        label = f"  {fact.label:<{LABEL_COLUMNS}}"
        for words in wrap(fact.text, max(20, columns - len(indent))):
            lines.append(Text.assemble((label, "dim"), (words, fact.style)))
            label = indent
    return lines


def _details(account: Account) -> list[str]:
    """What the facts do not tell already."""
    return [f"{name}: {text}" for name, text in account.details if name not in TOLD]


def _section(label: str, lines: Sequence[str], columns: int) -> list[Text]:
    if not lines:
        return []
    size = max(20, columns - 2)
    wrapped = [words for line in lines for words in wrap(clean(line, 400), size)]
    return [Text(label, "bold"), *(Text(f"  {words}") for words in wrapped)]


def _rules(report: Report) -> list[str]:
    lines = []
    for group in report.groups:
        if group.rule:
            idle = ""
            if group.idle_part_joules is not None:
                idle = f"; idle part {format_energy(group.idle_part_joules)}"
            lines.append(f"{group.label}: {group.rule}{idle}")
    return lines


def _slowed(account: Account) -> list[str]:
    """One line for each reason, however many GPUs it held back."""
    gpus = [device for device in account.devices if device.device_kind == GPU]
    lines = []
    for bit, text in THROTTLE_REASONS.items():
        slow = [gpu for gpu in gpus if (gpu.event_reasons or 0) & bit]
        if slow:
            lines.append(f"{text}: {_which(slow, gpus)}")
    return lines


def _which(some: Sequence[DeviceEnergy], gpus: Sequence[DeviceEnergy]) -> str:
    """`all 16 GPUs`, or which: `GPU 0 and 1 of n1, GPU 4 of n2`."""
    if len(some) == len(gpus) > 1:
        return f"all {len(gpus)} GPUs"
    places = []
    for node in dict.fromkeys(gpu.node for gpu in some):
        own = [gpu for gpu in gpus if gpu.node == node]
        found = [str(index) for index, gpu in enumerate(own) if gpu in some]
        places.append(f"GPU {', '.join(found)} of {node}")
    return "; ".join(places)
