"""The whole node's energy on Cray and HPE Cray EX (`/sys/cray/pm_counters`).

`energy` (J since start-up) and `power` (W) are the node with its accelerators; `freshness` rises
about 10 times a second while the blade controller writes. Lines read `2451 J 1612345678 us`.
Source: HPE `docs-csm`, "User Access to Compute Node Power Data".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    NO_READING,
    NODE,
    OK,
    STUCK,
    Device,
    Probe,
    Reading,
)
from jobwatt.sources.files import close_all, first_number, open_to_read, pread_text

FILES = ("energy", "power", "freshness")
REMEDY = "sudo chmod a+r /sys/cray/pm_counters/energy /sys/cray/pm_counters/power"
MAX_NODE_WATTS = 20_000.0

_PAUSE_SECONDS = 0.05
_PAUSES = 8  # 0.4 s: four beats of `freshness`


class PmCounters:
    """The blade controller's counter of this node."""

    name = "pm_counters"

    def __init__(self, root: Path, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits for `freshness` to rise, which shows that the controller writes."""
        self._folder = root / "sys/cray/pm_counters"
        self._pause = pause
        self._descriptors: list[int] = []
        self._freshness: float | None = None

    def probe(self) -> Probe:
        """Open the counters and wait for their next beat (0.1 s, 0.4 s at most)."""
        try:
            for file_name in FILES:
                self._descriptors.append(open_to_read(self._folder / file_name))
        except PermissionError:
            self.close()
            detail = "pm_counters are readable by root only"
            return Probe(self.name, DENIED, detail=detail, remedy=REMEDY)
        except OSError:
            self.close()
            return Probe(self.name, ABSENT, detail="no /sys/cray/pm_counters")
        energy_joules, power_watts, freshness = self._values()
        if energy_joules is None or freshness is None:
            self.close()
            return Probe(self.name, ABSENT, detail="pm_counters hold no number")
        for _ in range(_PAUSES):
            self._pause(_PAUSE_SECONDS)
            if self._values()[2] != freshness:
                break
        else:
            self.close()
            return Probe(self.name, STUCK, detail="freshness does not rise: nobody writes")
        device = Device(
            NODE,
            "node",
            "Cray node",
            self.name,
            COUNTER,
            max_power_watts=MAX_NODE_WATTS,
        )
        detail = "energy" if power_watts is None else f"energy; now {power_watts:g} W"
        return Probe(
            self.name,
            OK,
            [device],
            detail,
            resolution="1 J, refreshed every 100 ms",
            covers="the whole node with its accelerators, as the blade controller sees it",
        )

    def read(self) -> Sequence[Reading]:
        """The counter, and the power while it is fresh: a stale power stands for nothing."""
        energy_joules, power_watts, freshness = self._values()
        if freshness is None or freshness == self._freshness:
            power_watts = None
        self._freshness = freshness
        if energy_joules is None and power_watts is None:
            return [NO_READING]
        return [Reading(energy_joules=energy_joules, power_watts=power_watts)]

    def close(self) -> None:
        """Close the counters."""
        close_all(self._descriptors)

    def _values(self) -> tuple[float | None, float | None, float | None]:
        texts = [pread_text(descriptor) for descriptor in self._descriptors]
        if len(texts) < len(FILES):
            return None, None, None
        return number_in(texts[0], "J"), number_in(texts[1], "W"), first_number(texts[2])


def number_in(text: str | None, unit: str) -> float | None:
    """`2451 J 1612345678 us` in `J` is 2451.0; another unit is None, no unit is accepted."""
    words = text.split() if text else []
    if len(words) > 1 and words[1] != unit:
        return None
    return first_number(text)
