"""Answers of sacct and squeue cut into rows and fields, whatever job names hold. Pure.

A name or a submit line may hold newlines, and anything else that the delimiter does not. So a row
begins where a line begins with a job's raw id and the delimiter, and ends where the next begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

MAX_TEXT = 1000
"""Letters kept of one field: submit lines hold whole scripts (`sbatch --wrap`)."""


Row = Mapping[str, str]
_Made = TypeVar("_Made")


def read_rows(
    text: str, fields: Sequence[str], delimiter: str, make: Callable[[Row], _Made]
) -> tuple[list[_Made], int]:
    """What `make` makes of each row by field name, and how many rows could not be read.

    The first field is the job's raw id; the last one, where newlines are likeliest, the name.
    """
    made: list[_Made] = []
    bad = 0
    for chunk in _chunks(text, delimiter):
        parts = chunk.split(delimiter)
        if len(parts) < len(fields):
            bad += 1
            continue
        if len(parts) > len(fields):  # a row without an id follows, and has stuck to this one
            bad += 1
            parts[len(fields) - 1] = parts[len(fields) - 1].rpartition("\n")[0]
        values = (part[:MAX_TEXT] for part in parts)
        made.append(make(dict(zip(fields, values, strict=False))))
    return made, bad


def _chunks(text: str, delimiter: str) -> Iterator[str]:
    starts = [
        match.start()
        for match in re.finditer(rf"^[0-9]+(?={re.escape(delimiter)})", text, re.MULTILINE)
    ]
    head = text[: starts[0]] if starts else text
    if head.strip():
        yield head.replace(delimiter, "")  # too few fields: counted as one that cannot be read
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        yield text[start:end].removesuffix("\n")
