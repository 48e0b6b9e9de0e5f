"""`jobwatt compare` as a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.home import Home

pytestmark = pytest.mark.usefixtures("no_stand_in")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path, {"JOBWATT_AUTO_COMPACT": "0", "COLUMNS": "100"})
    for number in range(4):
        found.journal(str(7 + number), 10 * (number + 1), wall_seconds=1.7e9 + 1000 * number)
    return found


def test_two_jobs(home: Home) -> None:
    run = home.run("compare", "7", "8")
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0].split() == ["7", "8", "vs", "7"]
    (energy,) = [line for line in lines if line.startswith("energy ")]
    assert energy.split()[-2:] == ["+100", "%"] and "1.01 Wh" in energy and "2.01 Wh" in energy
    assert "estimates are not in it" in lines[-1]


def test_one_job_beside_its_earlier_runs(home: Home) -> None:
    run = home.run("compare", "10")
    assert (run.returncode, run.stderr) == (0, "")
    assert "median: 3 earlier runs named train that ended in any way\n" in run.stdout
    document = json.loads(home.run("compare", "10", "--json").stdout)
    assert document["earlier"]["runs"] == 3
    assert document["earlier"]["medians"]["metered_joules"] == pytest.approx(20 * 362.5)
    assert [job["job"] for job in document["jobs"]] == ["10"]


def test_the_first_run_of_all(home: Home) -> None:
    run = home.run("compare", "7")
    assert run.returncode == 0 and "no earlier run named train was measured" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["99"], 3, "no job '99'"),
        (["7", "x"], 3, "'x'"),
        ([], 2, ""),
        (["7", "7"], 2, "all of these are job 7; jobwatt compare 7 "),
    ],
)
def test_what_is_wrong_is_one_line(
    home: Home, arguments: list[str], code: int, said: str
) -> None:
    run = home.run("compare", *arguments)
    assert (run.returncode, run.stdout) == (code, "")
    assert run.stderr.startswith("jobwatt: ") and run.stderr.count("\n") == 1
    assert said in run.stderr


def test_an_array_is_no_job(home: Home) -> None:
    array = {"SLURM_ARRAY_JOB_ID": "20"}
    for job, task in (("21", "0"), ("22", "1"), ("20", "2")):
        home.journal(job, details={**array, "SLURM_ARRAY_TASK_ID": task})
    said = "jobwatt: 20 is an array of 3 tasks; write 20_0 for one of them; jobwatt jobs 20 "
    for command in ("compare", "show"):
        run = home.run(command, "20")
        assert (run.returncode, run.stdout) == (2, "") and run.stderr.startswith(said)
        assert home.run(command, "20_0").returncode == home.run(command, "21").returncode == 0
    assert home.run("compare", "20_2", "20_0").stdout.split()[:2] == ["20_2", "20_0"]
    assert "jobwatt 20.0" in home.run("show", "20.0").stdout
    assert len(home.exported("--job", "20")) == 3
