"""Journals in the real format, made by the sampler's own encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobwatt.journal.format import GPU_COLUMNS, POWER_COLUMNS, VERSION
from jobwatt.sampler.condense import encode
from jobwatt.sources.base import COUNTER, GPU, PACKAGE, Device

GPU0 = Device(GPU, "GPU-0", "NVIDIA A100-SXM4-40GB", "nvml", COUNTER)
CPU0 = Device(PACKAGE, "package-0", "package-0", "powercap", COUNTER)


def head(devices: Sequence[Device] = (GPU0, CPU0), **changes: Any) -> dict[str, Any]:
    """A head as the sampler writes it."""
    return {
        "jobwatt": VERSION,
        "version": "0.1.0",
        "kind": "step",
        "job": "7",
        "cluster": "",
        "step": "0",
        "restart": 0,
        "node": "n1",
        "rank": 0,
        "wall_seconds": 1_700_000_000.0,
        "monotonic_seconds": 5000.0,
        "age_seconds": 0.5,
        "cpus_total": 8,
        "cpus_allocated": 4,
        "whole_node": False,
        "devices": [device._asdict() for device in devices],
        "rejected": [],
        "problems": [],
        "details": {"SLURM_JOB_NAME": "train"},
    } | changes


def gpu_row(joules: float | None = 300.0) -> list[float | None]:
    row: list[float | None] = [joules, 290, 310, 90, 80, 100, 40, 8192, 1410, 50, 0, 1, 0, 0]
    assert len(row) == len(GPU_COLUMNS)
    return row


def power_row(joules: float | None = 100.0) -> list[float | None]:
    row = [joules, 95, 105]
    assert len(row) == len(POWER_COLUMNS)
    return row


Row = list[float | None]


def span(
    end: float,
    length: float = 1.0,
    gpus: Sequence[Row] | None = None,
    others: Sequence[Row] | None = None,
    step: Row | None = None,
    node: Row | None = None,
    own: Row | None = None,
) -> Row:
    """One GPU of 300 W, one package of 100 W; 2 of 8 CPUs busy, all by the step."""
    rows: list[Row] = [
        [end, length, 1_700_000_000.0 + end],
        *([gpu_row(300.0 * length)] if gpus is None else gpus),
        *([power_row(100.0 * length)] if others is None else others),
        step if step is not None else [2.0 * length, 1024, 1.5, 0.5],
        node if node is not None else [2.0 * length, 8.0 * length],
        own if own is not None else [0.001, 0],
    ]
    return [cell for row in rows for cell in row]


def write(path: Path, *lines: Mapping[str, Any] | Row | bytes) -> Path:
    """Lines as given; bytes are written as they are, with a line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join(line + b"\n" if isinstance(line, bytes) else encode(line) for line in lines)
    )
    return path


def raw(line: Mapping[str, Any] | Row, old: str, new: str) -> bytes:
    """The encoded line with one piece of its text replaced."""
    text = json.dumps(line, separators=(",", ":"))
    assert text.count(old) >= 1
    return text.replace(old, new, 1).encode()
