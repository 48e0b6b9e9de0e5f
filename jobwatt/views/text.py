"""`jobwatt show` in a terminal: the whole report, by rich."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from jobwatt.energy.units import (
    UNKNOWN,
    format_bytes,
    format_duration,
    format_energy,
    format_percent,
    format_power,
)
from jobwatt.model import DeviceEnergy
from jobwatt.sources.base import GPU
from jobwatt.views.clean import clean
from jobwatt.views.console import stdout_console
from jobwatt.views.report import Report
from jobwatt.views.summary import band, summary_lines

WIDE_COLUMNS = 120
"""From this width on the device table has all its columns."""

THROTTLE_REASONS = {
    0x0000000000000004: "power cap",
    0x0000000000000008: "hardware slowdown",
    0x0000000000000020: "too hot (software)",
    0x0000000000000040: "too hot (hardware)",
    0x0000000000000080: "power brake",
}
"""NVML clock-event bits that slow a GPU down (nvmlClocksEventReasons in nvml.h)."""


def print_report(report: Report, environ: Mapping[str, str]) -> None:
    """Print on stdout; no colour where NO_COLOR, TERM=dumb or a pipe says so."""
    console = stdout_console(environ)
    for line in summary_lines(report)[:-1]:
        console.print(Text(line), soft_wrap=True)
    console.print(_devices(report, console.width))
    console.print(_nodes(report))
    for label, lines in (
        ("How shares were cut", _rules(report)),
        ("Events", report.account.events),
        ("Not measured, not read", report.account.problems),
        ("Job", [f"{name}: {value}" for name, value in report.account.details]),
    ):
        if lines:
            console.print(Text(f"\n{label}", style="bold"))
            for line in lines:
                console.print(Text("  " + clean(line, 400)))


@dataclass(frozen=True)
class _Column:
    """One column of the device table; `wide` ones go first where the terminal is narrow."""

    title: str
    cell: Callable[[DeviceEnergy], str]
    wide: bool = False


_COLUMNS = (
    _Column("energy", lambda d: format_energy(d.energy.joules, "-")),
    _Column("band", lambda d: band(d.energy) if d.energy.joules is not None else "-", wide=True),
    _Column("mean", lambda d: format_power(d.power_mean_watts, "-")),
    _Column("peak", lambda d: format_power(d.power_peak_watts, "-"), wide=True),
    _Column("use", lambda d: format_percent(d.utilization_mean_percent, "-")),
    _Column("idle", lambda d: format_duration(d.idle_seconds, "-"), wide=True),
    _Column("idle energy", lambda d: format_energy(d.idle_energy_joules, "-")),
    _Column("covers", lambda d: "-" if d.coverage is None else format_percent(100 * d.coverage)),
)


def _devices(report: Report, width: int) -> Table:
    table = Table(box=None, pad_edge=False, title="\nDevices", title_justify="left")
    table.title_style = "bold"
    columns = [column for column in _COLUMNS if width >= WIDE_COLUMNS or not column.wide]
    table.add_column("node", overflow="ellipsis", no_wrap=True)
    table.add_column("device", overflow="ellipsis", no_wrap=True)
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    if width >= WIDE_COLUMNS:
        table.add_column("source", no_wrap=True)
    for device in report.account.devices:
        row = [clean(device.node, 20), clean(_device_name(device, width), 60)]
        row += [column.cell(device) for column in columns]
        row.append(device.energy.kind)
        table.add_row(*row, *([device.source] if width >= WIDE_COLUMNS else []))
    return table


def _device_name(device: DeviceEnergy, width: int = WIDE_COLUMNS) -> str:
    """`A100-SXM4-40GB GPU-247f1c33`; the id alone where the terminal is narrow."""
    if device.device_kind != GPU:
        return device.name
    short = device.device_id[:12]
    return f"{device.name.removeprefix('NVIDIA ')} {short}" if width >= WIDE_COLUMNS else short


def _nodes(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, title="\nNodes", title_justify="left")
    table.title_style = "bold"
    table.add_column("node", overflow="ellipsis", no_wrap=True)
    for name in ("CPU time", "CPUs", "memory", "read", "written", "cost of measuring", "missed"):
        table.add_column(name, justify="right", no_wrap=True)
    for node in report.account.nodes:
        table.add_row(
            clean(node.node, 20),
            format_duration(node.cpu_seconds, UNKNOWN),
            str(node.cpus_allocated) if node.cpus_allocated is not None else "-",
            format_bytes(node.memory_peak_bytes, "-"),
            format_bytes(node.read_bytes, "-"),
            format_bytes(node.written_bytes, "-"),
            f"{node.sampler_cpu_seconds:.2f} CPU s",
            f"{node.missed_ticks} ticks",
        )
    return table


def _rules(report: Report) -> list[str]:
    lines = []
    for group in report.groups:
        if group.rule:
            idle = ""
            if group.idle_part_joules is not None:
                idle = f"; idle part {format_energy(group.idle_part_joules)}"
            lines.append(f"{group.label}: {group.rule}{idle}")
    for device in report.account.devices:
        slow = [text for bit, text in THROTTLE_REASONS.items() if (device.event_reasons or 0) & bit]
        if slow:
            lines.append(f"{_device_name(device)} on {device.node} was slowed: {', '.join(slow)}")
    return lines
