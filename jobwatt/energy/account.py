"""Journals -> a step's or a job's account. Pure: journals in, figures out.

Steps of a job that overlap in time and see the same device count its energy once: see `overlap`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jobwatt.energy import integrate
from jobwatt.energy.devices import MEBIBYTE, gpu_energy, other_energy
from jobwatt.energy.integrate import Weights
from jobwatt.energy.merge import lowest_coverage, merge_devices
from jobwatt.energy.overlap import node_of, parts_that_count
from jobwatt.energy.unread import NVML, unread_gpus
from jobwatt.journal.format import EVENTS
from jobwatt.journal.reader import MAX_VALUE, Journal
from jobwatt.model import Account, DeviceEnergy, NodeUse
from jobwatt.sources.base import ABSENT

END_SLACK_SECONDS = 15.0
"""A recorded end this much after a node's last line is believed; more is a skewed clock."""
MAX_TEXT_LETTERS = 10_000
"""Kept of a detail; the journal has all of it."""
RUNNING_SECONDS = 30.0
"""A journal without an end that grew within this time is of a running step."""


def account_step(
    journals: Sequence[Journal], end_wall_seconds: float | None, now_wall_seconds: float
) -> Account:
    """All nodes of one step (and restart). `journals` must not be empty."""
    return _account(journals, {0: end_wall_seconds}, [0] * len(journals), now_wall_seconds)


def account_job(
    steps: Sequence[tuple[Sequence[Journal], float | None]], now_wall_seconds: float
) -> Account:
    """All steps of one job, overlaps counted once. Each step with its recorded end, if any."""
    ordered = sorted(steps, key=lambda step: min(_start(journal) for journal in step[0]))
    journals = [journal for group, _ in ordered for journal in group]
    numbers = [number for number, (group, _) in enumerate(ordered) for _ in group]
    ends = {number: end for number, (_, end) in enumerate(ordered)}
    account = _account(journals, ends, numbers, now_wall_seconds)
    names = tuple(str(group[0].head.get("step", "")) for group, _ in ordered)
    return replace(account, step="" if len(names) > 1 else account.step, steps=names)


def _account(
    journals: Sequence[Journal],
    ends: Mapping[int, float | None],
    numbers: Sequence[int],
    now: float,
) -> Account:
    devices: list[DeviceEnergy] = []
    start = min(_start(journal) for journal in journals)
    finishes = [
        _finish(journal, ends[number]) for journal, number in zip(journals, numbers, strict=True)
    ]
    parts = parts_that_count(journals)
    for journal, finish, part in zip(journals, finishes, parts, strict=True):
        length, gpus = finish - _start(journal), len(journal.gpus)
        for index, weights in enumerate(part.devices[:gpus]):
            devices.append(gpu_energy(journal, index, length, weights))
        devices.extend(unread_gpus(journal))
        for index, weights in enumerate(part.devices[gpus:]):
            devices.append(other_energy(journal, index, length, weights, part.cpu))
    merged = merge_devices(devices)
    newest = max(range(len(journals)), key=lambda number: journals[number].modified_wall_seconds)
    head = journals[0].head
    details = head.get("details")
    return Account(
        job=str(head.get("job", "")),
        step=str(head.get("step", "")),
        restart=_whole_number(head.get("restart")),
        cluster=str(head.get("cluster", "")),
        start_wall_seconds=start,
        duration_seconds=max(0.0, max(finishes) - start),
        running=is_running(journals[newest], ends[numbers[newest]], now),
        coverage=lowest_coverage(merged),
        nodes=tuple(
            _node_use(group) for group in _by_node(journals, [part.cpu for part in parts])
        ),
        devices=tuple(merged),
        events=tuple(_events(journals)),
        problems=tuple(_problems(journals)),
        details=tuple(
            (str(key), _text(value))
            for key, value in (details.items() if isinstance(details, dict) else ())
        ),
        steps=(str(head.get("step", "")),),
    )


def first_wall_seconds(journal: Journal) -> float:
    """Wall time of the first reading, from which the journal's times count."""
    return _number(journal.head.get("wall_seconds"))


def _start(journal: Journal) -> float:
    """Wall time at which the task started on this node, or at which these lines begin."""
    if journal.since_seconds is not None:
        return first_wall_seconds(journal) + journal.since_seconds
    return first_wall_seconds(journal) - _number(journal.head.get("age_seconds"))


