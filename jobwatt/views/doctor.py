"""`jobwatt doctor` in a terminal: what is used, every source, every device, the surroundings."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobwatt.checkup.findings import (
    ABSENT,
    NOTE,
    OK,
    PROBLEM,
    Checkup,
    DeviceFinding,
    SourceFinding,
)
from jobwatt.energy.units import format_energy, format_power
from jobwatt.sources.base import DENIED, ESTIMATE, POLLED, STUCK
from jobwatt.views.clean import clean
from jobwatt.views.console import stdout_console

WIDE_COLUMNS = 120
"""From here on each property of a source has a column of its own."""

_STYLES = {
    OK: "green",
    ABSENT: "dim",
    NOTE: "yellow",
    DENIED: "yellow",
    STUCK: "red",
    PROBLEM: "red",
    "measured": "green",
    "estimated": "yellow",
    "unavailable": "dim",
}


def print_checkup(checkup: Checkup, environ: Mapping[str, str]) -> None:
    """Print on stdout; no colour where NO_COLOR, TERM=dumb or a pipe says so."""
    console = stdout_console(environ)
    wide = console.width >= WIDE_COLUMNS
    console.print(_headline(checkup), soft_wrap=True)
    _section(console, "Power sources", _sources_wide(checkup) if wide else _sources(checkup))
    if any(finding.devices for finding in checkup.sources):
        _section(console, f"Devices{_load(checkup)}", _devices(checkup, wide))
    _section(console, "Around the meters", _checks(checkup))
    _remedies(console, checkup)
    # Last, where a small terminal still shows it.
    _section(console, "What jobs are measured with here", _uses(checkup))
    by_name = {check.name: check for check in checkup.checks}
    if by_name["srun"].state == OK and "SLURM_JOB_ID" not in environ:
        console.print("\nThis is no job. Inside one: srun --gpus 1 jobwatt doctor")


def _headline(checkup: Checkup) -> Text:
    said = ", ".join(f"{use.role} {use.kind}" for use in checkup.uses)
    return Text.assemble((f"jobwatt doctor on {clean(checkup.node, 40)}", "bold"), f": {said}")


def _load(checkup: Checkup) -> str:
    devices = [device for finding in checkup.sources for device in finding.devices]
    if any(device.moved is not None or device.power_watts is not None for device in devices):
        return f", watched for {checkup.load_seconds:g} s under load"
    return ", not watched under load"


def _section(console: Console, title: str, table: Table) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    console.print(table)


def _table(*columns: str, folding: int = 1) -> Table:
    """Short columns that keep their width, then `folding` ones that share the rest."""
    table = Table(box=None, pad_edge=False, show_header=bool(any(columns)))
    for index, name in enumerate(columns):
        short = index < len(columns) - folding
        table.add_column(name, no_wrap=short, overflow="ellipsis" if short else "fold")
    return table


def _state(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def _said(text: str, style: str = "") -> Text:
    return Text(clean(text, 1000), style=style)


def _uses(checkup: Checkup) -> Table:
    table = _table("of", "figures are", "source", "how")
    for use in checkup.uses:
        text = use.text
        if use.role == "GPU" and checkup.gpu_rule and use.source:
            text = f"{text}; {checkup.gpu_rule}"
        table.add_row(use.role, _state(use.kind), use.source or "none", _said(text))
    return table


def _sources(checkup: Checkup) -> Table:
    """Narrow: one property below the other."""
    table = _table("source", "of", "state", "used", "")
    for finding in checkup.sources:
        lines = _found(finding)
        if finding.resolution:
            lines.append(_said(f"resolution: {finding.resolution}"))
        if finding.covers:
            lines.append(_said(f"covers: {finding.covers}"))
        table.add_row(*_head(finding), Text("\n").join(lines))
    return table


def _sources_wide(checkup: Checkup) -> Table:
    table = _table("source", "of", "state", "used", "found", "resolution", "covers", folding=3)
    for column, ratio in zip(table.columns[4:], (6, 4, 5), strict=True):
        column.ratio = ratio
    for finding in checkup.sources:
        found = Text("\n").join(_found(finding))
        table.add_row(*_head(finding), found, _said(finding.resolution), _said(finding.covers))
    return table


def _head(finding: SourceFinding) -> tuple[str, str, Text, str]:
    used = "yes" if finding.used else "no"
    return finding.source, finding.role, _state(finding.state), used


def _found(finding: SourceFinding) -> list[Text]:
    """What was found; why it is not used, where the state does not say that already."""
    lines = [_said(finding.detail)]
    if finding.why != "used" and (finding.used or finding.state == OK):
        lines.append(_said(finding.why, "yellow"))
    return lines


def _devices(checkup: Checkup, wide: bool) -> Table:
    table = _table("device", "source", "energy", "power", "counter")
    for column in table.columns[2:4]:
        column.justify = "right"
    for finding in checkup.sources:
        for one in finding.devices:
            table.add_row(
                clean(_name(one, wide), 60 if wide else 26),
                finding.source,
                format_energy(one.energy_joules, "-"),
                format_power(one.power_watts, "-"),
                _counter(one),
            )
    return table


def _name(one: DeviceFinding, wide: bool) -> str:
    name = one.device.name.removeprefix("NVIDIA ")
    if one.device.id == one.device.name or one.device.source != "nvml":
        return name
    return f"{one.device.id} {name}" if wide else f"{one.device.id[:12]} {name}"


def _counter(one: DeviceFinding) -> Text:
    compared = one.comparison
    if one.moved is False:
        text = "stuck"
        if compared and compared.text:
            text += f": {compared.text}"
        return Text(text, style=_STYLES[STUCK])
    if one.device.method == ESTIMATE:
        return Text("none: a model")
    if one.device.method == POLLED:
        return Text("none: polled power")
    if compared and compared.verdict != "unknown":
        style = {"disagrees": "red", "unsteady": "yellow"}.get(compared.verdict, "green")
        return Text(compared.text, style=style)
    text = "moves" if one.moved else "not judged"
    return Text(f"{text}; {compared.text}" if compared else text)


def _checks(checkup: Checkup) -> Table:
    table = _table("", "", "")
    for check in checkup.checks:
        table.add_row(check.name, _state(check.state), _said(check.text))
    return table


def _remedies(console: Console, checkup: Checkup) -> None:
    """Each on one line however narrow the terminal, so that it can be copied."""
    denied = [finding for finding in checkup.sources if finding.state == DENIED and finding.remedy]
    if not denied:
        return
    console.print(Text("\nWhat an administrator can open, by one line on the node", style="bold"))
    for finding in denied:
        console.print(Text(f"{finding.source}:"))
        console.print(Text(finding.remedy), soft_wrap=True)
