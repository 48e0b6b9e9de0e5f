"""The summary at the end of a step: at most 8 lines of 80 columns, plain text. Pure.

It is printed by srun's epilog: neither rich nor typer, so that the prompt is back at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobwatt.energy.attribute import RULE_UNALLOCATED
from jobwatt.energy.integrate import known_sum
from jobwatt.energy.units import (
    format_duration,
    format_energy,
    format_percent,
    format_power,
)
from jobwatt.energy.unread import is_unread, why_unread
from jobwatt.model import ATTRIBUTED, UNAVAILABLE, Energy
from jobwatt.sources.base import GPU
from jobwatt.views.clean import clean, cut
from jobwatt.views.report import NODE_LABEL, Group, Idle, Report

COLUMNS = 80
MAX_LINES = 8
LOW_COVERAGE = 0.95
IDLE_NOT_COUNTED = ", idle not counted"
"""A command that has no cores to itself is told the busy part of the machine alone."""


def summary_lines(report: Report) -> list[str]:
    """What the step used, idled and lacks."""
    lines = [_headline(report)]
    lines += [_group_line(group) for group in report.groups]
    if not any(group.label == "CPU" for group in report.groups):
        lines.append("  CPU     unavailable: no readable meter (jobwatt doctor says why)")
    lines.append(_total_line(report))
    tail = [f"  more    jobwatt show {clean(_argument(report), 40)}"]
    room = MAX_LINES - len(lines) - len(tail)
    lines += _notes(report)[: max(0, room)]
    return [_fit(line) for line in (lines + tail)[:MAX_LINES]]


def _fit(line: str) -> str:
    """One terminal line: nothing that a terminal obeys, and cut at the margin."""
    body = line.lstrip(" ")
    indent = len(line) - len(body)
    words = " ".join(clean(word, COLUMNS) for word in body.split(" "))
    return cut(" " * indent + words, COLUMNS)


def _headline(report: Report) -> str:
    account = report.account
    gpus = sum(1 for device in account.devices if device.device_kind == GPU)
    nodes = len(account.nodes)
    parts = [f"{nodes} node{'s' * (nodes != 1)}"]
    if gpus:
        parts.append(f"{gpus} GPU{'s' * (gpus != 1)}")
    parts.append(format_duration(account.duration_seconds))
    if account.running:
        parts.append("still running")
    what = ", ".join(parts)
    return f"jobwatt {clean(report.title, COLUMNS - len(what) - 10)}: {what}"


def _group_line(group: Group) -> str:
    energy = group.energy
    if energy.kind == UNAVAILABLE:
        return f"  {group.label:<7} unavailable: {_why(group)}"
    uncounted = IDLE_NOT_COUNTED if RULE_UNALLOCATED in group.rule else ""
    text = f"  {group.label:<7} {format_energy(energy.joules):>8} {energy.kind}"
    if uncounted and format_energy(energy.joules) == format_energy(0.0):
        return f"{text}: hardly any CPU time{uncounted}"
    if energy.kind != "measured":
        text += f" ({band(energy)})"
    if group.power_mean_watts is not None:
        text += f", mean {format_power(group.power_mean_watts)}"
    if group.utilization_mean_percent is not None:
        text += f", use {format_percent(group.utilization_mean_percent)}"
    text += uncounted
    if group.label == NODE_LABEL:
        text += ", not in the total"
    unknown = sum(device.energy.kind == UNAVAILABLE for device in group.devices)
    if unknown:
        text += f", {unknown} of {len(group.devices)} unavailable"
    return text


def _why(group: Group) -> str:
    """`2 allocated, no driver answers`, or another cause of having no figure."""
    unread = [device for device in group.devices if is_unread(device)]
    if unread:
        return f"{len(unread)} allocated, {why_unread(unread[0])}"
    return group.rule or "no reading"


def _total_line(report: Report) -> str:
    coverage = report.account.coverage
    covered = "" if coverage is None else f", covers {format_percent(100 * coverage)}"
    parts = [group for group in report.groups if group.label != NODE_LABEL]
    if parts and all(RULE_UNALLOCATED in group.rule for group in parts):
        covered += IDLE_NOT_COUNTED
    if report.metered is None:
        if report.estimated is None:
            return "  total   unavailable: no meter could be read (jobwatt doctor says why)"
        return f"  total   {format_energy(report.estimated.joules):>8} estimated{covered}"
    kind = "measured" if report.metered.kind != ATTRIBUTED else "metered"
    apart = " + estimates" if report.estimated is not None else ""
    joules = format_energy(report.metered.joules)
    return f"  total   {joules:>8} {kind} ({band(report.metered)}){apart}{covered}"


def _notes(report: Report) -> list[str]:
    notes = []
    if report.idle:
        notes.append(_idle_line(report.idle))
    coverage = report.account.coverage
    if coverage is not None and coverage < LOW_COVERAGE and not report.account.running:
        notes.append(_uncovered_line(report))
    if report.account.events:
        notes.append(f"  event   {report.account.events[0]}")
    if report.account.problems:
        notes.append(f"  note    {report.account.problems[0]}")
    return notes


def _uncovered_line(report: Report) -> str:
    if report.whole_time_joules is None:
        return "  note    the rest of the time is in none of these figures"
    whole = format_energy(report.whole_time_joules)
    return f"  note    at the same power, the uncovered time included: {whole} (estimated)"


def _idle_line(idle: Sequence[Idle]) -> str:
    """The energy of all of them; the first has the most."""
    most = f"GPU {idle[0].index} of {idle[0].node}"
    energy = format_energy(known_sum([one.energy_joules for one in idle]))
    if len(idle) > 1:
        return f"  idle    {len(idle)} GPUs (most: {most}): {energy} at 0 % use"
    return f"  idle    {most}: {energy} in {format_duration(idle[0].idle_seconds)} at 0 % use"


def _argument(report: Report) -> str:
    account = report.account
    return f"{account.job}.{account.step}" if account.step else account.job


def band(energy: Energy) -> str:
    """The error band: `425 to 470 Wh`, the unit once where both have it."""
    if energy.low_joules is None or energy.high_joules is None:
        return "band unknown"
    low, high = format_energy(energy.low_joules), format_energy(energy.high_joules)
    number, _, unit = low.partition(" ")
    return f"{number} to {high}" if unit and high.endswith(" " + unit) else f"{low} to {high}"
