"""CodeCarbon's `emissions.csv`, versions 1.x to 3.x, as its `EmissionsData` declares it. Pure.

One row per run, in kWh, written when the run stops; `timestamp` is then, in local time. `flush()`
and a tracker that is started again append further rows of the same run, each with the energy since
the run's first start, so the one with the most energy has it all. Since 2.3 there is a PUE, which
CodeCarbon multiplies its energies by: it is taken out again, since no figure here has the cooling.
Version 1 has one energy for all and an id called `experiment_id`; later that is another thing.

How a figure came about is not in the file: without a readable meter, CodeCarbon takes a share of
the processor's rated power, and for memory always a guess by the number of modules.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from jobwatt.history.imports.common import (
    MAX_DURATION_SECONDS,
    MAX_POWER_WATTS,
    Entry,
    Imported,
    Refused,
    entry,
    estimated_device,
    local_time,
    number,
    stable_id,
    text_of,
)
from jobwatt.model import DeviceEnergy
from jobwatt.sources.base import CPU_ESTIMATE, DRAM, GPU

TOOL = "CodeCarbon"
JOULES_PER_KWH = 3.6e6
MAX_COLUMNS = 200
_NEEDED = ("timestamp", "duration", "energy_consumed")
_TOLD_APART = ("emissions", "project_name")
_TASKS = "task_name"
_PARTS = (
    (GPU, "gpu", "gpu_energy", "gpu_model"),
    (CPU_ESTIMATE, "cpu", "cpu_energy", "cpu_model"),
    (DRAM, "memory", "ram_energy", ""),
)
_DETAILS = (
    "run_id", "project_name", "tracking_mode", "os", "python_version", "cpu_model", "cpu_count",
    "gpu_model", "gpu_count", "country_name", "cloud_provider", "cloud_region",
)  # fmt: skip
_DAMAGED = "damaged rows"
_UNSURE = "CodeCarbon does not tell what it measured from what it guessed"
_TOGETHER = "CPU and GPUs together"
_COUNTED = re.compile(r"\d+ x ([^,]+?)(?=\d+ x |$)")
"""`2 x NVIDIA A100`; several models stand one after the other."""

Cells = Mapping[str, str]


class _Row(NamedTuple):
    """A row, once it is known to be sound."""

    cells: Cells
    end_wall_seconds: float
    duration_seconds: float
    joules: float
    pue: float


def is_header(line: str) -> bool:
    """Whether a line is the head of such a file, whatever its columns' order."""
    names = _cells(line)
    return all(name in names for name in (*_NEEDED, *_TOLD_APART))


def is_of_tasks(line: str) -> bool:
    """Whether it is the file of a run's tasks, whose sum `emissions.csv` holds."""
    return is_header(line) and _TASKS in _cells(line)


def parse(header: str, lines: Iterable[str], zone: tzinfo | None = None) -> Imported:
    """All runs of a file. `zone`: of the machine that wrote it, None for this one's.

    A line is a row: text that a job put line ends into is a damaged row, and takes no other along.
    """
    names = _cells(header)
    runs: dict[str, list[_Row]] = {}
    skipped: Counter[str] = Counter()
    for line in lines:
        if not line.strip():
            continue
        try:
            row = _row(names, _cells(line), zone)
        except Refused as reason:
            skipped[str(reason)] += 1
        else:
            runs.setdefault(_job(row.cells), []).append(row)
    return Imported(TOOL, tuple(_entry(job, rows) for job, rows in runs.items()), skipped)


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")]), [])[:MAX_COLUMNS]
    except csv.Error:
        return []


