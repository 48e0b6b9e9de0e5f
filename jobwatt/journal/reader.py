"""Journal files -> columns. Tolerates torn, foreign and hostile lines: they are counted."""

from __future__ import annotations

import gc
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobwatt.errors import UnreadableError
from jobwatt.journal.format import (
    GPU_COLUMNS,
    NODE_COLUMNS,
    POWER_COLUMNS,
    SELF_COLUMNS,
    STEP_COLUMNS,
    VERSION,
)
from jobwatt.sources.base import GPU, Device

MAX_FILE_BYTES = 512 << 20
MAX_DEVICES = 512
MAX_VALUE = 1e15

Column = tuple[float | None, ...]
_TIMES = ("time_seconds", "length_seconds", "wall_seconds")


@dataclass(frozen=True)
class Journal:
    """One file: one node of one step. Columns run over spans, in the order of the file."""

    path: Path
    head: Mapping[str, Any]
    gpus: tuple[Device, ...]
    others: tuple[Device, ...]
    time_seconds: Column
    length_seconds: Column
    wall_seconds: Column
    gpu_columns: tuple[Mapping[str, Column], ...]
    other_columns: tuple[Mapping[str, Column], ...]
    step_columns: Mapping[str, Column]
    node_columns: Mapping[str, Column]
    self_columns: Mapping[str, Column]
    events: tuple[Mapping[str, Any], ...]
    end: str | None
    bad_lines: int
    modified_wall_seconds: float

    @property
    def last_seconds(self) -> float:
        """End of the last span, from the first reading."""
        return float(self.time_seconds[-1] or 0.0) if self.time_seconds else 0.0


def read_journal(path: Path) -> Journal:
    """Read one file. UnreadableError: not a journal of ours, or of a later version."""
    text, modified = read_regular_file(path)
    collecting = gc.isenabled()
    gc.disable()  # a million cells are made here and none is garbage: half of the time
    try:
        return _parse(path, text, modified)
    finally:
        if collecting:
            gc.enable()


def _parse(path: Path, text: bytes, modified: float) -> Journal:
    lines = text.split(b"\n")
    head = _loads(lines[0])
    if not isinstance(head, dict) or "jobwatt" not in head:
        raise UnreadableError(f"{path.name}: the first line is damaged or missing")
    if head["jobwatt"] != VERSION:
        raise UnreadableError(
            f"{path.name}: written in format {head['jobwatt']!r:.20}; this jobwatt reads {VERSION}"
        )
    devices = _devices(head)
    gpus = tuple(device for device in devices if device.kind == GPU)
    others = tuple(device for device in devices if device.kind != GPU)
    spans: list[dict[str, Any]] = []
    events: list[Mapping[str, Any]] = []
    end: str | None = None
    bad = 0
    for line in lines[1:]:
        if not line:
            continue
        data = _loads(line)
        if not isinstance(data, dict):
            bad += 1
        elif "d" in data:
            if _fits(data, len(gpus), len(others)):
                spans.append(data)
            else:
                bad += 1
        elif "event" in data:
            events.append(data)
        elif "end" in data:
            end = str(data["end"])[:40]
        else:
            bad += 1
    rows = _rows(spans, len(gpus), len(others))
    if rows is None:
        good = [span for span in spans if _rows([span], len(gpus), len(others)) is not None]
        bad += len(spans) - len(good)
        rows = _rows(good, len(gpus), len(others)) or []
    names = [_TIMES, *[GPU_COLUMNS] * len(gpus), *[POWER_COLUMNS] * len(others)]
    names += [STEP_COLUMNS, NODE_COLUMNS, SELF_COLUMNS]
    columns = [dict(zip(keys, part, strict=True)) for keys, part in zip(names, rows, strict=True)]
    times, step, node, own = columns[0], *columns[-3:]
    return Journal(
        path,
        head,
        gpus,
        others,
        times["time_seconds"],
        times["length_seconds"],
        times["wall_seconds"],
        gpu_columns=tuple(columns[1 : 1 + len(gpus)]),
        other_columns=tuple(columns[1 + len(gpus) : -3]),
        step_columns=step,
        node_columns=node,
        self_columns=own,
        events=tuple(events),
        end=end,
        bad_lines=bad,
        modified_wall_seconds=modified,
    )


