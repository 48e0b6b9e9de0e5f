"""Settings: defaults, the site's file, the user's file, the environment; the later wins.

`KEYS` declares every setting once. A wrong key or value becomes one line in
`Settings.problems` and never an exception: a typing error must not cost anyone a job.
The sampler imports this module: standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from jobwatt import config_values as parse
from jobwatt.config_file import read_config
from jobwatt.config_values import SLURM_APIS, SOURCES, Environ, shown
from jobwatt.paths import fallback_directory

SITE_FILE = Path("/etc/jobwatt/config.toml")
MAX_PROBLEMS = 20
_NO_HOME = "no home directory"


class Settings(NamedTuple):
    """Every setting, checked. `load` fills it from `KEYS`, which says what each one means."""

    directory: Path
    tick_seconds: float = 1.0
    line_seconds: float = 10.0
    disable: bool = False
    quiet: bool = False
    shared_install: bool = False
    sys_root: Path = Path("/")
    nvml_library: str = ""
    disabled_sources: tuple[str, ...] = ()
    index_directory: str = ""
    full_days: float = 30.0
    minute_days: float = 365.0
    auto_compact: bool = True
    slurm_api: str = "auto"
    slurm_interval_seconds: float = 60.0
    problems: tuple[str, ...] = ()
    """One line for each wrong file, key or value, with what is used instead."""


class Key(NamedTuple):
    """Declaration of one setting."""

    name: str
    """Field of `Settings`."""
    variable: str
    """Environment variable."""
    path: str
    """`table.key` in a configuration file."""
    from_text: Callable[[str], object]
    """Text of the environment to a TOML value; ValueError says what it must be."""
    check: Callable[[object, Environ], object]
    """TOML value to the field's value; ValueError says what it must be."""
    default: object
    help: str


class Row(NamedTuple):
    """One setting as `jobwatt config` shows it."""

    key: str
    value: str
    origin: str
    """`default`, `FILE:table.key` or the environment variable's name."""
    help: str
    variable: str
    """Environment variable that overrides it."""


KEYS: tuple[Key, ...] = (
    Key("directory", "JOBWATT_DIR", "journal.directory", str, parse.path, "$XDG_STATE_HOME/jobwatt",
        "where journals are written; on a filesystem that all nodes share"),
    Key("tick_seconds", "JOBWATT_TICK_SECONDS", "journal.tick_seconds", parse.number_text,
        parse.seconds(0.1, 60), 1.0, "time between two readings of the meters, 0.1 to 60 s"),
    Key("line_seconds", "JOBWATT_LINE_SECONDS", "journal.line_seconds", parse.number_text,
        parse.seconds(1, 600), 10.0, "longest time that one journal line covers, 1 to 600 s"),
    Key("disable", "JOBWATT_DISABLE", "journal.disable", parse.flag_text, parse.flag, False,
        "measure nothing and write no journal"),
    Key("quiet", "JOBWATT_QUIET", "summary.quiet", parse.flag_text, parse.flag, False,
        "print no summary when a step ends"),
    Key("shared_install", "JOBWATT_SHARED_INSTALL", "site.shared_install", parse.flag_text,
        parse.flag, False, "jobwatt lies at the same path on every compute node"),
    Key("sys_root", "JOBWATT_SYS_ROOT", "sources.sys_root", str, parse.path, "/",
        "where /proc and /sys of the measured machine are"),
    Key("nvml_library", "JOBWATT_NVML_LIBRARY", "sources.nvml_library", str,
        parse.optional_path, "", "full path of libnvidia-ml.so.1 if the loader cannot find it"),
    Key("disabled_sources", "JOBWATT_DISABLED_SOURCES", "sources.disabled", parse.list_text,
        parse.sources, (), "power sources not to use: " + ", ".join(SOURCES)),
    Key("index_directory", "JOBWATT_INDEX_DIR", "history.index_directory", str,
        parse.optional_path, "", "where the index of past jobs lies, on a local disk; default: "
        "/var/tmp/jobwatt-<uid>"),
    Key("full_days", "JOBWATT_FULL_DAYS", "history.full_days", parse.number_text,
        parse.days(1, 36500), 30.0, "journals of ended jobs keep every line for so many days"),
    Key("minute_days", "JOBWATT_MINUTE_DAYS", "history.minute_days", parse.number_text,
        parse.days(1, 36500), 365.0,
        "then one line a minute up to this age; then the job's figures alone, for ever"),
    Key("auto_compact", "JOBWATT_AUTO_COMPACT", "history.auto_compact", parse.flag_text,
        parse.flag, True, "compact old journals in the background, at most once a day"),
    Key("slurm_api", "JOBWATT_SLURM_API", "slurm.api", str, parse.slurm_api, "auto",
        "how to ask Slurm: " + ", ".join(SLURM_APIS)),
    Key("slurm_interval_seconds", "JOBWATT_SLURM_INTERVAL_SECONDS", "slurm.interval_seconds",
        parse.number_text, parse.seconds(60, 86400), 60.0,
        "shortest time between two questions to Slurm, 60 s or more"),
)  # fmt: skip


