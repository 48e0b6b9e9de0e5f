"""Lines to disk: whole, in order, bounded, and never in the way of the sampling."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobwatt.sampler import writer as module
from jobwatt.sampler.writer import MAX_WAITING_LINES, Place, Writer

HEAD = b'{"jobwatt":1}\n'


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)


def place(root: Path) -> Place:
    return Place(root, root / "journal/2026-01/7/0.0.n1.0.jsonl")


def line(number: int, length: int = 0) -> bytes:
    return b'{"t":%d,"x":"%s"}\n' % (number, b"x" * length)


def new(*places: Place) -> Writer:
    return Writer(list(places), lambda folder: False)


def numbers(path: Path) -> list[int]:
    """The lines' numbers, all of which must be whole and follow the head."""
    text = path.read_bytes()
    assert text.startswith(HEAD)
    assert text.endswith(b"\n")
    found = []
    for row in text[len(HEAD) :].splitlines():
        assert row.startswith(b'{"t":')
        assert row.endswith(b'"}')
        found.append(int(row[5 : row.index(b",")]))
    return found


def wait_until_written(writer: Writer, seconds: float = 5.0) -> None:
    assert writer.flush(seconds)


def test_every_line_in_its_order(tmp_path: Path) -> None:
    where = place(tmp_path)
    writer = new(where)
    writer.start(HEAD)
    for number in range(300):
        writer.put(line(number))
        if number % 50 == 0:
            wait_until_written(writer)
            assert numbers(where.path) == list(range(number + 1))
    wait_until_written(writer)
    assert numbers(where.path) == list(range(300))
    assert writer.dropped_lines == 0


def test_the_file_is_private_and_new(tmp_path: Path) -> None:
    where = place(tmp_path)
    for _ in range(3):
        writer = new(where)
        writer.start(HEAD)
        writer.put(line(1))
        wait_until_written(writer)
    names = sorted(path.name for path in where.path.parent.iterdir())
    assert names == ["0.0.n1+1.0.jsonl", "0.0.n1+2.0.jsonl", "0.0.n1.0.jsonl"]
    for path in where.path.parent.iterdir():
        assert numbers(path) == [1]
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_place_is_not_written_through(tmp_path: Path) -> None:
    where, victim = place(tmp_path), tmp_path / "victim"
    victim.write_text("precious")
    where.path.parent.mkdir(parents=True)
    where.path.symlink_to(victim)
    writer = new(where)
    writer.start(HEAD)
    wait_until_written(writer)
    assert victim.read_text() == "precious"
    assert numbers(where.path.with_name("0.0.n1+1.0.jsonl")) == []