def _row(names: Sequence[str], values: Sequence[str], zone: tzinfo | None) -> _Row:
    if len(values) != len(names):
        raise Refused(_DAMAGED)
    cells = dict(zip(names, values, strict=True))
    duration = number(cells["duration"], MAX_DURATION_SECONDS)
    pue = number(cells.get("pue") or "1", 10.0, 1.0)
    # A run of half a second may have the energy of a second's sample.
    most = MAX_POWER_WATTS * (duration + 60.0)
    for _, _, column, _ in _PARTS:
        number(_kwh(cells, column), most / JOULES_PER_KWH)
    joules = number(_kwh(cells, "energy_consumed"), most / JOULES_PER_KWH) * JOULES_PER_KWH
    if not joules:
        raise Refused("rows without energy")
    return _Row(cells, local_time(cells["timestamp"], zone), duration, joules, pue)


def _kwh(cells: Cells, column: str) -> str:
    return cells.get(column) or "0"


def _job(cells: Cells) -> str:
    identity = cells.get("run_id") or ("" if "run_id" in cells else cells.get("experiment_id", ""))
    short = identity.replace("-", "").lower()
    if re.fullmatch("[0-9a-f]{12,}", short):
        return f"codecarbon-{short[:12]}"
    if identity:
        return stable_id("codecarbon", identity)
    return stable_id("codecarbon", cells["timestamp"], cells["project_name"], cells["duration"])


def _entry(job: str, rows: Sequence[_Row]) -> Entry:
    last = rows[0]
    seconds = [0.0]
    """By start of the tracker: one that is started again counts its time anew."""
    before = 0.0
    for row in rows:
        if row.duration_seconds < before:
            seconds.append(0.0)
        seconds[-1] = before = row.duration_seconds
        if row.joules >= last.joules:
            last = row
    cells, total_seconds = last.cells, sum(seconds)
    start = last.end_wall_seconds - total_seconds
    if len(seconds) > 1:
        start = rows[0].end_wall_seconds - rows[0].duration_seconds
    version = cells.get("codecarbon_version", "")[:20]
    problems = [_UNSURE]
    if last.pue > 1.0:
        problems.append(f"CodeCarbon's figures divided by the PUE of {last.pue:g} that is in them")
    details: dict[str, str | None] = {name: text_of(cells.get(name)) for name in _DETAILS}
    details["emissions_kg_co2e"] = cells.get("emissions", "")[:40]
    details["pue"] = cells.get("pue", "")[:40]
    devices = _devices(last, total_seconds, len(seconds) == 1)
    taken, account = entry(
        job,
        f"{TOOL} {version}" if version else TOOL,
        (start, last.end_wall_seconds, total_seconds),
        None,
        devices,
        details,
        problems,
        name=text_of(cells.get("project_name")),
        gpus=_count(cells),
    )
    return taken, account


def _devices(row: _Row, seconds: float, whole: bool) -> list[DeviceEnergy]:
    """`whole`: the row's means are of the whole run."""
    devices = []
    mode = text_of(row.cells.get("tracking_mode"))
    rule = f"CodeCarbon's tracking mode: {mode}" if mode else ""
    for kind, device_id, column, model in _PARTS:
        joules = float(_kwh(row.cells, column)) * JOULES_PER_KWH / row.pue
        if not joules:  # 0 is also what it writes of a part that is not there
            continue
        name = row.cells.get(model) or device_id
        used = _percent(row.cells) if kind == GPU and whole else None
        devices.append(
            estimated_device(
                kind, device_id, _model(name), TOOL, joules, seconds, seconds,
                rule=rule, utilization_mean_percent=used,
            )
        )  # fmt: skip
    if not devices:
        joules = row.joules / row.pue
        devices.append(
            estimated_device(
                CPU_ESTIMATE, "machine", _TOGETHER, TOOL, joules, seconds, seconds, rule=rule
            )
        )
    return devices


def _model(text: str) -> str:
    models = _COUNTED.findall(text)
    return text_of(", ".join(models) or text)


def _count(cells: Cells) -> int | None:
    try:
        return int(number(cells.get("gpu_count") or "", 4096.0))
    except Refused:
        return None


def _percent(cells: Cells) -> float | None:
    try:
        return number(cells.get("gpu_utilization_percent") or "", 100.0)
    except Refused:
        return None
