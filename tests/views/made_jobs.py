"""Journals of made-up jobs that look like something: phases of load, an idle GPU, shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobwatt.history.rows import JobRow
from jobwatt.sources.base import COUNTER, DRAM, GPU, PACKAGE, Device
from tests.journal.journals import head, span, write

START = 1_767_250_800.0
"""2026-01-01 07:00:00 UTC."""
HOSTILE = "evil\x1b[31m \x1b]0;title\x07na\u202eme [red]節電[/red]\nnew line \x9b2J"

TRAIN = JobRow(
    "2001",
    "alpha",
    array_job="1998",
    array_task="3",
    name="llama-ft",
    user="ada",
    account="nlp",
    partition="gpu",
    command="sbatch --array=0-7 train.sh --lr 3e-4 --data /scratch/ada/corpora/all.tok --save ckpt",
    state="TIMEOUT",
    reason="TimeLimit",
    exit_code=0,
    exit_signal=15,
    submit_wall_seconds=START - 4000,
    start_wall_seconds=START - 1,
    end_wall_seconds=START + 7200,
    elapsed_seconds=7201,
    time_limit_seconds=7200,
    nodes=2,
    node_list="n[1-2]",
    cpus=64,
    gpus=8,
    memory_bytes=512 << 30,
    source="sacct",
)


def write_job(
    directory: Path,
    job: str = "2001",
    hours: float = 2.0,
    nodes: int = 2,
    gpus: int = 4,
    details: Mapping[str, str] | None = None,
    cluster: str = "",
    changes: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Journals of one step below a journal directory; the last GPU of all idles.

    `changes`: of the heads.
    """
    paths = []
    for node in range(1, nodes + 1):
        devices = _devices(node, gpus)
        lines: list[Any] = []
        time, length = 0.0, 0.0
        while time < hours * 3600:
            length = round(min(10.0, max(1.0, 0.02 * time)), 3)
            time = round(time + length, 3)
            part = time / (hours * 3600)
            idle = gpus if node == nodes and gpus > 1 else -1
            rows = [_gpu_row(part, length, gpu + 1 == idle, gpu) for gpu in range(gpus)]
            lines.append(_line(time, length, part, rows, devices[gpus:]))
        lines.append({"t": time, "w": 0, "end": "done"})
        given = {
            "job": job, "cluster": cluster, "node": f"n{node}", "rank": node - 1,
            "cpus_total": 64, "cpus_allocated": 32, "wall_seconds": START,
            "details": details or {"SLURM_JOB_NAME": "llama-ft", "SLURM_JOB_PARTITION": "gpu"},
            **(changes or {}),
        }  # fmt: skip
        folder = f"{job}@{cluster}" if cluster else job
        path = directory / f"journal/2026-01/{folder}/0.0.n{node}.{node - 1}.jsonl"
        paths.append(write(path, head(devices) | given, *lines))
    return paths


def _devices(node: int, gpus: int) -> list[Device]:
    return [
        Device(GPU, f"GPU-{node:04x}{gpu:04x}-5ac2-4c1e", "NVIDIA A100-SXM4-40GB", "nvml", COUNTER,
               error_fraction=0.1)
        for gpu in range(gpus)
    ] + [
        Device(kind, f"{kind}-0", f"{kind}-0", "powercap", COUNTER, 262143.3)
        for kind in (PACKAGE, DRAM)
    ]  # fmt: skip


def _gpu_row(part: float, length: float, idle: bool, gpu: int) -> list[float | None]:
    """Loading at first, a checkpoint at the middle, waits between."""
    watts, use = 330 + 40 * math.sin(25 * part + gpu), 95.0
    if idle or part < 0.08:
        watts, use = 60.0, 0.0
    elif 0.48 < part < 0.54:
        watts, use = 90.0, 4.0
    elif int(part * 40) % 5 == 4:
        watts, use = 180.0, 40.0
    rested = length if not use else 0.0
    capped = 4 if watts > 365 else 0
    row = [watts * length, watts - 20, watts + 30, use, use * 0.8, use, use / 2, 36_000, 1400,
           60 + use / 10, capped, 1, rested, watts * rested]  # fmt: skip
    return [round(cell, 3) for cell in row]


def _line(
    time: float, length: float, part: float, gpus: list[list[float | None]], others: list[Device]
) -> list[float | None]:
    busy = length * (24.0 if part < 0.08 else 16.0)
    rows: list[list[float | None]] = [
        [round(length * (190.0 if part < 0.08 else 160.0), 3), 120, 210]
        if device.kind == PACKAGE
        else [round(length * 24.0, 3), 20, 30]
        for device in others
    ]
    step: list[float | None] = [busy * 0.9, 90_000 + round(9000 * part), 50 * length, 5 * length]
    cells = span(time, length, gpus, rows, step, [busy, 64 * length], [0.0008 * length, 0])
    return [None if cell is None else round(cell, 4) for cell in cells]
