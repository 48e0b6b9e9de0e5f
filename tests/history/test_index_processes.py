"""The index's file with several processes at once, all of them real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobwatt.history.index_file import open_index
from tests.commands.machine import REPOSITORY, unprivileged
from tests.history.test_index_file import fill, schema, works

OPEN_AND_PUT = """
import sys
from pathlib import Path
from jobwatt.history.index_file import open_index
from jobwatt.history.rows import JobRow
path, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
index = open_index(path)
for job in range(first, first + count):
    with index.writing():
        index.put([(JobRow(str(job)), None, 0.0)])
print(index.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


def other(
    path: Path, first: int, count: int, prefix: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Another process that has it open, with `count` jobs of its own, until its input ends."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", OPEN_AND_PUT, str(path), str(first), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_a_damaged_one_that_another_process_has_open_is_left(path: Path) -> None:
    with other(path, 0, 2) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(path)
        schema(path)
        index = open_index(path)
        assert index.path is None and works(index)
        process.communicate("")
    index = open_index(path)
    assert index.path == path and index.count_jobs() == 0


def test_deleted_while_another_process_has_it_open(path: Path) -> None:
    with other(path, 0, 2) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(path)
        for name in list(path.parent.iterdir()):
            name.unlink()
        fill(path, 5)
        process.communicate("")
        assert process.returncode == 0
    index = open_index(path)
    assert index.count_jobs() == 5 and index.damage() == "" and works(index)


def test_many_processes_at_once(path: Path) -> None:
    """None may be turned away, and each finds a whole index."""
    processes = [other(path, 100 * number, 20) for number in range(6)]
    said = [process.communicate("")[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert said == [str(path)] * 6
    index = open_index(path)
    assert index.count_jobs() == 120 and index.damage() == ""


def test_a_directory_that_is_not_there_or_closed(path: Path) -> None:
    assert open_index(path.parent / "none" / "index.sqlite").path is None
    path.parent.chmod(0o500)
    try:
        with other(path, 0, 1, tuple(unprivileged())) as process:
            assert process.communicate("")[0].strip() == "None"
            assert process.returncode == 0
    finally:
        path.parent.chmod(0o700)
