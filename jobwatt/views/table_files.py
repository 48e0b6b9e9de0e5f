"""Records of a table as JSON Lines or CSV, one after the other, however many there are.

JSON Lines hold what the history holds, in ASCII with escapes, so that no terminal acts on a name.
CSV is what spreadsheets open: control characters are left out of texts, and a text that begins
like a formula (`=`, `+`, `-` or `@`) gets an apostrophe in front, since some run it.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from jobwatt.views.clean import clean
from jobwatt.views.tables import NESTED, TEXT, TIME, Column, Record, Table, iso

BATCH = 2000
"""Records that are held at a time."""
MAX_CELL_COLUMNS = 32_000
"""A spreadsheet's cell holds 32,767 letters."""
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first ones in full width, which Japanese spreadsheets take too."""


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """`BATCH` of them at a time; none at all for no records."""
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def json_lines(table: Table, records: Iterable[Record]) -> Iterator[bytes]:
    """One object a line, null for unknown."""
    names = [column.name for column in table.columns]
    kinds = [column.kind for column in table.columns]
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    for batch in batches(records):
        lines = [
            encode(dict(zip(names, map(_json, kinds, record), strict=True))) for record in batch
        ]
        yield ("\n".join(lines) + "\n").encode()


def csv_lines(table: Table, records: Iterable[Record]) -> Iterator[bytes]:
    """Names first, then a line per record; an empty cell for unknown. UTF-8."""
    kinds = [column.kind for column in table.columns]
    yield _csv([[column.name for column in table.columns]])
    for batch in batches(records):
        yield _csv([list(map(_cell, kinds, record)) for record in batch])


def flat(column: Column, value: Any) -> Any:
    """The value where there are no objects: an object as its text."""
    if column.kind == NESTED and value is not None:
        return json.dumps(value, separators=(",", ":"))
    return finite(value)


def finite(value: Any) -> Any:
    """NaN and infinity are unknown."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == TIME:
        return iso(value)
    if kind == NESTED:
        return value
    return finite(value)


def _cell(kind: str, value: Any) -> Any:
    if value is None:
        return ""
    if kind == TEXT:
        return safe_text(value)
    if kind == TIME:
        return iso(value) or ""
    if kind == NESTED:
        return safe_text(json.dumps(value, separators=(",", ":")))
    number = finite(value)
    return "" if number is None else number


@lru_cache(maxsize=4096)  # the same few users, partitions and states stand in all lines
def safe_text(text: str) -> str:
    """A text that neither a terminal nor a spreadsheet takes for anything else."""
    if not (text.isascii() and text.isprintable()):
        text = clean(text, MAX_CELL_COLUMNS)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