def read_regular_file(path: Path) -> tuple[bytes, float]:
    """The file's bytes and time of change. Never blocks on a FIFO, never follows a link.

    UnreadableError: not a regular file, or not ours to read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise UnreadableError(f"{path.name}: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        os.close(descriptor)
        raise UnreadableError(f"{path.name}: not a journal file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            return file.read(MAX_FILE_BYTES), status.st_mtime
        except OSError as error:
            raise UnreadableError(f"{path.name}: {error.strerror}") from error


def _loads(line: bytes) -> Any:
    try:
        return _DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> float:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _devices(head: Mapping[str, Any]) -> list[Device]:
    """The head's devices, by name, so that a later field does not confuse an older reader."""
    devices = []
    rows = head.get("devices")
    for row in rows[:MAX_DEVICES] if isinstance(rows, list) else []:
        try:
            known = {key: value for key, value in row.items() if key in Device._fields}
            device = Device(**known)
        except (TypeError, AttributeError) as error:
            raise UnreadableError(f"the head's device list is damaged: {error}") from error
        if not _is_sound(device):
            raise UnreadableError(f"the head's device list is damaged: {row!s:.80}")
        devices.append(device)
    return devices


def _is_sound(device: Device) -> bool:
    """Whether all that the figures rest on has its type and is within its bounds."""
    fractions = (device.share, device.error_fraction)
    return all(isinstance(text, str) for text in device[:5]) and all(
        type(value) in (int, float) and 0 <= value <= 1 for value in fractions
    )


def _fits(span: Mapping[str, Any], gpus: int, others: int) -> bool:
    try:
        return (
            len(span["g"]) == gpus
            and len(span["p"]) == others
            and all(len(row) == len(GPU_COLUMNS) for row in span["g"])
            and all(len(row) == len(POWER_COLUMNS) for row in span["p"])
            and len(span["s"]) == len(STEP_COLUMNS)
            and len(span["n"]) == len(NODE_COLUMNS)
            and len(span["m"]) == len(SELF_COLUMNS)
            and 0 <= span["d"] < MAX_VALUE
            and 0 <= span["t"] < MAX_VALUE
            and 0 <= span["w"] < MAX_VALUE
        )
    except (KeyError, TypeError):
        return False


def _rows(
    spans: Sequence[Mapping[str, Any]], gpus: int, others: int
) -> list[list[Column]] | None:
    """Columns, in groups: times, each GPU, each other device, step, node, sampler.

    None if a cell is neither a plausible number nor null. By columns, since a day has a million
    cells; by type, since `true` is 1 to a comparison.
    """
    if not spans:
        lengths = [3, *[len(GPU_COLUMNS)] * gpus, *[len(POWER_COLUMNS)] * others]
        lengths += [len(STEP_COLUMNS), len(NODE_COLUMNS), len(SELF_COLUMNS)]
        return [[()] * length for length in lengths]
    try:
        groups = [[(span["t"], span["d"], span["w"]) for span in spans]]
        groups += [[span["g"][index] for span in spans] for index in range(gpus)]
        groups += [[span["p"][index] for span in spans] for index in range(others)]
        groups += [[span[name] for span in spans] for name in ("s", "n", "m")]
    except (KeyError, TypeError):
        return None
    rows: list[list[Column]] = [list(zip(*group, strict=True)) for group in groups]
    return rows if all(_are_numbers(column) for row in rows for column in row) else None


def _are_numbers(column: Column) -> bool:
    types = set(map(type, column))
    if not types <= {int, float, type(None)}:
        return False
    known = [value for value in column if value is not None] if type(None) in types else column
    return not known or (min(known) >= 0 and max(known) < MAX_VALUE)  # type: ignore[type-var,operator]