def test_another_place_where_the_first_refuses(tmp_path: Path) -> None:
    blocked, stand_in = tmp_path / "blocked", place(tmp_path / "stand-in")
    blocked.write_text("no directory")
    writer = new(place(blocked), stand_in)
    writer.start(HEAD)
    for number in range(3):
        writer.put(line(number))
    wait_until_written(writer)
    assert numbers(stand_in.path) == [0, 1, 2]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_stand_in_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    root = tmp_path / "stand-in"
    root.mkdir()
    os.chown(root, 12345, 12345)
    where = place(root)._replace(must_own=True)
    writer = new(where)
    writer.start(HEAD)
    assert not writer.flush(0.2)
    assert not where.path.exists()
    os.chown(root, os.getuid(), 0)
    wait_until_written(writer)
    assert numbers(where.path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "jobwatt-test", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_that_gets_room_again(small_disk: Path) -> None:
    where, ballast = place(small_disk), small_disk / "ballast"
    writer = new(where, place(small_disk / "elsewhere"))
    writer.start(HEAD)
    writer.put(line(0))
    wait_until_written(writer)
    ballast.write_bytes(b"x" * 4096 * 8)
    for number in range(1, 31):
        writer.put(line(number, 2000))
        time.sleep(0.002)
    assert not writer.flush(0.2)
    ballast.unlink()
    wait_until_written(writer)
    assert numbers(where.path) == list(range(31))  # the line cut in the middle went on
    assert not (small_disk / "elsewhere").exists()  # a place that has begun is kept


def test_a_disk_that_is_full_from_the_start(small_disk: Path, tmp_path: Path) -> None:
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while ballast.tell() < 65536:
            ballast.write(b"x" * 4096)
    stand_in = place(tmp_path / "stand-in")
    writer = new(place(small_disk), stand_in)
    writer.start(HEAD)
    writer.put(line(0))
    wait_until_written(writer)
    assert numbers(stand_in.path) == [0]


def test_a_size_limit_cuts_a_write_and_the_rest_follows(tmp_path: Path) -> None:
    where = place(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = new(where)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        writer.start(HEAD)
        for number in range(100):
            writer.put(line(number, 20))
        assert not writer.flush(0.2)
        assert where.path.stat().st_size == 1000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    wait_until_written(writer)
    assert numbers(where.path) == list(range(100))


def test_a_hanging_disk_stalls_nobody_and_memory_is_bounded(tmp_path: Path) -> None:
    where = place(tmp_path)
    writer = new(where)
    writer.start(HEAD)
    wait_until_written(writer)
    where.path.unlink()
    os.mkfifo(where.path)  # opening it to write hangs until somebody reads
    writer.put(line(0))
    time.sleep(0.05)
    count = 3 * MAX_WAITING_LINES
    slowest = 0.0
    for number in range(1, count + 1):
        before = time.monotonic()
        writer.put(line(number))
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 0.1
    assert writer.dropped_lines == count - MAX_WAITING_LINES
    with where.path.open("rb") as reader:
        rows = [reader.readline() for _ in range(MAX_WAITING_LINES + 1)]
    # What was in flight, and then the newest lines.
    assert rows[0] == line(0)
    assert rows[1:] == [line(n) for n in range(count - MAX_WAITING_LINES + 1, count + 1)]


def test_a_deleted_directory_does_not_end_the_sampler(tmp_path: Path) -> None:
    where = place(tmp_path)
    writer = new(where)
    writer.start(HEAD)
    wait_until_written(writer)
    where.path.unlink()
    where.path.parent.rmdir()
    writer.put(line(1))
    assert not writer.flush(0.1)
    where.path.parent.mkdir()
    where.path.write_bytes(HEAD)
    wait_until_written(writer)
    assert numbers(where.path) == [1]


def test_a_view_that_watches_is_noticed(tmp_path: Path) -> None:
    where = place(tmp_path)
    watch = where.path.parent / "watch"
    writer = Writer([where], lambda folder: (folder / "watch").exists())
    writer.start(HEAD)
    wait_until_written(writer)
    assert not writer.watched
    watch.touch()
    writer.put(line(1))
    wait_until_written(writer)
    deadline = time.monotonic() + 2
    while not writer.watched and time.monotonic() < deadline:
        time.sleep(0.005)
    assert writer.watched


NO_THREADS = """
import os, resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from jobwatt.sampler.writer import Place, Writer
root = Path(sys.argv[1])
os.setresuid(64999, 64999, 64999)
hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
writer = Writer([Place(root, root / "0.0.n1.0.jsonl")], lambda folder: False)
writer.start(b'{"jobwatt":1}\\n')
writer.put(b'{"t":1,"x":""}\\n')
assert not writer.flush(0.1)
resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
writer.put(b'{"t":2,"x":""}\\n')
assert writer.flush(5)
print("written")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_limit_of_processes_only_delays() -> None:
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    repository = Path(__file__).parents[2]
    try:
        os.chown(folder, 64999, 64999)
        code = f"import jobwatt.journal.format\n{NO_THREADS}"
        run = subprocess.run(
            [sys.executable, "-c", code, str(folder), str(repository)],
            cwd=repository, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert run.stdout == "written\n", run.stderr
        assert numbers(folder / "0.0.n1.0.jsonl") == [1, 2]
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
