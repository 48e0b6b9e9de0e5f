"""Journal directories and indexes for the tests of the history."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobwatt.history.index import Index
from jobwatt.history.index_file import open_index
from jobwatt.history.rows import JobRow
from jobwatt.history.update import Clock
from jobwatt.sampler.condense import encode
from tests.journal.journals import Row, head, span, write

START = 1_700_000_000.0
"""First reading of the journals made here: 2023-11-14 22:13:20 UTC."""
MIDNIGHT = START + 6400.0
JOULES = 362.5
"""Of a second: a GPU of 300 W; of a package of 100 W all of its busy quarter, half of the rest."""


def utc_day(wall_seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(wall_seconds))


def clock(now_wall_seconds: float) -> Clock:
    return Clock(now_wall_seconds, utc_day)


def memory() -> Index:
    return open_index(None)


def spans(count: int, first: int = 0, length: float = 1.0) -> list[Row]:
    """Lines of the same power, end to end."""
    return [span((first + number + 1) * length, length) for number in range(count)]


def add(
    root: Path,
    job: str,
    *lines: Mapping[str, Any] | Row | bytes,
    name: str = "0.0.n1.0.jsonl",
    month: str = "2023-11",
    changed: float | None = None,
    **changes: Any,
) -> Path:
    """A job's journal; `job` may name a cluster: `7@alpha`. Last changed at its last line."""
    raw, _, cluster = job.partition("@")
    path = root / "journal" / month / job / name
    step, restart, node, rank = name.removesuffix(".jsonl").split(".")
    known: dict[str, Any] = {"step": step, "restart": int(restart), "node": node, "rank": int(rank)}
    if "wall_seconds" in changes:  # the node's clock has gone on
        later = changes["wall_seconds"] - START
        changes.setdefault("monotonic_seconds", 5000.0 + later)
        lines = tuple(_later(line, later) if isinstance(line, list) else line for line in lines)
    rows = [line for line in lines if isinstance(line, list)]
    write(path, head(job=raw, cluster=cluster, **{**known, **changes}), *lines)
    last = max((row[0] or 0.0 for row in rows), default=0.0)
    touch(path, START + last if changed is None else changed)
    return path


def _later(row: Row, seconds: float) -> Row:
    return [*row[:2], (row[2] or 0.0) + seconds, *row[3:]]


def append(path: Path, *lines: Mapping[str, Any] | Row | bytes, changed: float) -> None:
    with path.open("ab") as file:
        for line in lines:
            file.write(line if isinstance(line, bytes) else encode(line))
    touch(path, changed)


def touch(path: Path, wall_seconds: float) -> None:
    os.utime(path, (wall_seconds, wall_seconds))


def rows(index: Index) -> list[JobRow]:
    """All jobs, by id."""
    return sorted(index.rows(0.0, 1e15), key=lambda row: (row.job, row.cluster))
