"""Which part of a step's spans no earlier step of the job has counted for the same device. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from jobwatt.energy import integrate
from jobwatt.energy.integrate import Interval, Weights
from jobwatt.journal.reader import MAX_VALUE, Journal
from jobwatt.sources.base import Device


class Overlaps:
    """What the journals cover of each device, in the order in which they are asked for.

    Times of one node are compared on its monotonic clock.
    """

    def __init__(self, journals: Sequence[Journal]) -> None:
        self._journals = Counter(str(journal.head.get("node", "")) for journal in journals)
        self._covered: dict[tuple[str, str], list[Interval]] = {}

    def of(self, journal: Journal) -> Callable[[Device], Weights]:
        """Weights of this journal's spans by device, to be asked for once each.

        None: all of them are new, which is the common case and fast.
        """
        node = str(journal.head.get("node", ""))
        if self._journals[node] == 1:
            return lambda device: None
        zero = journal.head.get("monotonic_seconds")
        if not isinstance(zero, (int, float)) or not abs(zero) < MAX_VALUE:
            zero = 0.0
        times = zip(journal.time_seconds, journal.length_seconds, strict=True)
        spans = [(zero + (t or 0.0) - (d or 0.0), zero + (t or 0.0)) for t, d in times]
        own = integrate.union(spans)
        # Most devices of a journal share what is covered of them: that is looked at once.
        known: dict[int, tuple[Weights, list[Interval], list[Interval]]] = {}

        def weights(device: Device) -> Weights:
            before = self._covered.get((node, device.id))
            if before is None:
                self._covered[node, device.id] = own
                return None
            if id(before) not in known:
                new = integrate.new_fractions(spans, before)
                known[id(before)] = new, integrate.union([*before, *own]), before
            found, self._covered[node, device.id], _ = known[id(before)]
            return found

        return weights
