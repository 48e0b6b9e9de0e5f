"""Journal files -> columns. Tolerates torn, foreign and hostile lines: they are counted."""

from __future__ import annotations

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
            flags = b"true" in line or b"false" in line
            if _fits(data, len(gpus), len(others)) and not (flags and _has_flag(data)):
                spans.append(data)
            else:
                bad += 1
        elif "event" in data:
            events.append(data)
        elif "end" in data:
            end = str(data["end"])[:40]
        else:
            bad += 1
    if not _all_numbers(spans):
        good = [span for span in spans if _all_numbers([span])]
        bad += len(spans) - len(good)
        spans = good
    return Journal(
        path,
        head,
        gpus,
        others,
        tuple(span["t"] for span in spans),
        tuple(span["d"] for span in spans),
        tuple(span["w"] for span in spans),
        tuple(_columns([s["g"][i] for s in spans], GPU_COLUMNS) for i in range(len(gpus))),
        tuple(_columns([s["p"][i] for s in spans], POWER_COLUMNS) for i in range(len(others))),
        _columns([span["s"] for span in spans], STEP_COLUMNS),
        _columns([span["n"] for span in spans], NODE_COLUMNS),
        _columns([span["m"] for span in spans], SELF_COLUMNS),
        tuple(events),
        end,
        bad,
        modified,
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
        return json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> float:
    raise ValueError(name)


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
            raise UnreadableError(f"the head's device list is damaged: {str(row):.80}")
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


def _all_numbers(spans: Sequence[Mapping[str, Any]]) -> bool:
    """Every cell a plausible number or null; by sets, since a day has a million cells."""
    cells: set[Any] = set()
    try:
        for span in spans:
            for row in (*span["g"], *span["p"], span["s"], span["n"], span["m"]):
                cells.update(row)
    except TypeError:
        return False
    cells.discard(None)
    return all(type(cell) in (int, float) and 0 <= cell < MAX_VALUE for cell in cells)


def _has_flag(span: Mapping[str, Any]) -> bool:
    """Whether a truth value stands for a number; a set takes `true` for 1."""
    rows = (*span["g"], *span["p"], span["s"], span["n"], span["m"])
    cells = [span["t"], span["d"], span["w"], *(cell for row in rows for cell in row)]
    return any(isinstance(cell, bool) for cell in cells)


def _columns(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> Mapping[str, Column]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return dict(zip(names, columns, strict=True))
