"""Compaction in the background: seldom, alone, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobwatt.config import Settings, load
from jobwatt.errors import JobwattError
from jobwatt.history.history import open_local_index
from jobwatt.history.index_file import open_index
from jobwatt.history.upkeep import (
    AGAIN_SECONDS,
    EVERY_SECONDS,
    alone,
    begin_if_due,
    note_compacted,
)
from tests.commands.machine import REPOSITORY
from tests.history.histories import add, memory, spans

pytestmark = pytest.mark.usefixtures("no_stand_in")
HOLD = """
import sys
from pathlib import Path
from jobwatt.history.index_file import open_index
from jobwatt.history.upkeep import alone
with alone(open_index(Path(sys.argv[1]))) as is_alone:
    print(is_alone, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "JOBWATT_DIR": str(tmp_path / "data"),
        "JOBWATT_INDEX_DIR": str(tmp_path / "index"),
        "JOBWATT_SLURM_API": "none",
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return load(environ, Path("/nonexistent"))


def test_one_process_of_a_host(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = open_index(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with alone(index) as is_alone:
            assert not is_alone
        process.communicate("")
    with alone(index) as is_alone:
        assert is_alone
    with alone(memory()) as is_alone:
        assert is_alone


def test_what_goes_wrong_within_is_not_swallowed(tmp_path: Path) -> None:
    index = open_index(tmp_path / "index.sqlite")
    for error in (BlockingIOError(11, "x"), KeyboardInterrupt()):
        with pytest.raises(type(error)), alone(index):
            raise error


def test_in_the_background_and_once_a_day(settings: Settings, environ: dict[str, str]) -> None:
    add(settings.directory, "7", *spans(60))
    index, _ = open_local_index(settings)
    assert begin_if_due(index, settings, environ)
    for _ in range(300):
        if index.note("compacted"):
            break
        time.sleep(0.1)
    assert abs(float(index.note("compacted")) - time.time()) < 60
    assert list(settings.directory.glob("journal/*/*")) == []  # of 2023: the figures alone
    assert len(list(settings.directory.glob("history/*.jsonl"))) == 1
    assert not begin_if_due(index, settings, environ)


def test_one_that_fails_is_tried_once_an_hour(
    settings: Settings, environ: dict[str, str]
) -> None:
    index, _ = open_local_index(settings)
    failing = {**environ, "JOBWATT_DIR": "/nonexistent/none"}
    assert begin_if_due(index, settings, failing)
    assert not begin_if_due(index, settings, failing)
    with index.writing():
        index.put_note("compaction begun", time.time() - AGAIN_SECONDS - 1)
    assert begin_if_due(index, settings, failing)


def test_where_no_lock_can_be_made(tmp_path: Path) -> None:
    index = open_index(tmp_path / "index.sqlite")
    (tmp_path / "index.sqlite.compact").symlink_to("/dev/full")
    with pytest.raises(JobwattError, match=r"sqlite\.compact cannot be made"), alone(index):
        pytest.fail("it began")


@pytest.mark.parametrize(
    ("ago", "due"), [(EVERY_SECONDS - 60, False), (EVERY_SECONDS + 1, True), (-60, True)]
)
def test_when_it_is_due(
    settings: Settings, environ: dict[str, str], ago: float, due: bool
) -> None:
    """A time in the future was noted by a clock that was wrong."""
    index, _ = open_local_index(settings)
    note_compacted(index, time.time() - ago)
    quiet = {**environ, "PATH": "", "JOBWATT_DIR": "/nonexistent/none"}
    assert begin_if_due(index, settings, quiet) is due


def test_when_it_may_not(settings: Settings, environ: dict[str, str]) -> None:
    index, _ = open_local_index(settings)
    assert not begin_if_due(index, settings._replace(auto_compact=False), environ)
    assert not begin_if_due(memory(), settings, environ)
    with index.writing():
        index.put_note("compacted", "junk")
    assert not begin_if_due(index, settings, environ)
    index.close()
    assert not begin_if_due(index, settings, environ)
