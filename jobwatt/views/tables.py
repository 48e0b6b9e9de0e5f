"""What `jobwatt export` writes: tables of jobs, devices and spans, whatever the format. Pure.

Every record is one flat tuple. Names are stable within a schema version, columns only get added,
and each quantity's unit is in its name. None is unknown. Text is as it is in the history: only the
formats that a terminal or a spreadsheet may open clean it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, get_args, get_type_hints

from jobwatt.history.rows import JobRow, numbers
from jobwatt.journal.format import GPU_COLUMNS, POWER_COLUMNS
from jobwatt.journal.reader import Column as Cells
from jobwatt.journal.reader import Journal
from jobwatt.model import Account, DeviceEnergy

SCHEMA = 1

TEXT, WHOLE, NUMBER, TIME, NESTED = "text", "whole", "number", "time", "nested"
"""Kinds of columns. TIME is Unix seconds here, a time stamp in UTC in the file. NESTED is an
object in JSON, and its text in the other formats."""

Record = tuple[Any, ...]


class Column(NamedTuple):
    """Its name in the file, and its kind."""

    name: str
    kind: str


class Table(NamedTuple):
    """What one file holds."""

    name: str
    columns: tuple[Column, ...]


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_KIND_OF_TYPE = {str: TEXT, int: WHOLE, float: NUMBER}
_OBJECTS = ("days", "gpu_models")
_TIMES = {
    "submit_utc": "submit_wall_seconds",
    "start_utc": "start_wall_seconds",
    "end_utc": "end_wall_seconds",
    "measured_start_utc": "measured_start_wall_seconds",
    "seen_utc": "seen_wall_seconds",
}
_JOB_FIELDS = tuple(
    Column(name, NESTED if name in _OBJECTS else _KIND_OF_TYPE[(*get_args(hint), hint)[0]])
    for name, hint in get_type_hints(JobRow).items()
)
JOBS = Table(
    "jobs",
    (
        Column("schema", WHOLE),
        *_JOB_FIELDS,
        Column("shown_id", TEXT),
        Column("outcome", TEXT),
        *(Column(name, TIME) for name in _TIMES),
    ),
)
"""One record per job: the fields of `JobRow`, then what follows from them. `days` are metered
joules by local day, `gpu_models` joules by model."""

_DEVICE_FIELDS = (
    Column("rule", TEXT),
    Column("coverage", NUMBER),
    Column("covered_seconds", NUMBER),
    Column("held_seconds", NUMBER),
    Column("whole_joules", NUMBER),
    Column("idle_part_joules", NUMBER),
    Column("power_mean_watts", NUMBER),
    Column("power_peak_watts", NUMBER),
    Column("utilization_mean_percent", NUMBER),
    Column("memory_utilization_mean_percent", NUMBER),
    Column("memory_peak_bytes", WHOLE),
    Column("sm_clock_mean_mhz", NUMBER),
    Column("temperature_peak_celsius", NUMBER),
    Column("event_reasons", WHOLE),
    Column("processes_peak", WHOLE),
    Column("idle_seconds", NUMBER),
    Column("idle_energy_joules", NUMBER),
)
_WHOSE = (
    Column("schema", WHOLE),
    Column("job", TEXT),
    Column("cluster", TEXT),
    Column("step", TEXT),
)
_WHICH = (
    Column("node", TEXT),
    Column("device_kind", TEXT),
    Column("device_id", TEXT),
    Column("device_name", TEXT),
)
DEVICES = Table(
    "devices",
    (
        *_WHOSE,
        Column("origin", TEXT),
        Column("start_wall_seconds", NUMBER),
        Column("start_utc", TIME),
        *_WHICH,
        Column("source", TEXT),
        Column("method", TEXT),
        Column("energy_joules", NUMBER),
        Column("energy_kind", TEXT),
        Column("energy_low_joules", NUMBER),
        Column("energy_high_joules", NUMBER),
        *_DEVICE_FIELDS,
    ),
)
"""One record per job, node and device. The energy is the job's; only records of one kind add up,
and those of a node's own meter (`node`) to none of the others."""

