"""Journals as the format says, read without the code under test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

GPU_WIDTH = 14
"""Numbers of one GPU in a span, its energy first; a span begins with three times."""


@dataclass(frozen=True)
class Journal:
    """One sampler's file."""

    path: Path
    head: dict[str, Any]
    spans: tuple[list[float], ...]
    events: tuple[dict[str, Any], ...]

    @property
    def start_seconds(self) -> float:
        """CLOCK_MONOTONIC of the first reading."""
        return float(self.head["monotonic_seconds"])

    @property
    def end_seconds(self) -> float:
        """CLOCK_MONOTONIC of the last reading."""
        return self.start_seconds + (self.spans[-1][0] if self.spans else 0.0)

    @property
    def covered_seconds(self) -> float:
        """Sum of the spans."""
        return sum(span[1] for span in self.spans)

    @cached_property
    def gpu_energies_joules(self) -> dict[str, float]:
        """Energy of each GPU by UUID."""
        ids = [device["id"] for device in self.head["devices"] if device["kind"] == "gpu"]
        return {uuid: self._sum(3 + GPU_WIDTH * index) for index, uuid in enumerate(ids)}

    def other_energy_joules(self, index: int) -> float:
        """Energy of a package, DRAM domain or node meter, counted behind the GPUs."""
        return self._sum(3 + GPU_WIDTH * len(self.gpu_energies_joules) + 3 * index)

    def _sum(self, column: int) -> float:
        return sum(span[column] for span in self.spans)


def read_journals(directory: Path) -> tuple[Journal, ...]:
    """All journals below a JOBWATT_DIR, in the order of their names. A torn last line is left."""
    found = []
    for path in sorted(directory.glob("journal/*/*/*.jsonl")):
        lines = []
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                continue
        if not lines:  # a full disk takes a name and no byte
            continue
        head, *rest = lines
        spans = tuple(line for line in rest if isinstance(line, list))
        events = tuple(line for line in rest if isinstance(line, dict) and "event" in line)
        found.append(Journal(path, head, spans, events))
    return tuple(found)
