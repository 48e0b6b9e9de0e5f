"""JSON Lines, CSV and Parquet: the same values, read back by what people read them with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.history.rows import JobRow
from jobwatt.views.parquet import write_parquet
from jobwatt.views.table_files import BATCH, csv_lines, json_lines, safe_text
from jobwatt.views.tables import JOBS, NESTED, TEXT, TIME, WHOLE, job_record
from tests.views.test_tables import FULL

pyarrow: Any = import_module("pyarrow")
parquet: Any = import_module("pyarrow.parquet")

BARE = JobRow("13")
WILD = JobRow(
    "14",
    name="=cmd|' /C calc'!A0\x1b[31m\u202e",
    command='a,"b"\nc;ü',
    metered_joules=float("nan"),
    gpu_joules=float("inf"),
    start_wall_seconds=1e14,
    gpu_models='{"=A": null}',
)
ROWS = (FULL, BARE, WILD)
KINDS = {column.name: column.kind for column in JOBS.columns}


def as_json(rows: tuple[JobRow, ...] = ROWS) -> list[dict[str, Any]]:
    text = b"".join(json_lines(JOBS, map(job_record, rows)))
    assert text.isascii() and b"\x1b" not in text
    return [json.loads(line) for line in text.decode().splitlines()]


def as_csv(rows: tuple[JobRow, ...] = ROWS) -> list[dict[str, str]]:
    text = b"".join(csv_lines(JOBS, map(job_record, rows))).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_json_lines_are_exact() -> None:
    full, bare, wild = as_json()
    assert full["days"] == {"2026-11-25": 7.0}
    assert full["gpu_models"] == {"A100": 9.0, "H100": None}
    assert full["start_utc"] == "2023-11-14T22:13:20.125Z"
    assert (wild["name"], wild["command"]) == (WILD.name, WILD.command)
    assert (wild["metered_joules"], wild["gpu_joules"]) == (None, None)
    assert (wild["start_wall_seconds"], wild["start_utc"]) == (1e14, None)
    assert {name for name, value in bare.items() if value is not None} == {
        "schema", "job", "shown_id", "outcome", "bad_lines",
    }  # fmt: skip
    assert list(full) == [column.name for column in JOBS.columns]


def test_csv_says_the_same() -> None:
    for told, cells in zip(as_json(), as_csv(), strict=True):
        for name, value in told.items():
            cell, kind = cells[name], KINDS[name]
            if value is None:
                assert cell == ""
            elif kind == NESTED:
                assert json.loads(cell) == value
            elif kind == TEXT:
                assert cell == safe_text(value)
            elif kind == TIME:
                assert cell == value
            else:
                assert float(cell) == value


def test_csv_holds_nothing_that_a_terminal_or_a_spreadsheet_acts_on() -> None:
    wild = as_csv()[2]
    assert wild["name"] == "'=cmd|' /C calc'!A0"
    assert wild["command"] == 'a,"b" c;ü'
    text = b"".join(csv_lines(JOBS, [job_record(WILD)])).decode()
    assert len(text.splitlines()) == 2
    assert not [letter for letter in text if letter != "\n" and ord(letter) < 32]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_begins_like_a_formula_does_not(start: str) -> None:
    assert safe_text(f"{start}1+1") == f"'{start}1+1"
    assert safe_text(f"\t{start}1+1") == f"'{start}1+1"
    assert safe_text(f"a{start}1") == f"a{start}1"


@given(st.text(max_size=60))
def test_any_text_is_safe(text: str) -> None:
    safe = safe_text(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert all(letter.isprintable() for letter in safe)
    if text.isascii() and text.isalnum():
        assert safe == text


def test_parquet_has_types_and_equal_values(tmp_path: Path) -> None:
    path = tmp_path / "jobs.parquet"
    with path.open("wb") as file:
        write_parquet(JOBS, map(job_record, ROWS), file)
    table = parquet.read_table(path)
    types = {
        TEXT: pyarrow.string(), NESTED: pyarrow.string(), WHOLE: pyarrow.int64(),
        TIME: pyarrow.timestamp("ms", tz="UTC"),
    }  # fmt: skip
    for field in table.schema:
        assert field.type == types.get(KINDS[field.name], pyarrow.float64())
    assert table.schema.metadata[b"jobwatt.schema"] == b"1"
    for told, found in zip(as_json(), table.to_pylist(), strict=True):
        for name, value in told.items():
            if value is not None and KINDS[name] == NESTED:
                assert json.loads(found[name]) == value
            elif value is not None and KINDS[name] == TIME:
                when = datetime.fromisoformat(value.replace("Z", "+00:00"))
                assert found[name] == when and found[name].utcoffset() == when.utcoffset()
            else:
                assert found[name] == value


def test_parquet_of_what_no_utf8_and_no_64_bits_hold(tmp_path: Path) -> None:
    row = JobRow("1", name="a\ud800b", memory_bytes=1 << 70)
    path = tmp_path / "jobs.parquet"
    with path.open("wb") as file:
        write_parquet(JOBS, [job_record(row)], file)
    (found,) = parquet.read_table(path).to_pylist()
    assert (found["name"], found["memory_bytes"]) == ("a?b", None)


def test_no_records(tmp_path: Path) -> None:
    path = tmp_path / "jobs.parquet"
    with path.open("wb") as file:
        write_parquet(JOBS, [], file)
    table = parquet.read_table(path)
    assert (table.num_rows, table.num_columns) == (0, len(JOBS.columns))
    assert as_json(()) == [] and as_csv(()) == []
    assert b"".join(csv_lines(JOBS, [])).startswith(b"schema,job,")


@pytest.mark.parametrize("lines", [json_lines, csv_lines])
def test_records_are_written_as_they_come(lines: Any) -> None:
    """From a source without an end: no more is taken than a batch or two."""
    taken = 0

    def endless() -> Iterator[Any]:
        nonlocal taken
        for number in count():
            taken += 1
            yield job_record(JobRow(str(number)))

    pieces = list(islice(lines(JOBS, endless()), 3))
    assert sum(piece.count(b"\n") for piece in pieces) >= 2 * BATCH
    assert taken <= 3 * BATCH


def test_now_is_utc() -> None:
    (told,) = as_json((JobRow("1", start_wall_seconds=datetime.now().timestamp()),))
    when = datetime.fromisoformat(told["start_utc"].replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - when).total_seconds()) < 60
