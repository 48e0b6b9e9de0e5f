"""`jobwatt jobs` as a program: from journals to a terminal and to programs."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from jobwatt.history.figures import Kept, encoded, figures_path
from tests.bench.history_generator import write_history
from tests.commands.home import Home
from tests.history.month_rows import HOSTILE, NOW, measured
from tests.history.test_codec import STEP

pytestmark = pytest.mark.usefixtures("no_stand_in")
SINCE = ("--since", "2023-11-01", "--until", "2023-12-01")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, {"TZ": "UTC", "JOBWATT_AUTO_COMPACT": "0"})


@pytest.fixture
def busy(home: Home) -> Home:
    """Two jobs and an array of three."""
    home.journal("7")
    home.journal("8", 20, details={"SLURM_JOB_NAME": HOSTILE})
    for task in range(3):
        array = {"SLURM_ARRAY_JOB_ID": "20", "SLURM_ARRAY_TASK_ID": str(task)}
        home.journal(str(20 + task), details={"SLURM_JOB_NAME": "sweep", **array})
    return home


def good(home: Home, *arguments: str) -> str:
    run = home.run("jobs", *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    assert not {"\x1b", "\u202e"} & set(run.stdout)
    return str(run.stdout)


def ids(home: Home, *arguments: str) -> list[str]:
    return [job["shown_id"] for job in json.loads(good(home, *arguments, "--json"))["jobs"]]


def test_nothing_yet(home: Home) -> None:
    assert good(home).startswith("no jobs since ")
    assert json.loads(good(home, "--json"))["jobs"] == []
    assert good(home, "--csv").count("\n") == 1


def test_a_table(busy: Home) -> None:
    lines = good(busy, *SINCE).splitlines()
    assert lines[0].split()[:3] == ["job", "name", "state"]
    assert [line.split()[0] for line in lines[1:4]] == ["8", "7", "20_[3"]
    assert "3 tasks" in lines[3] and lines[4] == ""
    assert lines[5] == "5 jobs since 1 Nov 2023 until 1 Dec 2023"
    # 60 s of 300 W, and 62.5 W of the package.
    assert "6.04 Wh measured" in lines[6] or "attributed" in lines[6]
    assert "Slurm was not asked" in lines[-1]


def test_windows(busy: Home) -> None:
    assert good(busy).startswith("no jobs since ")
    assert ids(busy, *SINCE) == ["8", "7", "20_2", "20_1", "20_0"]
    assert ids(busy, "--since", "2023-11-14T22:13", "--until", "2023-11-14T22:14") == ids(
        busy, *SINCE
    )
    assert ids(busy, "--since", "2023-11-14T22:14", "--until", "2024-01-01") == []


def test_filters_orders_and_limits(busy: Home) -> None:
    assert ids(busy, *SINCE, "--name", "sweep") == ["20_2", "20_1", "20_0"]
    assert ids(busy, *SINCE, "--name", "t*", "--measured") == ["7"]
    assert ids(busy, *SINCE, "--state", "F") == []
    assert ids(busy, *SINCE, "--sort", "-id", "--limit", "2") == ["7", "8"]
    assert ids(busy, *SINCE, "--sort", "energy")[0] == "8"
    assert ids(busy, *SINCE, "--account", "nlp") == ids(busy, *SINCE, "--partition", "x") == []
    text = good(busy, *SINCE, "--limit", "1")
    assert "2 more lines by --limit 0" in text and "5 jobs" in text


def test_by_name_whatever_their_age(busy: Home) -> None:
    assert ids(busy, "7") == ["7"]
    assert ids(busy, "20_1") == ["20_1"]
    assert ids(busy, "20", "7") == ["20_0", "20_1", "20_2", "7"]  # an array opened
    text = good(busy, "20")
    assert "20_0" in text and "3 jobs named" in text and "tasks]" not in text
    assert "20_0" in good(busy, *SINCE, "--tasks")


def test_csv(busy: Home) -> None:
    records = list(csv.DictReader(io.StringIO(good(busy, *SINCE, "--csv"))))
    assert {record["job"] for record in records} == {"7", "8", "20", "21", "22"}
    assert float(records[0]["metered_joules"]) == pytest.approx(20 * 362.5)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["999"], 3, "no job '999' is known"),
        (["20_9"], 3, "no job '20_9'"),
        (["--since", "soon"], 2, "--since 'soon' is no time"),
        (["--since", "1month"], 2, "is no time"),
        (["--until", "2020-01-01"], 2, "--until is not after --since"),
        (["--state", "FAIL"], 2, "no state 'FAIL'"),
        (["--sort", "colour"], 2, "cannot sort by 'colour'"),
        (["--limit", "-1"], 2, "-1"),
        (["--limit", "x"], 2, "x"),
    ],
)
def test_what_is_wrong_is_one_line(
    busy: Home, arguments: list[str], code: int, said: str
) -> None:
    run = busy.run("jobs", *arguments)
    assert (run.returncode, run.stdout) == (code, "")
    assert run.stderr.startswith("jobwatt: ") and run.stderr.count("\n") == 1
    assert said in run.stderr


def test_damage_is_said_once_and_hides_nothing(busy: Home) -> None:
    path = busy.journal("9")
    path.write_bytes(path.read_bytes().replace(b"\n[4.0,", b"\n[junk,", 1))
    figures = figures_path(busy.folder / "state", "2023-11", "login1")
    figures.parent.mkdir(parents=True)
    line = encoded(Kept(measured("6", NOW, 5.0), STEP, ()), 5.0)
    evil = line.replace(b'"measured"', b'"\\u001b[2J"').replace(b'"job":"6"', b'"job":"5"')
    figures.write_bytes(b"\x1b]0;junk\n" + line + evil)
    run = busy.run("jobs", *SINCE)
    assert run.returncode == 0 and "6 jobs since" in run.stdout and "\x1b" not in run.stdout
    said = sorted(run.stderr.splitlines())
    assert said[0].endswith("login1.jsonl: 2 damaged lines left out")
    assert said[1] == "jobwatt: job 9: 1 damaged journal lines left out" and len(said) == 2
    assert busy.run("jobs", *SINCE).stderr == ""


def test_names_of_files_do_no_harm(home: Home) -> None:
    path = home.journal("7")
    evil = path.parent.with_name("\x1b[2J8")
    path.parent.rename(evil)
    (evil / path.name).write_bytes(b"junk")
    run = home.run("jobs", *SINCE)
    assert run.returncode == 0 and run.stderr.count("\n") == 1
    assert "\x1b" not in run.stderr and "job 8: " in run.stderr
    shown = home.run("show", "\x1b[2J8")
    assert shown.returncode == 3 and "\x1b" not in shown.stderr


def test_a_damaged_index_is_nobodys_concern(busy: Home) -> None:
    before = good(busy, *SINCE)
    (path,) = (busy.folder / "index").glob("*.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for damage in (b"", b"junk" * 5000, path.read_bytes()[:6000]):
        path.write_bytes(damage)
        assert good(busy, *SINCE) == before


def test_without_a_place_for_the_index_it_says_so(busy: Home) -> None:
    before = good(busy, *SINCE)
    busy.more["JOBWATT_INDEX_DIR"] = "/proc/nowhere"
    run = busy.run("jobs", *SINCE)
    assert (run.returncode, run.stdout) == (0, before)
    assert run.stderr.count("\n") == 1 and "JOBWATT_INDEX_DIR" in run.stderr


def test_thousands_of_compacted_jobs(home: Home) -> None:
    write_history(home.folder / "state", 2000, NOW)
    rows = json.loads(good(home, "--since", "2024-01-01", "--until", "2026-12-31", "--json"))
    assert len(rows["jobs"]) == 2000
    text = good(home, "--since", "2024-01-01", "--until", "2026-12-31")
    assert "2000 jobs since 1 Jan 2024" in text and "more lines by --limit 0" in text
    assert len(text.splitlines()) < 40
