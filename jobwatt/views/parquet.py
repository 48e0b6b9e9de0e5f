"""Records of a table as Parquet, with typed columns. Needs pyarrow (`jobwatt[parquet]`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any, BinaryIO

from jobwatt.errors import UsageError
from jobwatt.views.table_files import batches, flat
from jobwatt.views.tables import (
    NUMBER,
    SCHEMA,
    TIME,
    WHOLE,
    Column,
    Record,
    Table,
    whole_milliseconds,
)


def need_pyarrow() -> Any:
    """The library. UsageError: it is not installed."""
    try:
        import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed here",
            f"{sys.executable} -m pip install 'jobwatt[parquet]'; CSV and JSON Lines need nothing",
        ) from error
    return import_module("pyarrow")


def write_parquet(table: Table, records: Iterable[Record], file: BinaryIO) -> None:
    """All records, a batch at a time. Without records: a file with columns and no rows."""
    arrow = need_pyarrow()
    types = [_type(arrow, column) for column in table.columns]
    names = [column.name for column in table.columns]
    schema = arrow.schema(
        list(map(arrow.field, names, types)),
        metadata={"jobwatt.table": table.name, "jobwatt.schema": str(SCHEMA)},
    )
    with arrow.parquet.ParquetWriter(file, schema) as writer:
        for batch in batches(records):
            columns = zip(*batch, strict=True)
            arrays = [
                arrow.array([_value(column, value) for value in values], type_)
                for column, values, type_ in zip(table.columns, columns, types, strict=True)
            ]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))


def _type(arrow: Any, column: Column) -> Any:
    if column.kind == WHOLE:
        return arrow.int64()
    if column.kind == NUMBER:
        return arrow.float64()
    if column.kind == TIME:
        return arrow.timestamp("ms", tz="UTC")
    return arrow.string()


def _value(column: Column, value: Any) -> Any:
    value = flat(column, value)
    if value is None:
        return None
    if column.kind == TIME:
        return whole_milliseconds(value)
    if isinstance(value, str):  # a half of a surrogate pair is no UTF-8
        return value.encode("utf-8", "replace").decode()
    if column.kind == WHOLE and not -(1 << 63) <= value < 1 << 63:
        return None
    return float(value) if column.kind == NUMBER else value