def _finish(journal: Journal, end_wall: float | None) -> float:
    """When the step ended on this node: as recorded, else the last line."""
    last = first_wall_seconds(journal) + journal.last_seconds
    if journal.end is None and end_wall is not None and last < end_wall < last + END_SLACK_SECONDS:
        return end_wall
    return last


def is_running(newest: Journal, end_wall_seconds: float | None, now_wall_seconds: float) -> bool:
    """Whether the journal that changed last, with its step's recorded end, is still written."""
    if newest.end is not None or end_wall_seconds is not None:
        return False
    return now_wall_seconds - newest.modified_wall_seconds < RUNNING_SECONDS


def _by_node(
    journals: Sequence[Journal], cpu_parts: Sequence[Weights]
) -> list[list[tuple[Journal, Weights]]]:
    groups: dict[str, list[tuple[Journal, Weights]]] = {}
    for journal, part in zip(journals, cpu_parts, strict=True):
        groups.setdefault(node_of(journal), []).append((journal, part))
    return list(groups.values())


def _node_use(group: Sequence[tuple[Journal, Weights]]) -> NodeUse:
    """One node's journals, each with the part of its spans whose CPU time and I/O count."""
    journals = [journal for journal, _ in group]

    def summed(name: str) -> float | None:
        known = [integrate.known_sum(journal.step_columns[name], part) for journal, part in group]
        return integrate.known_sum(known)

    memory = integrate.peak(
        [integrate.peak(journal.step_columns["memory_max_mebibytes"]) for journal in journals]
    )
    read, written = summed("read_mebibytes"), summed("written_mebibytes")
    own = [integrate.known_sum(journal.self_columns["cpu_seconds"]) for journal in journals]
    missed = [integrate.known_sum(journal.self_columns["missed_ticks"]) for journal in journals]
    head = journals[0].head
    allocated = head.get("cpus_allocated")
    return NodeUse(
        node=str(head.get("node", "")),
        cpu_seconds=summed("cpu_seconds"),
        cpus_allocated=allocated if _is_count(allocated) else None,
        memory_peak_bytes=None if memory is None else int(memory) * MEBIBYTE,
        read_bytes=None if read is None else read * MEBIBYTE,
        written_bytes=None if written is None else written * MEBIBYTE,
        sampler_cpu_seconds=integrate.known_sum(own) or 0.0,
        missed_ticks=int(integrate.known_sum(missed) or 0),
        bad_lines=sum(journal.bad_lines for journal in journals),
    )


def _events(journals: Sequence[Journal]) -> list[str]:
    lines = []
    for journal in journals:
        for event in journal.events[:100]:
            name = str(event.get("event", ""))[:20]
            meaning = EVENTS.get(name, name)
            where = f"{journal.head.get('node', '')} {event.get('device', '')}"[:120]
            lines.append(f"{_number(event.get('t')):.0f} s, {where}: {meaning}")
    return lines


def _problems(journals: Sequence[Journal]) -> list[str]:
    """What was not measured, and damaged lines; each once."""
    lines: dict[str, None] = {}
    for journal in journals:
        node = journal.head.get("node", "")
        rejected = journal.head.get("rejected")
        missed = NVML if unread_gpus(journal) else None
        for probe in rejected if isinstance(rejected, list) else []:
            if isinstance(probe, dict) and (
                probe.get("state") != ABSENT or probe.get("source") == missed
            ):
                said = f"{probe.get('source')} {probe.get('state')}: {probe.get('detail')}"
                lines[f"{node}: {said}"] = None
        if journal.bad_lines:
            lines[f"{journal.path.name}: {journal.bad_lines} damaged lines left out"] = None
        settings = journal.head.get("problems")
        for text in settings if isinstance(settings, list) else []:
            lines[str(text)] = None
    return list(lines)


def _text(value: object) -> str:
    """A command may have a thousand files as arguments."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= MAX_TEXT_LETTERS else text[:MAX_TEXT_LETTERS] + "…"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and abs(value) < MAX_VALUE else 0.0


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_VALUE


def _whole_number(value: object) -> int:
    return int(_number(value))
