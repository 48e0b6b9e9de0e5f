"""The index's file: whatever lies in its place, there is an index."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobwatt.errors import UnreadableError
from jobwatt.history import index_file
from jobwatt.history.index import Index
from jobwatt.history.index_file import SCHEMA, is_damage, open_index, remove_unused, reset
from jobwatt.history.rows import JobRow
from tests.commands.machine import is_root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "BUSY_SECONDS", 0.2)


def fill(path: Path, jobs: int = 3) -> None:
    index = open_index(path)
    with index.writing():
        index.put((JobRow(str(job), name="x" * 50), None, 0.0) for job in range(jobs))
    index.close()


def works(index: Index) -> bool:
    with index.writing():
        index.put([(JobRow("new"), None, 0.0)])
    return index.row_of(("new", "")) is not None


def test_made_private_and_found_again(path: Path) -> None:
    fill(path)
    assert path.stat().st_mode & 0o777 == 0o600
    index = open_index(path)
    assert index.path == path and index.count_jobs() == 3
    assert {name.name for name in path.parent.iterdir()} >= {"index.sqlite", "index.sqlite.lock"}


def schema(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE jobs (a)")


def fewer_columns(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE parts")


def cut(path: Path) -> None:
    fill(path, 500)
    os.truncate(path, path.stat().st_size // 2)


def log(path: Path) -> None:
    fill(path)
    Path(f"{path}-wal").write_bytes(os.urandom(9000))
    Path(f"{path}-shm").write_bytes(os.urandom(40_000))


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("job,energy\n" * 1000),
    "noise": lambda path: path.write_bytes(os.urandom(9000)),
    "header alone": lambda path: path.write_bytes(b"SQLite format 3\x00"),
    "schema": schema,
    "foreign": foreign,
    "fewer": fewer_columns,
    "cut": cut,
    "log": log,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_it_is_made_anew(path: Path, name: str) -> None:
    DAMAGE[name](path)
    index = open_index(path)
    assert index.path == path and works(index) and index.damage() == ""
    index.close()
    assert open_index(path).row_of(("new", "")) is not None


def spoil(path: Path) -> None:
    """Pages in the middle are noise: found when they are read."""
    fill(path, 500)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size * 7 // 10)
        file.write(os.urandom(size // 5))


def test_damage_that_is_found_later(path: Path) -> None:
    spoil(path)
    index = open_index(path)
    assert index.path == path
    with pytest.raises(sqlite3.DatabaseError) as caught:
        index.rows(0.0, 1e15)
    assert is_damage(caught.value)
    index = reset(index)
    assert index.path == path and works(index) and index.damage() == ""


@pytest.mark.usefixtures("busy")
def test_locked_for_long_is_an_error_that_is_no_damage(path: Path) -> None:
    fill(path)
    index, second = open_index(path), open_index(path)
    with second.writing():
        with pytest.raises(sqlite3.OperationalError) as caught, index.writing():
            raise AssertionError("two at once")
        assert not is_damage(caught.value)
        assert index.count_jobs() == 3  # reading goes on
    assert works(index)


@pytest.mark.usefixtures("busy")
def test_locked_as_a_whole_is_an_index_in_memory(path: Path) -> None:
    fill(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    index = open_index(path)
    assert index.path is None and works(index)
    connection.close()
    assert open_index(path).count_jobs() == 3


def test_a_planted_link_or_pipe_is_not_opened(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("precious")
    plants: tuple[Callable[[], None], ...] = (
        lambda: path.symlink_to(victim),
        lambda: os.mkfifo(path),
        lambda: path.mkdir(),
    )
    for plant in plants:
        plant()
        with pytest.raises(UnreadableError, match="not a file of your own"):
            open_index(path)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    Path(f"{path}.lock").symlink_to(victim)
    assert open_index(path).path is None
    assert victim.read_text() == "precious" and not path.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A megabyte, where the tests may mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    if not is_root() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "index.sqlite"
    index = open_index(path)
    assert index.path == path
    with pytest.raises(sqlite3.OperationalError) as caught, index.writing():
        index.put((JobRow(str(job), name="x" * 1000), None, 0.0) for job in range(2000))
    assert not is_damage(caught.value)
    index.close()
    for name in small_disk.iterdir():
        name.unlink()
    with (small_disk / "fill").open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    index = open_index(path)
    assert index.path is None and works(index)


def test_an_index_that_nobody_opened_for_long_is_removed(tmp_path: Path) -> None:
    now = time.time()
    for name in ("index-1.sqlite", "index-2.sqlite", "index-3.sqlite"):
        open_index(tmp_path / name).close()
    held = open_index(tmp_path / "index-2.sqlite")
    (tmp_path / "notes.lock").touch()
    for name in ("index-1", "index-2"):
        os.utime(tmp_path / f"{name}.sqlite.lock", (now - 200 * 86400, now - 200 * 86400))
    assert remove_unused(tmp_path, now) == 1
    left = {path.name for path in tmp_path.iterdir()}
    assert not [name for name in left if name.startswith("index-1")]
    assert {"index-2.sqlite", "index-3.sqlite", "notes.lock"} <= left
    assert held.count_jobs() == 0
    held.close()
    assert remove_unused(tmp_path, now) == 1
