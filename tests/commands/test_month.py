"""`jobwatt month` as a program: from journals to a terminal, to programs and to a page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jobwatt.config import load
from jobwatt.history.history import open_history, open_local_index
from jobwatt.history.rows import JobRow
from tests.commands.machine import REPOSITORY, Machine, on_terminal
from tests.history.month_rows import HOSTILE, NOW, row, two_months
from tests.views.made_jobs import HOSTILE as HOSTILE_IN_A_JOURNAL
from tests.views.made_jobs import write_job

SGR = re.compile(r"\x1b\[([0-9;]*)m")
pytestmark = pytest.mark.usefixtures("no_stand_in")


@pytest.fixture
def home(machine: Machine) -> Machine:
    """A user without Slurm and without a job."""
    index = machine.folder / "index"
    index.mkdir(mode=0o700)
    machine.variables |= {
        "JOBWATT_DIR": str(machine.folder / "data"),
        "JOBWATT_INDEX_DIR": str(index),
        "JOBWATT_SLURM_API": "none",
        "TZ": "UTC",
    }
    return machine


@pytest.fixture
def january(home: Machine) -> Machine:
    """A user with two jobs on 1 January 2026, the second with a name that means harm."""
    data = home.folder / "data"
    write_job(data, hours=0.1, gpus=2)
    write_job(data, "2002", hours=0.05, nodes=1, gpus=1,
              details={"SLURM_JOB_NAME": HOSTILE_IN_A_JOURNAL})  # fmt: skip
    return home


def rows_of(home: Machine) -> list[JobRow]:
    return open_history(load(home.variables), home.variables, 0.0).rows(0.0, 1e12)


def said(home: Machine, *arguments: str, **variables: str) -> str:
    run = home.run("month", *arguments, environ=variables)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def document(home: Machine, *arguments: str) -> Any:
    return json.loads(said(home, *arguments, "--json"))


def failed(home: Machine, code: int, *arguments: str) -> str:
    """The one line on standard error."""
    run = home.run("month", *arguments)
    assert (run.returncode, run.stdout) == (code, "")
    assert run.stderr.startswith("jobwatt: ") and run.stderr.count("\n") == 1
    return run.stderr


def test_from_journals_to_the_month(january: Machine) -> None:
    found = document(january, "2026-01")
    rows = rows_of(january)
    assert len(rows) == 2
    total = sum(one.metered_joules or 0.0 for one in rows)
    assert found["totals"]["metered_energy"]["joules"] == pytest.approx(total, rel=1e-6)
    assert found["days"][0]["metered_joules"] == pytest.approx(total, rel=1e-6)
    assert sum(day["metered_joules"] for day in found["days"][1:]) == 0
    assert (found["totals"]["jobs"], found["totals"]["jobs_told_by_slurm"]) == (2, 0)
    assert found["totals"]["gpu_idle_joules"] > 0
    assert found["largest_jobs"][0]["job"] == "2001"
    text = said(january, "2026-01")
    assert text.startswith("Energy of January 2026\n")
    assert "2 measured; Slurm told of none" in text
    assert "\x1b" not in text and "\u202e" not in text
    assert document(january, "2026-02")["totals_before"]["jobs_measured"] == 2


def test_the_last_30_days(home: Machine) -> None:
    """The rows of the other tests, moved to today."""
    shift = (time.time() // 86400 - NOW // 86400) * 86400
    index, _ = open_local_index(load(home.variables))
    with index.writing():
        index.put((moved(one, shift), None, 0.0) for one in two_months())
    index.close()
    found = document(home)
    assert found["period"]["last_day"] == time.strftime("%Y-%m-%d", time.gmtime())
    assert found["period"]["under_way"] is True
    totals = found["totals"]
    assert sum(day["metered_joules"] or 0.0 for day in found["days"]) == pytest.approx(
        totals["metered_energy"]["joules"]
    )
    assert totals["jobs_measured"] > 100 and totals["jobs_imported"] == 1
    assert HOSTILE in [one["label"] for one in found["by_account"]["largest"]]


def moved(one: JobRow, seconds: float) -> JobRow:
    times = {
        name: value + seconds
        for name in ("start_wall_seconds", "end_wall_seconds", "measured_start_wall_seconds")
        if (value := getattr(one, name)) is not None
    }
    days = {
        time.strftime("%Y-%m-%d", time.gmtime(time.mktime(time.strptime(day, "%Y-%m-%d"))
                                              - time.timezone + seconds)): joules
        for day, joules in one.joules_by_day().items()
    }  # fmt: skip
    return one._replace(**times, days=json.dumps(days) if days else "")


def test_no_job_at_all(home: Machine) -> None:
    text = said(home, "2026-01")
    assert text == (
        "jobwatt: nothing measured from 1 to 31 Jan 2026; "
        "to begin, write srun-green in place of srun\n"
    )
    assert document(home)["totals"]["metered_energy"]["joules"] is None


def test_slurm_knows_a_job_that_was_not_measured(home: Machine) -> None:
    index, _ = open_local_index(load(home.variables))
    with index.writing():
        index.put([(row("1", 1_767_250_800.0), None, 0.0)])
    index.close()
    assert said(home, "2026-01").startswith("jobwatt: none of 1 job measured from 1 to 31 Jan")


@pytest.mark.parametrize("columns", [80, 200])
def test_it_fits_the_terminal(january: Machine, columns: int) -> None:
    text = on_terminal(january, columns, "month", "2026-01")
    assert SGR.search(text)
    plain = SGR.sub("", text)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= columns
    assert ("band" in plain) == (columns == 200)


@pytest.mark.parametrize(
    ("variables", "arguments", "coloured", "plain"),
    [
        ({}, (), True, False),
        ({"NO_COLOR": "1"}, (), False, False),
        ({"TERM": "dumb"}, (), False, True),
        ({}, ("--ascii",), True, True),
        ({"LC_ALL": "C"}, (), True, True),
        ({"PYTHONIOENCODING": "latin-1"}, (), True, True),
    ],
)
def test_terminals_of_all_kinds(
    january: Machine, variables: dict[str, str], arguments: tuple[str, ...], coloured: bool,
    plain: bool,
) -> None:  # fmt: skip
    text = on_terminal(january, 80, "month", *arguments, "2026-01", **variables)
    codes = {code for found in SGR.findall(text) for code in found.split(";")}
    assert bool(codes - {"", "0", "1", "2"}) == coloured
    assert SGR.sub("", text).isascii() == plain
    assert ("\x1b" in text) == (variables.get("TERM") != "dumb")


def test_a_closed_pipe_is_no_error(january: Machine) -> None:
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", '"$@" | head -1', "bash",
         sys.executable, "-m", "jobwatt.cli", "month", "2026-01"],
        env={**january.variables, "PATH": os.environ["PATH"]}, cwd=REPOSITORY,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (0, "Energy of January 2026\n", "")


def test_the_page_is_there_whole(january: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    page = folder / "month.html"
    page.write_text("old")
    page.chmod(0o640)
    assert said(january, "2026-01", "--html", str(page)) == ""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n")
    total = document(january, "2026-01")["totals"]["metered_energy"]["joules"]
    assert f'<data value="{total!r}">' in text
    assert page.stat().st_mode & 0o777 == 0o640
    assert list(folder.iterdir()) == [page]
    assert said(january, "2026-01", "--html", "/dev/stdout").startswith("<!DOCTYPE html>")
    shown = said(january, "2026-01", "--html", "-", PYTHONIOENCODING="latin-1")
    made = re.compile("Made by .*")
    assert made.sub("", shown) == made.sub("", text)
    assert not (REPOSITORY / "-").exists()


def test_what_cannot_be(january: Machine, tmp_path: Path) -> None:
    assert "choose one" in failed(january, 2, "--json", "--html", "x.html")
    assert "is no month" in failed(january, 2, "2026-1x")
    assert "has not begun" in failed(january, 2, "9998-12")
    assert "No such file" in failed(january, 1, "--html", str(tmp_path / "no/x.html"))
    assert "is a directory" in failed(january, 2, "--html", str(tmp_path))
    assert "No space left" in failed(january, 1, "--html", "/dev/full")
