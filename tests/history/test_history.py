"""The history as commands use it: opened, asked, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jobwatt.config import Settings, load
from jobwatt.errors import NotFoundError, UnreadableError
from jobwatt.history.compact import Ages, compact
from jobwatt.history.figures import figures_files
from jobwatt.history.history import History, open_history, open_local_index
from jobwatt.history.rows import JobRow
from jobwatt.history.update import Clock
from tests.history.histories import JOULES, START, add, spans, utc_day
from tests.history.test_codec import STEP

pytestmark = pytest.mark.usefixtures("no_stand_in")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {
        "HOME": str(tmp_path),
        "JOBWATT_DIR": str(tmp_path / "data"),
        "JOBWATT_INDEX_DIR": str(tmp_path / "index"),
        "JOBWATT_SLURM_API": "none",
    }
    return load(environ, tmp_path / "none")


def opened(settings: Settings) -> History:
    return open_history(settings, {}, 0.0)


def index_file(settings: Settings) -> Path:
    (path,) = Path(settings.index_directory).glob("*.sqlite")
    return path


def add_jobs(settings: Settings) -> None:
    root = settings.directory
    add(root, "7@alpha", *spans(60))
    add(root, "7@alpha", *spans(30), name="1.0.n1.0.jsonl", wall_seconds=START + 500)
    array = {"SLURM_JOB_NAME": "train", "SLURM_ARRAY_JOB_ID": "20", "SLURM_ARRAY_TASK_ID": "3"}
    add(root, "23", *spans(10), details=array)


def test_nothing_yet(settings: Settings) -> None:
    history = opened(settings)
    assert history.rows(0.0, 1e12) == [] and history.problems == ()
    assert history.row("7") is None and history.tasks("7") == [] and history.slurm_source == ""
    with pytest.raises(NotFoundError):
        history.account("7")


def test_jobs_by_all_their_names(settings: Settings) -> None:
    add_jobs(settings)
    history = opened(settings)
    assert [row.job for row in history.rows(0.0, 1e12)] == ["7", "23"]
    row = history.row("7")
    assert row is not None and row == history.row("7", "alpha") == history.row("7+1")
    assert row.metered_joules == pytest.approx(90 * JOULES)
    assert history.row("7", "beta") is None
    task = history.row("20_3")
    assert task is not None and task.job == "23" and history.tasks("20") == [task]
    assert history.row("20_4") is None and history.row("20") is None
    for odd in ("", "_", "+", "7_", "'; DROP TABLE jobs; --", "\x00", "7\n"):
        assert history.row(odd) is None
    assert len(history.runs("train")) == 2


@pytest.mark.parametrize("age", ["journals", "packed", "figures alone"])
def test_accounts_at_every_age(settings: Settings, age: str) -> None:
    add_jobs(settings)
    history = opened(settings)
    ages = {"journals": None, "packed": Ages(1e6, 1e6), "figures alone": Ages(1.0, 1.0)}[age]
    if ages is not None:
        counts = compact(history.index, ages, "login1", Clock(time.time(), utc_day))
        assert counts.kept_jobs == 2 and not counts.problems
        history = opened(settings)
    whole = history.account("7", "alpha")
    assert whole.steps == ("0", "1") and whole.devices[0].energy.joules == pytest.approx(27_000)
    step = history.account("7", "alpha", "1")
    assert step.step == "1" and step.devices[0].energy.joules == pytest.approx(9000)
    assert history.account("23", "", "0").devices[0].energy.joules == pytest.approx(3000)
    with pytest.raises(NotFoundError):
        history.account("7", "alpha", "9")
    with pytest.raises(NotFoundError):
        history.account("7", "beta")


def test_damaged_figures_are_no_matter_while_the_journals_are_there(settings: Settings) -> None:
    add_jobs(settings)
    now = Clock(time.time(), utc_day)
    compact(opened(settings).index, Ages(1e6, 1e6), "login1", now)
    (path,) = figures_files(settings.directory)
    path.write_bytes(b"")
    history = opened(settings)
    assert history.account("7", "alpha").devices[0].energy.joules == pytest.approx(27_000)
    for journal in settings.directory.glob("journal/*/*/*"):
        journal.unlink()
    with pytest.raises(UnreadableError):
        opened(settings).account("7", "alpha")


def test_an_index_spoilt_at_any_place_is_made_anew_unseen(settings: Settings) -> None:
    for job in range(100, 160):
        add(settings.directory, str(job), *spans(2))
    before = opened(settings).rows(0.0, 1e12)
    path = index_file(settings)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    text = path.read_bytes()
    for page in range(0, len(text), 4096):
        for name in path.parent.glob("index*.sqlite-*"):
            name.unlink()
        path.write_bytes(text[:page] + os.urandom(4096) + text[page + 4096 :])
        history = opened(settings)
        assert history.rows(0.0, 1e12) == before, page
        assert history.row("123") is not None and len(history.runs("train")) == 60
        history.index.close()


def test_an_index_deleted_between_opening_and_asking(settings: Settings) -> None:
    add_jobs(settings)
    history = opened(settings)
    for path in Path(settings.index_directory).iterdir():
        path.unlink()
    assert len(history.rows(0.0, 1e12)) == 2
    assert len(opened(settings).rows(0.0, 1e12)) == 2


def test_a_planted_index_is_one_line(settings: Settings, tmp_path: Path) -> None:
    add_jobs(settings)
    opened(settings).index.close()
    path = index_file(settings)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    history = opened(settings)
    assert len(history.rows(0.0, 1e12)) == 2 and not (tmp_path / "elsewhere").exists()
    (line,) = history.problems
    assert "no index is kept" in line and str(path) in line and "\n" not in line


def test_imported_jobs_are_kept_once(settings: Settings) -> None:
    history = opened(settings)
    row = JobRow("codecarbon-1", origin="imported: CodeCarbon 3", start_wall_seconds=START,
                 end_wall_seconds=START + 5, estimated_joules=5.0)  # fmt: skip
    entry = (row, replace(STEP, job="codecarbon-1"))
    assert history.add_imported([entry, entry]) == 1
    assert history.add_imported([entry]) == 0
    assert history.add_imported([(row._replace(estimated_joules=6.0), entry[1])]) == 0
    for again in (history, opened(settings)):
        (found,) = again.rows(0.0, 1e12)
        assert found.estimated_joules == 6.0
        assert again.account("codecarbon-1").job == "codecarbon-1"
    index, _ = open_local_index(settings)
    with index.writing():
        index.clear()
    assert [row.estimated_joules for row in opened(settings).rows(0.0, 1e12)] == [6.0]


def test_a_user_without_a_name_asks_no_slurm(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pwd

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    history = open_history(settings._replace(slurm_api="auto"), {"PATH": ""}, 0.0)
    assert len(history.problems) == 1 and "Slurm is not asked" in history.problems[0]
