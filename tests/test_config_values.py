"""Every wrong value and name: one clear line, and everything else still counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.config import KEYS, explain, load
from jobwatt.config_values import SLURM_APIS, SOURCES


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "USER": "ada"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def only(problems: tuple[str, ...]) -> str:
    assert len(problems) == 1, problems
    assert "\n" not in problems[0]
    return problems[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~/j", "/home/ada/j"),
        ("~", "/home/ada"),
        ("$SCRATCH/j", "/scratch/ada/j"),
        ("/s/${USER}/j", "/s/ada/j"),
        ("$XDG_STATE_HOME/x", "/home/ada/.local/state/x"),
    ],
)
def test_paths_are_expanded(text: str, expected: str, site: Path) -> None:
    environ = {"HOME": "/home/ada", "USER": "ada", "SCRATCH": "/scratch/ada"}
    site.write_text(f'[journal]\ndirectory = "{text}"\n')
    settings = load(environ, site)
    assert settings.problems == ()
    assert settings.directory == Path(expected)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("directory = 'relative'", "absolute path"),
        ("directory = ''", "absolute path"),
        ("directory = '~other/x'", "absolute path"),
        ("directory = '$NO_SUCH/x'", "$NO_SUCH is not set"),
        ('directory = "/a\\u001bb"', "absolute path"),
        ("directory = 7", "path in quotes"),
        ("directory = ['/a']", "path in quotes"),
        ("tick_seconds = '1'", "number of seconds from 0.1 to 60"),
        ("tick_seconds = true", "number of seconds from 0.1 to 60"),
        ("tick_seconds = 0.05", "number of seconds from 0.1 to 60"),
        ("tick_seconds = 61", "number of seconds from 0.1 to 60"),
        ("tick_seconds = nan", "number of seconds from 0.1 to 60"),
        ("tick_seconds = inf", "number of seconds from 0.1 to 60"),
        ("tick_seconds = -1", "number of seconds from 0.1 to 60"),
        ("tick_seconds = 0x" + "F" * 5000, "number of seconds from 0.1 to 60"),
        ("tick_seconds = 2020-01-01", "number of seconds from 0.1 to 60"),
        ("tick_seconds = {a = 1}", "number of seconds from 0.1 to 60"),
        ("line_seconds = 0.5", "number of seconds from 1 to 600"),
        ("line_seconds = true", "number of seconds from 1 to 600"),
        ("line_seconds = 601", "number of seconds from 1 to 600"),
        ("disable = 1", "true or false"),
        ("disable = 'yes'", "true or false"),
    ],
)
def test_wrong_value_is_one_line_and_the_default(
    line: str, reason: str, environ: dict[str, str], site: Path
) -> None:
    site.write_text(f"[journal]\n{line}\n[summary]\nquiet = true\n")
    settings = load(environ, site)
    problem = only(settings.problems)
    assert problem.startswith(f"{site}:journal.{line.split()[0]} is ")
    assert reason in problem
    assert problem.endswith("(default)")
    assert problem.isprintable() and len(problem) < 500
    # Every other setting of that file still counts.
    default = load(environ, site.with_name("none"))
    assert settings._replace(problems=()) == default._replace(quiet=True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("full_days = 0.5", "number of days from 1 to 36500"),
        ("full_days = '30'", "number of days from 1 to 36500"),
        ("minute_days = nan", "number of days from 1 to 36500"),
        ("minute_days = 36501", "number of days from 1 to 36500"),
        ("auto_compact = 1", "true or false"),
        ("index_directory = 'relative'", "absolute path"),
        ("index_directory = 7", "path in quotes"),
    ],
)
def test_wrong_values_of_the_history(
    line: str, reason: str, environ: dict[str, str], site: Path
) -> None:
    site.write_text(f"[history]\n{line}\n")
    settings = load(environ, site)
    problem = only(settings.problems)
    assert reason in problem and problem.endswith("(default)")
    assert settings._replace(problems=()) == load(environ, site.with_name("none"))


def test_wrong_ways_to_ask_slurm(environ: dict[str, str], site: Path) -> None:
    for value in ('"sacct"', "1", '["auto"]', "{a = 1}"):
        site.write_text(f"[slurm]\napi = {value}\n")
        settings = load(environ, site)
        assert settings.slurm_api == "auto"
        assert all(name in only(settings.problems) for name in SLURM_APIS)
    site.write_text("[slurm]\ninterval_seconds = 59\n")
    settings = load(environ, site)
    assert settings.slurm_interval_seconds == 60.0
    assert "from 60 to 86400" in only(settings.problems)


@pytest.mark.parametrize("value", ['["nvlm"]', '"nvml"', "[1]", "[[]]", "true", "[{a = 1}]"])
def test_wrong_sources(value: str, environ: dict[str, str], site: Path) -> None:
    site.write_text(f"[sources]\ndisabled = {value}\n")
    settings = load(environ, site)
    assert settings.disabled_sources == ()
    assert all(name in only(settings.problems) for name in SOURCES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[attribution]\na = 1", "unknown table attribution; ignored"),
        ("[jurnal]\ntick_seconds = 1", "unknown table jurnal; ignored (did you mean journal?)"),
        (
            "[journal]\ntick_second = 1",
            "unknown key journal.tick_second; ignored (did you mean journal.tick_seconds?)",
        ),
        (
            "tick_seconds = 1",
            "unknown key tick_seconds; ignored (did you mean journal.tick_seconds?)",
        ),
        (
            "[sources]\ndisabled_sources = []",
            "unknown key sources.disabled_sources; ignored (did you mean sources.disabled?)",
        ),
        ("[journal]\ncolour = 1", "unknown key journal.colour; ignored"),
        ("journal = 3", "journal is 3: must be a table ([journal]); ignored"),
        ("[[journal]]\ntick_seconds = 2", "must be a table ([journal]); ignored"),
        ('"\\u001b[31m" = 1', "unknown key '\\x1b[31m'; ignored"),
    ],
)
def test_unknown_names_in_a_file(
    text: str, expected: str, environ: dict[str, str], site: Path
) -> None:
    site.write_text(text)
    settings = load(environ, site)
    problem = only(settings.problems)
    assert problem.startswith(f"{site}: ") and problem.endswith(expected)
    assert settings.tick_seconds == 1.0


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("JOBWATT_DISABEL", "JOBWATT_DISABLE"),
        ("JOBWATT_DISABLED", "JOBWATT_DISABLE"),
        ("JOBWATT_DIRECTORY", "JOBWATT_DIR"),
        ("JOBWATT_TICK_SECOND", "JOBWATT_TICK_SECONDS"),
        ("JOBWATT_DISABLE_SOURCES", "JOBWATT_DISABLED_SOURCES"),
        ("JOBWATT_DEMO", None),
        ("JOBWATT_HOME", None),
        ("JOBWATT_ROOT", None),
        ("JOBWATT_PYTHON", None),
        ("JOBWATT_", None),
        ("JOBWATCH_DISABLE", None),
    ],
)
def test_unknown_variables(
    variable: str, meant: str | None, environ: dict[str, str], site: Path
) -> None:
    problems = load({**environ, variable: "1"}, site).problems
    if meant is None:
        assert problems == ()
    else:
        assert only(problems) == f"unknown variable {variable}; ignored (did you mean {meant}?)"


def test_many_problems_are_cut(environ: dict[str, str], site: Path) -> None:
    site.write_text("[journal]\n" + "".join(f"tick_secs{n} = 1\n" for n in range(20_000)))
    problems = load(environ, site).problems
    assert len(problems) == 21 and "more problems" in problems[-1]


@given(
    st.dictionaries(
        st.sampled_from([key.variable for key in KEYS] + ["JOBWATT_X", "USER", "XDG_STATE_HOME"]),
        st.text(),
    )
)
def test_no_environment_raises(variables: dict[str, str]) -> None:
    environ = {**variables, "HOME": "/nonexistent"}
    settings = load(environ, Path("/nonexistent"))
    assert settings.directory.is_absolute() and settings.sys_root.is_absolute()
    assert 0.1 <= settings.tick_seconds <= 60 and 1 <= settings.line_seconds <= 600
    assert set(settings.disabled_sources) <= set(SOURCES)
    for line in settings.problems:
        assert line.isprintable() and len(line) < 1000
    for row in explain(environ, Path("/nonexistent")):
        assert row.value.isprintable()
