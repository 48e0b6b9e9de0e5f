"""Parsers of single settings: text or TOML value in, checked value out, or ValueError.

Every ValueError's text completes the sentence "KEY is VALUE: …". The sampler imports this
module: standard library only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

SOURCES = ("nvml", "powercap", "perf", "hwmon", "pm_counters", "estimate")
SLURM_APIS = ("auto", "commands", "pyslurm", "none")

Environ = Mapping[str, str]


def user_name_or_home(index: int) -> str:
    """Field `index` of this user's line in the user database; ValueError if there is none."""
    import pwd  # may ask a directory server: only where the environment does not say

    try:
        return str(pwd.getpwuid(os.getuid())[index])
    except KeyError:
        raise ValueError(f"user {os.getuid()} is not in the user database") from None


def variable(name: str, environ: Environ) -> str:
    """Value of an environment variable, with the usual defaults; ValueError if there is none."""
    value = environ.get(name, "")
    # The XDG specification has relative directories ignored; a relative home is as useless.
    if value and (value.startswith("/") or not (name.startswith("XDG_") or name == "HOME")):
        return value
    if name == "HOME":
        return user_name_or_home(5)
    if name == "USER":
        return user_name_or_home(0)
    if name == "XDG_STATE_HOME":
        return variable("HOME", environ).rstrip("/") + "/.local/state"
    if name == "XDG_CONFIG_HOME":
        return variable("HOME", environ).rstrip("/") + "/.config"
    raise ValueError(f"${name} is not set")


def _path_text(value: object, environ: Environ) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a path in quotes")
    if value == "~" or value.startswith("~/"):
        value = "$HOME" + value[1:]
    text = re.sub(
        r"\$(?:\{(\w+)\}|(\w+))", lambda match: variable(match[1] or match[2], environ), value
    )
    if not text.startswith("/") or any(ord(letter) < 32 or letter == "\x7f" for letter in text):
        raise ValueError("must be an absolute path")
    return text


def path(value: object, environ: Environ) -> Path:
    """An absolute path; `~`, `$NAME` and `${NAME}` are replaced."""
    return Path(_path_text(value, environ))


def optional_path(value: object, environ: Environ) -> str:
    """Text of an absolute path, as in `path`, or nothing."""
    return _path_text(value, environ) if value != "" else ""


def seconds(low: float, high: float) -> Callable[[object, Environ], float]:
    """Check for a time from `low` to `high` seconds."""
    return _number_of("seconds", low, high)


def days(low: float, high: float) -> Callable[[object, Environ], float]:
    """Check for a time from `low` to `high` days."""
    return _number_of("days", low, high)


def _number_of(unit: str, low: float, high: float) -> Callable[[object, Environ], float]:
    def check(value: object, _: Environ) -> float:
        # Compared before float(): an integer may be too large for a float. NaN fails both.
        if isinstance(value, int | float) and value is not True and low <= value <= high:
            return float(value)
        raise ValueError(f"must be a number of {unit} from {low:g} to {high:g}")

    return check


def number_text(text: str) -> object:
    """The number that `text` is, else `text` itself for the check to refuse."""
    try:
        return float(text)
    except ValueError:
        return text


def flag(value: object, _: Environ) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false")


def flag_text(text: str) -> object:
    """1, true, yes, on and their opposites; else `text` for the check to refuse."""
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    return words.get(text.strip().lower(), text)


def sources(value: object, _: Environ) -> tuple[str, ...]:
    """Names of power sources, each once."""
    if isinstance(value, list | tuple) and all(name in SOURCES for name in value):
        return tuple(dict.fromkeys(value))
    raise ValueError(f"must be a list of: {', '.join(SOURCES)}")


def slurm_api(value: object, _: Environ) -> str:
    """Name of a way to ask Slurm."""
    if value in SLURM_APIS:
        return str(value)
    raise ValueError(f"must be one of: {', '.join(SLURM_APIS)}")


def list_text(text: str) -> object:
    """Words between commas or spaces."""
    return text.replace(",", " ").split()


def shown(value: object) -> str:
    """A value for people on one short line, whatever it holds."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        if not all(isinstance(item, str) for item in value):
            return "a list"
        value = ", ".join(value) or "none"
    if isinstance(value, int) and abs(value) > 1 << 63:
        return "a huge number"
    text = value if isinstance(value, str) else str(value)
    text = text if text.isprintable() and text else repr(text)
    return text if len(text) <= 200 else text[:199] + "…"
