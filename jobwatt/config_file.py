"""Read one configuration file without ever raising, blocking or hanging.

The sampler reads it inside a job, so nothing that lies at that path may hold it up: no FIFO,
device, endless file or text that the TOML parser takes minutes for.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any, NamedTuple

MAX_FILE_BYTES = 1 << 20
MAX_DOTS_PER_LINE = 128
"""The parser's time grows with the square of a dotted key's parts: 20,000 take 8 s."""


class ConfigFile(NamedTuple):
    """What one file says; no tables when it is missing or unusable."""

    tables: dict[str, Any]
    problem: str = ""
    """Why the whole file is ignored; empty when it was read, or does not exist."""


def read_config(path: Path) -> ConfigFile:
    """Tables of the TOML file at `path`. A missing file is empty and no problem."""
    try:
        data = _read_regular_file(path)
        if data is None:
            return ConfigFile({})
        return ConfigFile(_parse(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        return ConfigFile({}, f"not UTF-8 at byte {error.start}")
    except OSError as error:
        return ConfigFile({}, f"cannot be read ({os.strerror(error.errno or errno.EIO)})")
    except RecursionError:
        return ConfigFile({}, "nested too deeply")
    except ValueError as error:
        return ConfigFile({}, " ".join(str(error).split())[:200])


def _read_regular_file(path: Path) -> bytes | None:
    """Bytes of a regular file, None when there is none; ValueError or OSError says why not."""
    try:
        # O_NONBLOCK: a FIFO opens at once and is then refused by its type.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        data = bytearray()
        while len(data) <= MAX_FILE_BYTES:
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return bytes(data)
            data += chunk
    finally:
        os.close(descriptor)
    raise ValueError(f"larger than {MAX_FILE_BYTES >> 20} MiB")


def _parse(text: str) -> dict[str, Any]:
    """TOML tables of `text`. ValueError: not TOML, or this Python cannot parse TOML."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS_PER_LINE:
            raise ValueError(f"line {number} has more than {MAX_DOTS_PER_LINE} dots")
    try:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
    except ImportError:
        raise ValueError("Python 3.10 needs the package tomli to read it") from None
    tables: dict[str, Any] = tomllib.loads(text)
    return tables