_MEBIBYTE = 1 << 20
_MEMORY = "memory_used_max_mebibytes"
_SPAN_FIELDS = tuple(name for name in GPU_COLUMNS if name not in POWER_COLUMNS)
SERIES = Table(
    "series",
    (
        *_WHOSE,
        Column("restart", WHOLE),
        *_WHICH,
        Column("end_wall_seconds", NUMBER),
        Column("end_utc", TIME),
        Column("length_seconds", NUMBER),
        Column("device_share", NUMBER),
        *(Column(f"device_{name}", NUMBER) for name in POWER_COLUMNS),
        *(Column("memory_used_max_bytes" if name == _MEMORY else name, NUMBER)
          for name in _SPAN_FIELDS),
    ),
)  # fmt: skip
"""One record per journal line and device: `length_seconds` up to its end. `device_…` are the
whole device's, as metered; of a MIG instance `device_share` is the job's, of a CPU package the
job's share is known for the step only (`devices`)."""


def job_record(row: JobRow) -> Record:
    """One record of JOBS."""
    fields = [
        (numbers(str(value)) or None) if name in _OBJECTS else _known(value)
        for name, value in zip(row._fields, row, strict=True)
    ]
    times = [getattr(row, name) for name in _TIMES.values()]
    return (SCHEMA, *fields, row.shown_id, row.outcome, *times)


def device_records(row: JobRow, account: Account) -> Iterator[Record]:
    """Records of DEVICES."""
    for device in account.devices:
        energy = device.energy
        yield (
            SCHEMA, row.job, _known(row.cluster), _known(account.step), _known(row.origin),
            account.start_wall_seconds, account.start_wall_seconds, *_which(device.node, device),
            device.source, device.method,
            energy.joules, energy.kind, energy.low_joules, energy.high_joules,
            *(_known(getattr(device, column.name)) for column in _DEVICE_FIELDS),
        )  # fmt: skip


def series_records(
    journal: Journal, since_wall_seconds: float, until_wall_seconds: float
) -> Iterator[Record]:
    """Records of SERIES: the spans that end within the time, each with all devices."""
    head = journal.head
    names = ("job", "cluster", "step")
    whose = (SCHEMA, *(_known(str(head.get(name, ""))) for name in names))
    restart = head.get("restart") if type(head.get("restart")) is int else None
    devices = [
        (_which(str(head.get("node", "")), device), device.share, _columns(own))
        for device, own in zip(
            (*journal.gpus, *journal.others),
            (*journal.gpu_columns, *journal.other_columns),
            strict=True,
        )
    ]
    walls, lengths = journal.wall_seconds, journal.length_seconds
    for index, (wall, length) in enumerate(zip(walls, lengths, strict=True)):
        if wall is None or not since_wall_seconds <= wall < until_wall_seconds:
            continue
        for which, share, columns in devices:
            values = (None if column is None else column[index] for column in columns)
            yield (*whose, restart, *which, wall, wall, length, share, *values)


def _columns(own: Any) -> list[Cells | None]:
    """A device's columns in the order of SERIES; None for those that a CPU has not."""
    columns: list[Cells | None] = []
    for name in (*POWER_COLUMNS, *_SPAN_FIELDS):
        cells = own.get(name)
        if cells is not None and name == _MEMORY:
            cells = tuple(None if cell is None else cell * _MEBIBYTE for cell in cells)
        columns.append(cells)
    return columns


def _which(node: str, device: Any) -> tuple[str | None, ...]:
    kind = device.device_kind if isinstance(device, DeviceEnergy) else device.kind
    name = device.device_id if isinstance(device, DeviceEnergy) else device.id
    return _known(node), kind, name, _known(device.name)


def iso(wall_seconds: float) -> str | None:
    """`2026-11-25T13:53:37.123Z`; None beyond the years that have a name."""
    milliseconds = whole_milliseconds(wall_seconds)
    if milliseconds is None:
        return None
    when = _EPOCH + timedelta(milliseconds=milliseconds)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole_milliseconds(wall_seconds: float) -> int | None:
    """As all formats hold times; None beyond the years 1 to 9999."""
    return round(wall_seconds * 1000) if -6e10 < wall_seconds < 2.5e11 else None


def _known(value: Any) -> Any:
    """Empty text is unknown; the number 0 is known."""
    return None if value == "" else value
