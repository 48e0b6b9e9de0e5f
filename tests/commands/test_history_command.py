"""`jobwatt history check | rebuild | compact` as programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from jobwatt.history.upkeep import alone
from tests.commands.home import JOB, Home
from tests.truth import REPOSITORY

pytestmark = pytest.mark.usefixtures("no_stand_in")
ALL = ("--since", "2023-01-01")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path, {"JOBWATT_AUTO_COMPACT": "0"})
    found.journal("7", 60)
    found.journal("8", 600)
    return found


def good(run: subprocess.CompletedProcess[str]) -> str:
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def jobs(home: Home) -> list[object]:
    found: list[object] = json.loads(good(home.run("jobs", *ALL, "--json")))["jobs"]
    return found


def files(home: Home) -> list[str]:
    return sorted(path.name for path in (home.folder / "state/journal").rglob("*.jsonl*"))


def test_check_rebuild_compact_and_all_jobs_stay(home: Home) -> None:
    before = jobs(home)
    assert len(before) == 2
    for options, left in (
        ({"JOBWATT_FULL_DAYS": "36500", "JOBWATT_MINUTE_DAYS": "36500"}, 2),
        ({"JOBWATT_MINUTE_DAYS": "36500"}, 2),
        ({"JOBWATT_FULL_DAYS": "30"}, 0),
    ):
        home.more = {"JOBWATT_AUTO_COMPACT": "0", **options}
        said = good(home.run("history", "compact"))
        assert said.count("\n") == 1 and "freed" in said
        assert len(files(home)) == left and all(name.endswith(".gz") for name in files(home))
        assert jobs(home) == before
        assert re.match(r"2 jobs in /.*\.sqlite\n$", good(home.run("history", "rebuild")))
        assert jobs(home) == before
        checked = good(home.run("history", "check"))
        assert "damaged   nothing" in checked and "figures   2 jobs in 1 files" in checked
    assert "figures of 0 jobs kept" in good(home.run("history", "compact"))


def test_compact_says_what_it_did(home: Home) -> None:
    said = good(home.run("history", "compact"))
    assert said.startswith("figures of 2 jobs kept; files compressed: 2, thinned out: 2; ")
    assert "journals of 2 jobs removed" in said
    assert good(home.run("history", "compact", "--quiet")) == ""


def test_compact_of_one_that_fails_says_so_and_does_the_other(home: Home) -> None:
    (path,) = (home.folder / "state/journal/2023-11/7").iterdir()
    path.unlink()
    os.mkfifo(path)
    os.utime(path, (1.7e9, 1.7e9))
    home.more["JOBWATT_MINUTE_DAYS"] = "36500"
    run = home.run("history", "compact")
    assert run.returncode == 0 and "figures of 1 jobs kept" in run.stdout
    assert run.stderr.startswith("jobwatt: job 7: ") and "not a journal file" in run.stderr
    assert "0.0.n1.0.jsonl.gz" in files(home)


def test_a_second_compaction_has_nothing_to_do(home: Home) -> None:
    with alone(home.history().index) as is_alone:
        assert is_alone
        run = home.run("history", "compact")
    assert (run.returncode, run.stdout) == (0, "")
    assert "another process of this host is at it" in run.stderr
    assert len(files(home)) == 2


def test_check_names_what_is_damaged(home: Home) -> None:
    good(home.run("history", "compact"))
    (path,) = (home.folder / "state/history").iterdir()
    path.write_bytes(path.read_bytes() + b"junk\n")
    bad = home.journal("\u001b9")
    bad.write_bytes(b"junk")
    run = home.run("history", "check")
    assert run.returncode == 4
    damaged = [line for line in run.stdout.splitlines() if line.startswith("damaged")]
    assert len(damaged) == 2 and "1 damaged lines" in run.stdout and "\x1b" not in run.stdout
    assert run.stderr.startswith("jobwatt: 2 files with damage; ")
    document = json.loads(home.run("history", "check", "--json").stdout)
    assert document["schema"] == 1 and len(document["damaged"]) == 2 and document["kept_jobs"] == 2


def test_rebuild_of_a_planted_index(home: Home) -> None:
    good(home.run("history", "rebuild"))
    (path,) = (home.folder / "index").glob("*.sqlite")
    path.unlink()
    path.mkdir()
    run = home.run("history", "rebuild")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert run.stderr.startswith("jobwatt: the index was not made anew: ")
    assert "is not a file of your own" in run.stderr


def test_rebuild_where_no_index_can_be_kept(home: Home) -> None:
    home.more["JOBWATT_INDEX_DIR"] = "/proc/none"
    run = home.run("history", "rebuild")
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert "not made anew: /proc/none: No such file or directory; JOBWATT_INDEX_DIR" in run.stderr


@pytest.mark.parametrize("free_bytes", [0, 60_000])
def test_an_index_whose_disk_is_full(home: Home, free_bytes: int) -> None:
    """By a limit on the size of its files, as the disk's own end."""
    for number in range(200):
        home.journal(str(1000 + number))
    for command in ("rebuild", "compact"):
        run = subprocess.run(
            ["bash", "-c", f'trap "" XFSZ; ulimit -f {free_bytes // 1024}; exec "$@"', "bash",
             *JOB, "history", command],
            env=home.environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert "Traceback" not in run.stderr
        if command == "rebuild":
            assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
            assert run.stderr.startswith("jobwatt: the index was not made anew: ")


def test_nothing_at_all(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert good(home.run("history", "rebuild")).startswith("0 jobs in ")
    assert "damaged   nothing" in good(home.run("history", "check"))
    assert "figures of 0 jobs kept" in good(home.run("history", "compact"))
