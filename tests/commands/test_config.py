"""`jobwatt config` and the command line as a whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobwatt.config import KEYS
from tests.commands.machine import Machine, on_terminal
from tests.hardware.power import Constant
from tests.hardware.powercap import PowercapTree, package


def test_each_setting_with_value_origin_variable_and_meaning(machine: Machine) -> None:
    file = machine.home / ".config/jobwatt/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[journal]\nline_seconds = 20\n")
    result = machine.run("config", environ={"JOBWATT_TICK_SECONDS": "2"})
    assert (result.returncode, result.stderr) == (0, "")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()[1:]}
    assert set(lines) == {key.path for key in KEYS}
    for key in KEYS:
        assert key.variable in lines[key.path]
        assert key.help.split()[0] in lines[key.path]
    assert re.search(r" 2\.0 +JOBWATT_TICK_SECONDS ", lines["journal.tick_seconds"])
    assert re.search(rf" 20\.0 +{file}:journal\.line_seconds ", lines["journal.line_seconds"])
    assert re.search(r" false +default ", lines["summary.quiet"])


def test_problems_go_to_stderr(machine: Machine) -> None:
    result = machine.run("config", environ={"JOBWATT_LINE_SECONDS": "abc", "JOBWATT_QUITE": "1"})
    assert result.returncode == 0
    said = result.stderr.splitlines()
    assert len(said) == 2 and all(line.startswith("jobwatt: ") for line in said)
    assert "JOBWATT_LINE_SECONDS is abc" in said[0]
    assert "did you mean JOBWATT_QUIET?" in said[1]
    assert "abc" not in result.stdout


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_config_fits_the_terminal(machine: Machine, columns: int) -> None:
    # Values are never cut, so they must be short here.
    short = {"JOBWATT_DIR": "/short", "JOBWATT_SYS_ROOT": "/", "JOBWATT_NVML_LIBRARY": ""}
    text = on_terminal(machine, columns, "config", **short)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(len(line) for line in plain.splitlines()) <= columns
    for key in KEYS:
        assert key.path in plain and key.variable in plain


@pytest.mark.parametrize("columns", [80, 200])
def test_doctor_fits_the_terminal(machine: Machine, columns: int) -> None:
    text = on_terminal(
        machine, columns, "doctor", "--load-seconds", "0", NO_COLOR="1", JOBWATT_DIR="/tmp"
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(len(line) for line in plain.splitlines()) <= columns
    for name in ("nvml", "powercap", "perf", "estimate", "pm_counters", "hwmon", "journal"):
        assert re.search(rf"^{name} ", plain, re.M)
    # Every state is a word, so nothing is lost with the colours.
    assert re.search(r"^nvml +GPU +absent +no ", plain, re.M)


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour(machine: Machine, variables: dict[str, str], coloured: bool) -> None:
    text = on_terminal(machine, 100, "doctor", "--load-seconds", "0", **variables)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", text)) is coloured


def test_no_escape_and_no_crash_in_an_ascii_pipe(machine: Machine) -> None:
    PowercapTree(machine.root, (package(0, Constant(90.0)),))
    for command, said in (("config", "JOBWATT_DIR"), ("doctor", "1 ?J")):
        result = machine.run(
            command,
            *(["--load-seconds", "0"] if command == "doctor" else []),
            environ={"PYTHONIOENCODING": "ascii", "JOBWATT_DIR": "/\u00e9"},
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert "\x1b" not in result.stdout and result.stdout.isascii()
        assert said in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bogus"], "--bogus"),
        (["show", "--jsn"], "--json"),
        (["show", "a", "b"], "argument"),
        (["shw"], "show"),
        (["doctor", "--load-seconds", "abc"], "abc"),
        (["doctor", "--load-seconds", "99"], "60"),
        (["config", "x"], "x"),
        (["run"], "jobwatt run -- COMMAND"),
        (["run", "--"], "jobwatt run -- COMMAND"),
        (["run", "--bogus"], "--bogus"),
    ],
)
def test_a_wrong_command_line(machine: Machine, arguments: list[str], said: str) -> None:
    result = machine.run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("jobwatt: ")
    assert said in result.stderr


@pytest.mark.parametrize(
    "command",
    ["", "show", "doctor", "config", "run", "jobs", "month", "compare", "attach", "export",
     "import", "history", "history check", "history rebuild", "history compact"],
)
def test_help_fits_80_columns(machine: Machine, command: str) -> None:
    result = machine.run(*command.split(), "--help", environ={"COLUMNS": "80"})
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"Usage: jobwatt {command}".rstrip())
    assert max(len(line) for line in lines) <= 80
    # What typer cuts ends in "..."; "[ARGS]...", "JOB..." and "NAME,..." say that more may come.
    assert "..." not in re.sub(r"(JOB|FILE|[],])\.\.\.", "", result.stdout)


def test_no_command_shows_the_help(machine: Machine) -> None:
    result = machine.run()
    assert result.returncode in (0, 2)  # Click changed its mind
    assert "doctor" in result.stdout + result.stderr


def test_a_closed_pipe_is_no_error(machine: Machine) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "jobwatt.cli", "config"],
        env=machine.variables,
        cwd=Path("/"),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")
