"""What a command says beside its result."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from jobwatt.views.clean import clean

MAX_COLUMNS = 400


def say(lines: Iterable[str]) -> None:
    """One line each on stderr. They may hold names of files, which anybody may choose."""
    for line in lines:
        sys.stderr.write(f"jobwatt: {clean(line, MAX_COLUMNS)}\n")
