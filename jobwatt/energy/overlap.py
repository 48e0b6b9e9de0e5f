"""Which part of each journal's spans counts, where several of a job's journals saw the same. Pure.

The journal that comes first has it; what `jobwatt attach` measured goes before all others. Times of
one node are compared on its monotonic clock, so a clock step moves no energy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from jobwatt.energy import integrate
from jobwatt.energy.integrate import Interval, Weights
from jobwatt.journal.reader import MAX_VALUE, Journal


class Parts(NamedTuple):
    """Of one journal, 0 to 1 for each span. None: all of every span, the common and fast case."""

    devices: tuple[Weights, ...]
    """Of the energy of each GPU, then of each other device."""
    cpu: Weights = None
    """Of the CPU time and I/O: attach counts those of the whole job, in place of its steps'."""


def is_attach(journal: Journal) -> bool:
    """Whether its CPU time is that of the whole job on its node."""
    return journal.head.get("kind") == "attach"


def parts_that_count(journals: Sequence[Journal]) -> list[Parts]:
    """One for each journal of a job, which come in the order in which they began."""
    found = [Parts((None,) * (len(each.gpus) + len(each.others))) for each in journals]
    on_node = Counter(map(node_of, journals))
    any_attach = any(map(is_attach, journals))
    covered: dict[tuple[str, str], list[Interval]] = {}
    attached: dict[tuple[str, str], list[Interval]] = {}
    for number in sorted(range(len(journals)), key=lambda number: not is_attach(journals[number])):
        journal, node = journals[number], node_of(journals[number])
        if on_node[node] == 1:  # nothing can overlap
            continue
        spans = _spans(journal)
        devices = _new_of_devices(journal, spans, covered)
        # Components of a het job (`0+1`) may share a node; each has its own CPU time.
        key = (node, str(journal.head.get("step", "")).partition("+")[2])
        cpu = _new(spans, attached.get(key, [])) if any_attach else None
        if is_attach(journal):
            attached[key] = integrate.union([*attached.get(key, []), *spans])
        found[number] = Parts(devices, cpu)
    return found


def node_of(journal: Journal) -> str:
    """Name of its node."""
    return str(journal.head.get("node", ""))


def _new_of_devices(
    journal: Journal, spans: Sequence[Interval], covered: dict[tuple[str, str], list[Interval]]
) -> tuple[Weights, ...]:
    """The parts that no journal before had; `covered` then holds this one's spans, too."""
    own = integrate.union(spans)
    # Most devices of a journal share what is covered of them: that is looked at once.
    known: dict[int, tuple[Weights, list[Interval], list[Interval]]] = {}
    parts: list[Weights] = []
    for device in (*journal.gpus, *journal.others):
        key = (node_of(journal), device.id)
        before = covered.get(key)
        if before is None:
            covered[key] = own
            parts.append(None)
            continue
        if id(before) not in known:
            known[id(before)] = _new(spans, before), integrate.union([*before, *own]), before
        part, covered[key], _ = known[id(before)]
        parts.append(part)
    return tuple(parts)


def _new(spans: Sequence[Interval], before: Sequence[Interval]) -> Weights:
    if not before or not spans or before[-1][1] <= spans[0][0] or spans[-1][1] <= before[0][0]:
        return None
    return integrate.new_fractions(spans, before)


def _spans(journal: Journal) -> list[Interval]:
    zero = journal.head.get("monotonic_seconds")
    if not isinstance(zero, (int, float)) or not abs(zero) < MAX_VALUE:
        zero = 0.0
    times = zip(journal.time_seconds, journal.length_seconds, strict=True)
    return [(zero + (t or 0.0) - (d or 0.0), zero + (t or 0.0)) for t, d in times]
