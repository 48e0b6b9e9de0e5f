"""Journal files -> columns. Tolerates torn, foreign and hostile lines: they are counted."""

from __future__ import annotations

import json
import os
import stat
import zlib
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
    TIME_COLUMNS,
    VERSION,
)
from jobwatt.sources.base import GPU, Device

MAX_FILE_BYTES = 512 << 20
MAX_DEVICES = 512
MAX_VALUE = 1e15
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 16

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
    read_bytes: int = 0
    """End of what was read: where to go on reading."""
    since_seconds: float | None = None
    """Where the lines begin, from the first reading; None: at the beginning."""

    @property
    def last_seconds(self) -> float:
        """End of the last span, from the first reading."""
        return float(self.time_seconds[-1] or 0.0) if self.time_seconds else 0.0


def read_journal(path: Path, since_bytes: int | None = None) -> Journal:
    """Read one file. UnreadableError: not a journal of ours, or of a later version.

    `since_bytes`: of a file that may still grow, the head and the lines from this place on (0, or
    a `Journal.read_bytes` of before); an unfinished last line is left for the next time.
    """
    text, modified = read_regular_file(path, since_bytes or 0)
    if path.name.endswith(".gz"):
        text = unpacked(text, path.name)
    if since_bytes is not None:
        text = text[: text.rfind(b"\n") + 1]
    lines = text.split(b"\n")
    head = loads(lines[0])
    if not isinstance(head, dict) or "jobwatt" not in head:
        raise UnreadableError(f"{path.name}: the first line is damaged or missing")
    if head["jobwatt"] != VERSION:
        raise UnreadableError(
            f"{path.name}: written in format {head['jobwatt']!r:.20}; this jobwatt reads {VERSION}"
        )
    devices = _devices(head)
    gpus = tuple(device for device in devices if device.kind == GPU)
    others = tuple(device for device in devices if device.kind != GPU)
    spans: list[bytes] = []
    events: list[Mapping[str, Any]] = []
    end: str | None = None
    bad = 0
    for line in lines[1:]:
        if line.startswith(b"["):
            spans.append(line)
        elif line:
            data = loads(line)
            if isinstance(data, dict) and "event" in data:
                events.append(data)
            elif isinstance(data, dict) and "end" in data:
                end = str(data["end"])[:40]
            else:
                bad += 1
    names = [TIME_COLUMNS, *[GPU_COLUMNS] * len(gpus), *[POWER_COLUMNS] * len(others)]
    names += [STEP_COLUMNS, NODE_COLUMNS, SELF_COLUMNS]
    width = sum(map(len, names))
    rows = _rows(spans, width)
    if rows is None:
        good = [row for line in spans for row in _rows([line], width) or ()]
        bad += len(spans) - len(good)
        rows = good
    cells = iter(zip(*rows, strict=True) if rows else ((),) * width)
    columns = [{name: next(cells) for name in group} for group in names]
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
        read_bytes=max(since_bytes or 0, len(lines[0]) + 1) + len(text) - len(lines[0]) - 1,
        since_seconds=_first_seconds(rows) if since_bytes else None,
    )


def _first_seconds(rows: Sequence[Sequence[float | None]]) -> float | None:
    """When the first span began."""
    return (rows[0][0] or 0.0) - (rows[0][1] or 0.0) if rows else None


def unpacked(packed: bytes, name: str) -> bytes:
    """The text of a `.jsonl.gz`. UnreadableError: damaged, or larger than a journal may be."""
    inflate = zlib.decompressobj(wbits=31)  # gzip
    try:
        text = inflate.decompress(packed, MAX_FILE_BYTES)
    except zlib.error as error:
        raise UnreadableError(f"{name}: damaged ({error})") from error
    if not inflate.eof:
        raise UnreadableError(f"{name}: damaged (cut off, or too large)")
    return text


def read_regular_file(path: Path, since_bytes: int = 0) -> tuple[bytes, float]:
    """The file's bytes and time of change. Never blocks on a FIFO, never follows a link.

    With `since_bytes`: its first line, then what follows this place.

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
            first = file.readline() if since_bytes else b""
            file.seek(max(since_bytes, len(first)))
            return first + file.read(MAX_FILE_BYTES), status.st_mtime
        except OSError as error:
            raise UnreadableError(f"{path.name}: {error.strerror}") from error


def loads(line: bytes) -> Any:
    """A line's JSON, without NaN and infinity; None where it is damaged."""
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


def _rows(lines: Sequence[bytes], width: int) -> Sequence[Sequence[float | None]] | None:
    """All spans at once. None if one of them is not `width` plain numbers or nulls.

    The text is checked, not the cells, of which a day has a million: with no character but these
    there is no text, truth value, sign or exponent, and with short numbers nothing is huge.
    """
    text = b",".join(lines)
    if (
        text.translate(None, b"0123456789.,nul[]")
        or text.count(b"[") != len(lines)
        or _LONG_NUMBER in text.translate(_AS_ZEROS)
    ):
        return None
    rows = loads(b"[" + text + b"]")
    if not isinstance(rows, list) or len(rows) != len(lines):
        return None
    sound = all(type(row) is list and len(row) == width for row in rows)
    times = (cell for row in rows for cell in row[: len(TIME_COLUMNS)]) if sound else ()
    return rows if sound and None not in times else None
