"""What the parsers of other tools' files share: what an import holds, numbers, devices, rows. Pure.

Nobody can tell afterwards how another tool came by its figures, so all of them are `estimated`,
without an error band, and never part of a metered total.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from jobwatt.history.measured import with_account
from jobwatt.history.rows import IMPORTED, JobRow
from jobwatt.model import ESTIMATED, Account, DeviceEnergy, Energy, NodeUse
from jobwatt.sources.base import ESTIMATE

MAX_POWER_WATTS = 1e6
"""More than any one machine draws: such a figure is damaged."""
MAX_DURATION_SECONDS = 10 * 366 * 86400.0
MAX_TEXT_LETTERS = 200
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_ID_LETTERS = 12
_UNTOLD = (None, None, None, None, None, 0.0, 0, 0)
"""What no other tool's file says of its node, and what measuring cost here: nothing."""

_PLURAL = re.compile(r"(?<=row|ine|ing)s\b")
"""Of the rows, lines or recordings that reasons count."""

Entry = tuple[JobRow, Account]


class Imported(NamedTuple):
    """What a file holds."""

    tool: str
    entries: tuple[Entry, ...]
    skipped: Mapping[str, int]
    """How often what was left out, by reason: `damaged lines`."""

    @property
    def estimated_joules(self) -> float | None:
        """Sum over the runs; None if there is none."""
        known = [r.estimated_joules for r, _ in self.entries if r.estimated_joules is not None]
        return sum(known) if known else None

    @property
    def left_out(self) -> str:
        """`1 damaged row, 2 recordings without energy`; empty: nothing was left out."""
        return ", ".join(
            f"{count} {_PLURAL.sub('', reason, 1) if count == 1 else reason}"
            for reason, count in self.skipped.items()
        )


class Refused(ValueError):
    """A line or row that is not sound; the message is the reason, as it is counted."""


def number(value: Any, most: float, least: float = 0.0) -> float:
    """A plain number within its bounds, from JSON or from a cell's text. Refused: it is not."""
    if isinstance(value, str):
        try:
            value = float(value) if "_" not in value else None
        except ValueError:
            value = None
    if type(value) not in (int, float) or not least <= value <= most:
        raise Refused("rows with a value that cannot be")
    return float(value)


def local_time(text: Any, zone: tzinfo | None) -> float:
    """Unix seconds of an ISO time; without an offset it is of `zone` (None: this machine's).

    Both tools write the clock of the machine they ran on and not its zone. Refused: no such time.
    """
    try:
        when = datetime.fromisoformat(text)
        if not _FIRST_YEAR <= when.year <= _LAST_YEAR:
            raise ValueError
        return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused("rows without a sound time") from error


def text_of(value: Any) -> str:
    """A name from the file, not longer than a name is; empty where it is none."""
    return value[:MAX_TEXT_LETTERS] if isinstance(value, str) else ""


def stable_id(prefix: str, *identity: str) -> str:
    """A job id that the same run gets at every import."""
    digest = hashlib.sha256("\0".join(identity).encode("utf-8", "replace")).hexdigest()
    return f"{prefix}-{digest[:_ID_LETTERS]}"


def estimated_device(
    kind: str,
    device_id: str,
    name: str,
    source: str,
    joules: float,
    covered_seconds: float,
    held_seconds: float,
    **more: Any,
) -> DeviceEnergy:
    """A device of another tool's file. `more`: further fields of DeviceEnergy."""
    return DeviceEnergy(
        node=more.pop("node", ""),
        device_kind=kind,
        device_id=device_id,
        name=name,
        source=source,
        method=ESTIMATE,
        energy=Energy(joules, ESTIMATED),
        covered_seconds=covered_seconds,
        held_seconds=held_seconds,
        power_mean_watts=joules / covered_seconds if covered_seconds > 0 else None,
        **more,
    )


def entry(
    job: str,
    origin: str,
    times: tuple[float, float, float],
    coverage: float | None,
    devices: Sequence[DeviceEnergy],
    details: Mapping[str, Any],
    problems: Sequence[str],
    **known: Any,
) -> Entry:
    """A run as row and account. `times`: its start and end (Unix seconds) and how long it ran.

    `known`: fields of JobRow. Empty details are left out.
    """
    start, end, seconds = times
    account = Account(
        job=job,
        step="",
        restart=0,
        cluster="",
        start_wall_seconds=start,
        duration_seconds=seconds,
        running=False,
        coverage=coverage,
        nodes=(NodeUse(devices[0].node if devices else "", *_UNTOLD),),
        devices=tuple(devices),
        problems=tuple(problems),
        details=tuple((key, str(told)) for key, told in details.items() if told not in ("", None)),
    )
    row = JobRow(
        job,
        start_wall_seconds=start,
        end_wall_seconds=end,
        elapsed_seconds=end - start,
        nodes=1,
        **known,
    )
    # `seen` is the end and not now, so that the same file gives the same row at every import.
    row = with_account(row, account, {}, end)._replace(origin=f"{IMPORTED}: {origin}", steps=None)
    return row, account