def user_file(environ: Environ) -> Path | None:
    """The user's configuration file, whether it exists or not; None without a home."""
    try:
        return Path(parse.variable("XDG_CONFIG_HOME", environ)) / "jobwatt" / "config.toml"
    except ValueError:
        return None


def load(environ: Environ, site_file: Path = SITE_FILE) -> Settings:
    """Settings from all sources. Never raises: what is wrong is in `Settings.problems`."""
    values, _, problems = _resolve(environ, site_file)
    return Settings(**values, problems=problems)


def explain(environ: Environ, site_file: Path = SITE_FILE) -> list[Row]:
    """Every setting with its value, where that comes from, and its meaning."""
    values, origins, _ = _resolve(environ, site_file)
    return [
        Row(key.path, shown(values[key.name]), origins[key.name], key.help, key.variable)
        for key in KEYS
    ]


def _resolve(
    environ: Environ, site_file: Path
) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    """Values and origins by field name, and problem lines."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    wrong: list[tuple[str, Key | None]] = []

    def take(key: Key, value: object, origin: str) -> None:
        try:
            values[key.name] = key.check(value, environ)
            origins[key.name] = origin
        except ValueError as error:
            wrong.append((f"{origin} is {shown(value)}: {error}", key))

    for key in KEYS:
        take(key, key.default, "default")
    if "directory" not in values:
        wrong.clear()  # said below, unless another source names a directory
        values["directory"] = fallback_directory(os.getuid())
        origins["directory"] = _NO_HOME
    for file in (site_file, user_file(environ)):
        tables, problem = read_config(file) if file is not None else ({}, "")
        if problem:
            wrong.append((f"{shown(file)}: {problem}; the file is ignored", None))
        for key, value in _known(tables):
            take(key, value, f"{shown(file)}:{key.path}")
        unknown = islice(_unknown(tables), MAX_PROBLEMS + 1)
        wrong.extend((f"{shown(file)}: {line}", None) for line in unknown)
    for key in KEYS:
        text = environ.get(key.variable, "")
        if text:
            take(key, key.from_text(text), key.variable)
    if origins["directory"] == _NO_HOME:
        text = f"no home directory; using {shown(values['directory'])}; JOBWATT_DIR sets another"
        wrong.append((text, None))
    wrong.extend((line, None) for line in islice(_misspelt(environ), MAX_PROBLEMS + 1))
    # Said last, so that "using" names what is used after every source has spoken.
    lines = [
        f"{line}; using {shown(values[key.name])} ({origins[key.name]})" if key else line
        for line, key in wrong[:MAX_PROBLEMS]
    ]
    if len(wrong) > MAX_PROBLEMS:
        lines.append("there are more problems than these; correct these first")
    return values, origins, tuple(lines)


def _known(tables: Mapping[str, Any]) -> Iterator[tuple[Key, object]]:
    for key in KEYS:
        table, _, name = key.path.partition(".")
        values = tables.get(table)
        if isinstance(values, dict) and name in values:
            yield key, values[name]


def _unknown(tables: Mapping[str, Any]) -> Iterator[str]:
    """One line for each table and key that no `Key` declares."""
    names = {key.path.partition(".")[0] for key in KEYS}
    paths = {key.path for key in KEYS}
    for table, values in tables.items():
        if table not in names:
            kind = "table" if isinstance(values, dict) else "key"
            yield f"unknown {kind} {shown(table)}; ignored{_suggestion(table, names | paths)}"
        elif not isinstance(values, dict):
            yield f"{table} is {shown(values)}: must be a table ([{table}]); ignored"
        else:
            for name in values:
                path = f"{table}.{name}"
                if path not in paths:
                    yield f"unknown key {shown(path)}; ignored{_suggestion(path, paths)}"


def _misspelt(environ: Environ) -> Iterator[str]:
    """One line for each JOBWATT_ variable that looks like a known one; others are not ours."""
    known = {key.variable for key in KEYS}
    for name in sorted(environ):
        if name.startswith("JOBWATT_") and name not in known:
            suggestion = _suggestion(name, known)
            if suggestion:
                yield f"unknown variable {shown(name)}; ignored{suggestion}"


def _suggestion(text: str, known: Collection[str]) -> str:
    """` (did you mean X?)` for what is nearly a known name, else nothing."""
    from difflib import get_close_matches

    # Names share their beginnings (JOBWATT_, journal.): compare what tells them apart.
    endings = {name.replace("JOBWATT_", "").rpartition(".")[2].lower(): name for name in known}
    for key in KEYS:
        if key.path in known or key.variable in known:
            endings[key.name] = key.path if key.path in known else key.variable
    ending = text[:64].replace("JOBWATT_", "").rpartition(".")[2].lower()
    close = get_close_matches(ending, endings, n=1, cutoff=0.75)
    return f" (did you mean {endings[close[0]]}?)" if close else ""
