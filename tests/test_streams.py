"""Standard output and error of all commands: full, closed, and with a reader that has gone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.commands.home import JOB, Home
from tests.truth import REPOSITORY

pytestmark = pytest.mark.usefixtures("no_stand_in")
COMMANDS = (
    "--help", "--version", "jobs", "jobs --json", "jobs --csv", "month 2023-11",
    "month 2023-11 --json", "show 7", "show 7 --json", "compare 7", "compare 7 8 --json", "export",
    "export --format csv", "history check", "history check --json", "history compact",
    "history rebuild", "config", "doctor --load-seconds 0", "doctor --load-seconds 0 --json",
    "run --help",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = Home(tmp_path_factory.mktemp("home"), {"JOBWATT_AUTO_COMPACT": "0"})
    for number in range(7, 10):
        found.journal(str(number), 10 * number, wall_seconds=1.7e9 + 1000 * number)
    return found


def shell(home: Home, words: str) -> subprocess.CompletedProcess[str]:
    """`jobwatt WORDS`, where the words may hold redirections."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {words}', "bash", *JOB], env=home.environ,
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line(home: Home, command: str) -> None:
    run = shell(home, f"{command} >/dev/full")
    reason = "standard output cannot be written: No space left on device"
    assert (run.returncode, run.stderr) == (1, f"jobwatt: {reason}\n")


def test_so_is_more_than_any_buffer_holds(home: Home) -> None:
    code = (
        "import jobwatt.commands.config as c; c.config = lambda environ: print('x' * 10**7);"
        "from jobwatt.cli import main; main()"
    )
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [JOB[0], "-c", code, "config"], env=home.environ, cwd=REPOSITORY, stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_closed_streams_are_as_dev_null(home: Home, command: str) -> None:
    usual = shell(home, f"{command} >/dev/null 2>/dev/null").returncode
    run = shell(home, f"{command} >&-")
    assert run.returncode == usual
    assert "Traceback" not in run.stderr and "Exception ignored" not in run.stderr
    assert shell(home, f"{command} <&- >&- 2>&-").returncode == usual


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone_is_no_error(home: Home, command: str) -> None:
    run = shell(home, f"{command} > >(exec 0<&-)")
    assert (run.returncode, run.stderr) == (0, "")


def test_an_error_is_not_told_where_nobody_listens(home: Home) -> None:
    for closed in ("2>&-", "2>/dev/full"):
        assert shell(home, f"show 4711 {closed}").returncode == 3
        assert shell(home, f"nonsense {closed}").returncode == 2


def test_what_runs_has_its_streams_as_they_were(home: Home) -> None:
    said = shell(home, "run -- bash -c 'echo a; echo b >&2'")
    assert said.returncode == 0 and said.stdout == "a\n" and said.stderr.startswith("b\n")
    closed = "run -- bash -c '[[ ! -e /proc/self/fd/1 && ! -e /proc/self/fd/2 ]]' >&- 2>&-"
    assert shell(home, closed).returncode == 0
    assert shell(home, "run -- bash -c 'exit 7' >/dev/full").returncode == 7
