"""Times as people type them. Pure: now and the time zone's rules come in."""

from __future__ import annotations

import re
import time

from jobwatt.errors import UsageError

_AGO = re.compile(r"(?:now-)?([0-9]{1,6}) ?(w|d|h|m)((?<=w)eeks?|(?<=d)ays?|(?<=h)ours?|"
                  r"(?<=m)in(?:ute)?s?)?")  # fmt: skip
_UNIT_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0}
_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m",
            "%Y-%m-%d %H:%M:%S")  # fmt: skip


def parse_time(text: str, now_wall_seconds: float, option: str) -> float:
    """Unix seconds of `2026-11-25`, `2026-11-25T13:00`, `7d`, `12h`, `today`, `yesterday`, `now`.

    Dates are local, none is before 1970. UsageError names the option.
    """
    word = text.strip().lower()
    if word == "now":
        return now_wall_seconds
    if word in ("today", "yesterday"):
        local = time.localtime(now_wall_seconds)
        day = local.tm_mday - (word == "yesterday")
        return time.mktime((local.tm_year, local.tm_mon, day, 0, 0, 0, 0, 0, -1))
    ago = _AGO.fullmatch(word)
    if ago:
        return max(0.0, now_wall_seconds - int(ago[1]) * _UNIT_SECONDS[ago[2]])
    for form in _FORMATS:
        try:
            return max(0.0, time.mktime(time.strptime(text.strip(), form)))
        except (ValueError, OverflowError):
            continue
    raise UsageError(
        f"{option} {text!r:.40} is no time",
        "write 2026-11-25, 2026-11-25T13:00, 7d, 12h, today or yesterday",
    )
