"""Settings: the order of their sources, defaults, and where each value comes from."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from jobwatt.config import KEYS, Settings, explain, load, user_file

GOOD = """
[journal]
directory = "/data/journals"
tick_seconds = 2
line_seconds = 20.5
disable = true
[summary]
quiet = true
[site]
shared_install = true
[sources]
disabled = ["perf", "hwmon", "perf"]
nvml_library = "/opt/nvidia/libnvidia-ml.so.1"
sys_root = "/host"
[history]
index_directory = "/local/ada"
full_days = 7
minute_days = 90.5
auto_compact = false
[slurm]
api = "commands"
interval_seconds = 300
"""
GOOD_SETTINGS = Settings(
    directory=Path("/data/journals"),
    tick_seconds=2.0,
    line_seconds=20.5,
    disable=True,
    quiet=True,
    shared_install=True,
    sys_root=Path("/host"),
    nvml_library="/opt/nvidia/libnvidia-ml.so.1",
    disabled_sources=("perf", "hwmon"),
    index_directory="/local/ada",
    full_days=7.0,
    minute_days=90.5,
    auto_compact=False,
    slurm_api="commands",
    slurm_interval_seconds=300.0,
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "USER": "ada"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def write_user(environ: dict[str, str], text: str) -> Path:
    path = user_file(environ)
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def only(problems: tuple[str, ...]) -> str:
    assert len(problems) == 1, problems
    assert "\n" not in problems[0]
    return problems[0]


def test_defaults(environ: dict[str, str], site: Path) -> None:
    expected = Settings(directory=Path(environ["HOME"]) / ".local/state/jobwatt")
    assert load(environ, site) == expected


def test_keys_declare_every_field_once() -> None:
    assert [key.name for key in KEYS] == [name for name in Settings._fields if name != "problems"]
    assert len({key.variable for key in KEYS}) == len({key.path for key in KEYS}) == len(KEYS)
    assert set(get_type_hints(Settings)) == set(Settings._fields)
    for key in KEYS[1:]:
        assert Settings._field_defaults[key.name] == key.check(key.default, {})


@pytest.mark.parametrize("which", ["site", "user"])
def test_every_key_in_a_file(which: str, environ: dict[str, str], site: Path) -> None:
    if which == "site":
        site.write_text(GOOD)
    else:
        write_user(environ, GOOD)
    assert load(environ, site) == GOOD_SETTINGS


def test_every_key_in_the_environment(site: Path) -> None:
    environ = {
        "HOME": "/home/ada",
        "JOBWATT_DIR": "/data/journals",
        "JOBWATT_TICK_SECONDS": "2",
        "JOBWATT_LINE_SECONDS": "20.5",
        "JOBWATT_DISABLE": "1",
        "JOBWATT_QUIET": "Yes",
        "JOBWATT_SHARED_INSTALL": " on ",
        "JOBWATT_SYS_ROOT": "/host",
        "JOBWATT_NVML_LIBRARY": "/opt/nvidia/libnvidia-ml.so.1",
        "JOBWATT_DISABLED_SOURCES": "perf, hwmon",
        "JOBWATT_INDEX_DIR": "/local/ada",
        "JOBWATT_FULL_DAYS": "7",
        "JOBWATT_MINUTE_DAYS": "90.5",
        "JOBWATT_AUTO_COMPACT": "no",
        "JOBWATT_SLURM_API": "commands",
        "JOBWATT_SLURM_INTERVAL_SECONDS": "3e2",
    }
    assert set(environ) == {"HOME", *(key.variable for key in KEYS)}
    assert load(environ, site) == GOOD_SETTINGS


def test_later_source_wins_key_by_key(environ: dict[str, str], site: Path) -> None:
    site.write_text("[journal]\ntick_seconds = 2\nline_seconds = 20\n[summary]\nquiet = true\n")
    user = write_user(environ, "[journal]\ntick_seconds = 3\n[summary]\nquiet = false\n")
    environ["JOBWATT_TICK_SECONDS"] = "4"
    settings = load(environ, site)
    assert (settings.tick_seconds, settings.line_seconds, settings.quiet) == (4.0, 20.0, False)
    rows = {row.key: row for row in explain(environ, site)}
    assert rows["journal.tick_seconds"].origin == "JOBWATT_TICK_SECONDS"
    assert rows["journal.line_seconds"].origin == f"{site}:journal.line_seconds"
    assert rows["summary.quiet"].origin == f"{user}:summary.quiet"
    assert rows["sources.disabled"].origin == "default"
    assert rows["summary.quiet"].value == "false"
    assert all(row.help and row.value for row in rows.values())
    assert list(rows) == [key.path for key in KEYS]


def test_environment_can_switch_off_what_a_file_switched_on(
    environ: dict[str, str], site: Path
) -> None:
    site.write_text("[journal]\ndisable = true\n")
    assert load({**environ, "JOBWATT_DISABLE": "0"}, site).disable is False
    assert load({**environ, "JOBWATT_DISABLE": ""}, site).disable is True  # empty is unset


def test_xdg_directories_are_honoured_when_absolute(tmp_path: Path, site: Path) -> None:
    environ = {
        "HOME": "/home/ada",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": "/state",
    }
    write_user(environ, "[journal]\ntick_seconds = 3\n")
    assert (tmp_path / "config/jobwatt/config.toml").exists()
    assert load(environ, site)[:2] == (Path("/state/jobwatt"), 3.0)
    relative = {"HOME": "/home/ada", "XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "s"}
    assert user_file(relative) == Path("/home/ada/.config/jobwatt/config.toml")
    assert load(relative, site).directory == Path("/home/ada/.local/state/jobwatt")


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_home_from_the_user_database(home: dict[str, str], site: Path) -> None:
    expected = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".local/state/jobwatt"
    assert load(home, site).directory == expected


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user who does not exist")
def test_user_without_home_gets_the_fallback_directory() -> None:
    script = (
        "import os; from jobwatt.config import load, user_file; os.setuid(54321)\n"
        "s = load({}); t = load({'JOBWATT_DIR': '/d'})\n"
        "print(user_file({}), s.directory, *s.problems, t.directory, t.problems, sep='|')"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    fallback = "/var/tmp/jobwatt-54321"
    line = f"no home directory; using {fallback}; JOBWATT_DIR sets another"
    assert done.stdout.strip() == f"None|{fallback}|{line}|/d|()"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("JOBWATT_DIR", "relative"),
        ("JOBWATT_DIR", "/a\nb"),
        ("JOBWATT_TICK_SECONDS", "fast"),
        ("JOBWATT_TICK_SECONDS", "nan"),
        ("JOBWATT_LINE_SECONDS", "1e999"),
        ("JOBWATT_DISABLE", "maybe"),
        ("JOBWATT_QUIET", "2"),
        ("JOBWATT_NVML_LIBRARY", "libnvidia-ml.so.1"),
        ("JOBWATT_SYS_ROOT", "host"),
        ("JOBWATT_DISABLED_SOURCES", "gpu"),
    ],
)
def test_wrong_variable_keeps_the_files_value(
    variable: str, text: str, environ: dict[str, str], site: Path
) -> None:
    site.write_text(GOOD)
    settings = load({**environ, variable: text}, site)
    problem = only(settings.problems)
    assert problem.startswith(f"{variable} is ")
    key = next(key for key in KEYS if key.variable == variable)
    assert problem.endswith(f"({site}:{key.path})")
    assert settings._replace(problems=()) == GOOD_SETTINGS


def test_problem_names_what_is_used_in_the_end(environ: dict[str, str], site: Path) -> None:
    site.write_text("[journal]\ntick_seconds = 'fast'\n")
    environ["JOBWATT_TICK_SECONDS"] = "5"
    assert only(load(environ, site).problems).endswith("using 5.0 (JOBWATT_TICK_SECONDS)")


def test_imports_little_when_there_is_no_file() -> None:
    script = (
        "import sys; from pathlib import Path; import jobwatt.config as c\n"
        "c.load({'HOME': '/nonexistent'}, Path('/nonexistent'))\n"
        "print(*sorted({'tomllib', 'tomli', 'dataclasses', 'difflib', 'pwd'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == ""
