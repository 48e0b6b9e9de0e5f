"""Which tool wrote a file: by what is in it, whatever it is called. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from jobwatt.errors import UnreadableError
from jobwatt.history.imports import aipowermeter, aipowermeter_sample, codecarbon
from jobwatt.history.imports.common import Imported

KNOWN = "AIPowerMeter's power_metrics.json and CodeCarbon's emissions.csv"
_MAX_LOOKED_AT = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(
    content: bytes, zone: tzinfo | None = None, told: Mapping[str, Any] | None = None
) -> Imported:
    """What a file holds. `zone` and `told`: see `aipowermeter.parse`.

    UnreadableError: it is of neither tool, or there is no sound run in it.
    """
    lines = content.removeprefix(_BYTE_ORDER_MARK).splitlines()
    found = _parse(lines, zone, told)
    if not found.entries:
        left_out = f" ({found.left_out})" * bool(found.skipped)
        raise UnreadableError(f"no run of {found.tool} in it{left_out}")
    return found


def _parse(lines: Sequence[bytes], zone: tzinfo | None, told: Mapping[str, Any] | None) -> Imported:
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    header = lines[first].decode("utf-8", "replace") if lines else ""
    if codecarbon.is_of_tasks(header):
        raise UnreadableError(
            "CodeCarbon's file of single tasks", "import emissions.csv, which has their sum"
        )
    if codecarbon.is_header(header):
        rest = (line.decode("utf-8", "replace") for line in lines[first + 1 :])
        return codecarbon.parse(header, rest, zone)
    beginning = map(aipowermeter_sample.loads, lines[first : first + _MAX_LOOKED_AT])
    if any(map(aipowermeter_sample.is_sample, beginning)):
        return aipowermeter.parse(lines, zone, told)
    raise UnreadableError("of no tool that is known here", f"jobwatt import reads {KNOWN}")
