"""Figures kept for ever: good lines count whatever lies between them, and come back whole."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobwatt.errors import UnreadableError
from jobwatt.history.figures import (
    Kept,
    Place,
    Scan,
    encoded,
    figures_files,
    figures_path,
    keep,
    load,
)
from jobwatt.history.rows import JobRow
from jobwatt.model import Account
from tests.history.test_codec import STEP
from tests.history.values import values

TIMES = [name for name in JobRow._fields if name.endswith("_wall_seconds")]
ROW = JobRow("7", "alpha", name="träin\x1b[31m", metered_joules=5.0, start_wall_seconds=1e9)


def put(path: Path, job: str, wall: float = 1000.0) -> Place:
    return keep(path, ROW._replace(job=job), replace(STEP, job=job), (), wall).place


def jobs(path: Path, offset: int = 0) -> tuple[list[str], int, int]:
    """Ids of the good lines, the number of bad ones, where to go on."""
    scan = Scan(path, offset)
    found = [entry.row.job for entry in scan]
    return found, scan.bad_lines, scan.next_bytes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return figures_path(tmp_path, "2026-01", "login1")


def test_what_is_kept_comes_back(path: Path) -> None:
    steps = (replace(STEP, step="0"), replace(STEP, step="1"))
    entry = keep(path, ROW, STEP, steps, 1234.5678)
    assert load(entry.place) == load(entry.place, ("7", "alpha")) == Kept(ROW, STEP, steps)
    assert entry.row == ROW and entry.written_wall_seconds == 1234.568
    assert list(Scan(path)) == [entry]
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700


def test_a_job_of_one_step_is_kept_once(path: Path) -> None:
    assert load(keep(path, ROW, STEP, (STEP,), 1.0).place).steps == ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values(JobRow), values(Account))
def test_any_figures_come_back_or_nothing_is_written(
    path: Path, row: JobRow, account: Account
) -> None:
    before = path.stat().st_size if path.exists() else 0
    if len(row.name) % 2:
        row = row._replace(metered_kind="measured")
        row = row._replace(**{name: abs(getattr(row, name) or 0) % 1e10 for name in TIMES})
    try:
        place = keep(path, row, account, (), 5.0).place
    except UnreadableError:  # times that no calendar has, kinds that there are not
        assert (path.stat().st_size if path.exists() else 0) == before
    else:
        assert load(place, row.key) == Kept(row, account, ())


def test_no_number_is_not_written(path: Path) -> None:
    with pytest.raises(UnreadableError):
        keep(path, ROW._replace(metered_joules=float("nan")), STEP, (), 1.0)
    assert not path.exists()


def test_accounts_that_could_not_be_read_back_are_not_written(path: Path) -> None:
    account = replace(STEP, details=(("OTHER", "x" * 150_000),))
    with pytest.raises(UnreadableError, match="no line can hold"):
        keep(path, JobRow("1"), account, (), 1000.0)
    assert not path.exists()


def test_a_torn_line_takes_no_other_with_it(path: Path) -> None:
    put(path, "1")
    good = path.stat().st_size
    put(path, "2")
    os.truncate(path, path.stat().st_size - 20)
    assert jobs(path) == (["1"], 0, good)  # its writer may be at it
    place = put(path, "3")
    found, bad, end = jobs(path)
    assert (found, bad, end) == (["1", "3"], 1, path.stat().st_size)
    assert load(place).row.job == "3"
    assert jobs(path, good) == (["3"], 1, end)


JUNK = (
    b"\x00\xff\xfe",
    b"null",
    b"[1]",
    b"{}",
    b'{"jobwatt":1}',
    b'{"jobwatt":1,"written":1,"row":{}}',
    b'{"jobwatt":1,"written":true,"row":{"job":"x"}}',
    b'{"jobwatt":1,"written":NaN,"row":{"job":"x"}}',
    b'{"jobwatt":1,"written":-1,"row":{"job":"x"}}',
    b'{"jobwatt":1,"written":1,"row":{"job":"x","start_wall_seconds":1e17}}',
    b'{"jobwatt":1,"written":1,"row":{"job":"x","end_wall_seconds":-1}}',
    b'{"jobwatt":1,"written":1,"row":{"job":"x","metered_kind":"\\u001b[2J"}}',
    b"[" * 100_000,
    b'{"jobwatt":1,"row":' * 3000,
)


@pytest.mark.parametrize("number", range(len(JUNK)))
def test_junk_between_is_counted_once(path: Path, number: int) -> None:
    put(path, "1")
    with path.open("ab") as file:
        file.write(JUNK[number] + b"\n\n")
    put(path, "2")
    assert jobs(path) == (["1", "2"], 1, path.stat().st_size)


def test_a_line_of_another_version(path: Path) -> None:
    put(path, "1")
    line = encoded(Kept(ROW._replace(job="2"), STEP, ()), 5.0)
    with path.open("ab") as file:
        file.write(line.replace(b'"jobwatt":1', b'"jobwatt":2'))
        file.write(line.replace(b'"job":"2"', b'"job":"3","of a later version":[{}]'))
    assert jobs(path)[:2] == (["1", "3"], 1)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60).filter(lambda b: b"\n" not in b.strip(b"\n")), max_size=5))
def test_any_bytes_between(path: Path, noise: list[bytes]) -> None:
    path.unlink(missing_ok=True)
    put(path, "1")
    for bytes_ in noise:
        with path.open("ab") as file:
            file.write(bytes_)
    put(path, "2")
    assert jobs(path)[0] == ["1", "2"]


def test_a_foreign_file_has_only_bad_lines(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("job,energy\n7,12\n8,13\n")
    assert jobs(path) == ([], 3, path.stat().st_size)
    path.with_name("notes.txt").write_text("x")
    assert figures_files(path.parents[1]) == [path]
    assert figures_files(path.parents[1] / "elsewhere") == []


def test_what_moved_is_not_mistaken(path: Path) -> None:
    """Lines of equal length: the place of one is that of another when the file was changed."""
    places = [put(path, job) for job in ("1", "2", "3")]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    assert load(places[0]).row.job == "2"
    with pytest.raises(UnreadableError):
        load(places[0], ("1", "alpha"))
    with pytest.raises(UnreadableError):
        load(places[2], ("3", "alpha"))
    path.unlink()
    with pytest.raises(UnreadableError, match="No such file"):
        load(places[0])


@pytest.mark.parametrize("damage", [b"AAAA", b"!!!!", b"eJwD"])
def test_damaged_accounts_are_no_figures(path: Path, damage: bytes) -> None:
    place = put(path, "1")
    line = path.read_bytes()
    start = line.index(b'"accounts":"') + 12
    path.write_bytes(line[:start] + damage + line[start + 4 :])
    assert jobs(path)[0] == ["1"]  # the row is good
    with pytest.raises(UnreadableError):
        load(place)


def test_a_pipe_a_link_and_a_directory_do_not_hold_us_up(path: Path) -> None:
    real = path.with_name("real")
    put(real, "1")
    for make in (os.mkfifo, os.mkdir, lambda name: name.symlink_to(real)):
        make(path)
        with pytest.raises(UnreadableError):
            list(Scan(path))
        with pytest.raises(UnreadableError):
            load(Place(path, 0, 10))
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_two_writers_of_one_host_lose_nothing(path: Path) -> None:
    def write(kind: str) -> None:
        for number in range(30):
            put(path, f"{kind}{number}")

    threads = [threading.Thread(target=write, args=(kind,)) for kind in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, bad, _ = jobs(path)
    assert sorted(found) == sorted(f"{kind}{number}" for kind in "ab" for number in range(30))
    assert bad == 0


def test_a_full_disk_is_an_error_and_the_next_line_is_good(path: Path) -> None:
    put(path, "1")
    import resource

    size, limits = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(OSError):
            put(path, "2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    put(path, "3")
    assert jobs(path) == (["1", "3"], 1, path.stat().st_size)
