"""Compressed journals, and journals read in parts."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobwatt.errors import UnreadableError
from jobwatt.journal import reader
from jobwatt.journal.reader import Journal, read_journal, read_regular_file, unpacked
from jobwatt.journal.store import StepFiles, read_end, record_end, steps_in
from jobwatt.sampler.condense import encode
from tests.journal.journals import head, span, write


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write(tmp_path / "0.0.n1.0.jsonl", head(), span(1), b"junk", span(2), b"[1,2")


def zipped(path: Path, data: bytes | None = None) -> Path:
    target = path.with_name(path.name + ".gz")
    target.write_bytes(gzip.compress(path.read_bytes()) if data is None else data)
    return target


def test_packed_is_as_plain(plain: Path) -> None:
    a, b = read_journal(plain), read_journal(zipped(plain))
    assert (b.time_seconds, b.bad_lines, b.head) == (a.time_seconds, 2, a.head)
    assert b.gpu_columns == a.gpu_columns and b.path.name.endswith(".gz")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-9],
        lambda data: data[: len(data) // 2],
        lambda data: b"\x00" + data,
        lambda data: data[:30] + bytes([data[30] ^ 255]) + data[31:],
        lambda data: data[:-6] + b"\x00" + data[-5:],
        lambda data: b"[1,2,3]\n",
    ],
)
def test_damaged_it_is_unreadable_and_never_half_read(plain: Path, damage: object) -> None:
    assert callable(damage)
    path = zipped(plain, damage(gzip.compress(plain.read_bytes() * 20)))
    with pytest.raises(UnreadableError, match=r"0\.0\.n1\.0\.jsonl\.gz"):
        read_journal(path)


def test_what_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 1 << 16)
    assert unpacked(gzip.compress(b"x" * (1 << 16)), "x") == b"x" * (1 << 16)
    with pytest.raises(UnreadableError, match="too large"):
        unpacked(gzip.compress(bytes(1 << 24)), "x")


def test_both_there_the_plain_one_counts(plain: Path) -> None:
    zipped(plain)
    folder = plain.parent
    (files,) = steps_in([folder])
    assert files.journals == (plain,)
    plain.unlink()
    (files,) = steps_in([folder])
    assert files.journals == (folder / "0.0.n1.0.jsonl.gz",)


def test_a_step_half_packed_is_whole(tmp_path: Path) -> None:
    first = write(tmp_path / "7" / "0.0.n1.0.jsonl", head(), span(1))
    zipped(write(first.with_name("0.0.n2.1.jsonl"), head(node="n2"), span(1)))
    first.with_name("0.0.n2.1.jsonl").unlink()
    (first.parent / "0.0.end.json").write_text('{"jobwatt":1,"wall_seconds":5.5,"exit_code":0}')
    (files,) = steps_in([first.parent])
    assert [path.name for path in files.journals] == ["0.0.n1.0.jsonl", "0.0.n2.1.jsonl.gz"]
    assert files.end is not None and read_end(files.end) == (5.5, 0)


def columns(journal: Journal) -> tuple[object, ...]:
    return (journal.time_seconds, journal.gpu_columns, journal.other_columns, journal.events)


def test_from_where_it_was_left(tmp_path: Path) -> None:
    path = write(tmp_path / "0.0.n1.0.jsonl", head(), span(1), span(2))
    first = read_journal(path, since_bytes=0)
    assert first.read_bytes == path.stat().st_size and first.since_seconds is None
    again = read_journal(path, since_bytes=first.read_bytes)
    assert again.time_seconds == () and again.head == first.head
    assert (again.read_bytes, again.since_seconds) == (first.read_bytes, None)
    with path.open("ab") as file:
        file.write(encode(span(4, 2.0)) + b"[5,1,17")
    third = read_journal(path, since_bytes=first.read_bytes)
    assert (third.time_seconds, third.since_seconds, third.bad_lines) == ((4.0,), 2.0, 0)
    assert third.read_bytes == path.stat().st_size - 7
    with path.open("ab") as file:
        file.write(b"\n")
    assert read_journal(path, since_bytes=third.read_bytes).bad_lines == 1


def test_a_head_that_is_not_yet_whole(tmp_path: Path) -> None:
    path = tmp_path / "0.0.n1.0.jsonl"
    for text in (b"", encode(head())[:-1]):
        path.write_bytes(text)
        with pytest.raises(UnreadableError):
            read_journal(path, since_bytes=0)
    path.write_bytes(encode(head()))
    found = read_journal(path, since_bytes=0)
    assert found.read_bytes == path.stat().st_size and found.time_seconds == ()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_cuts_give_every_line_once(tmp_path: Path, data: st.DataObject) -> None:
    """However the writer's bytes arrive, the parts are what is read in one go."""
    lines: list[bytes] = []
    for number in range(data.draw(st.integers(0, 12))):
        bad = data.draw(st.sampled_from([b"", b"junk\n", b"[1,2]\n", b"\n", b'{"event":"wrap"}\n']))
        lines += [encode(span(number + 1.0)), bad]
    text = encode(head()) + b"".join(lines)
    first = len(encode(head()))
    cuts = sorted({first, len(text), *data.draw(st.lists(st.integers(first, len(text))))})
    path = tmp_path / "0.0.n1.0.jsonl"
    place, bad_lines = 0, 0
    times: tuple[float | None, ...] = ()
    events: tuple[object, ...] = ()
    for cut in cuts:
        path.write_bytes(text[:cut])
        part = read_journal(path, since_bytes=place)
        assert part.read_bytes <= cut
        place = part.read_bytes
        times, events = (*times, *part.time_seconds), (*events, *part.events)
        bad_lines += part.bad_lines
    whole = read_journal(path)
    assert (times, events, bad_lines) == (whole.time_seconds, whole.events, whole.bad_lines)
    assert place == len(text)


def test_what_a_file_starts_with_comes_with_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"head\nabc\ndef\n")
    os.utime(path, (5, 5))
    assert read_regular_file(path, 9) == (b"head\ndef\n", 5.0)
    assert read_regular_file(path, 13) == read_regular_file(path, 99) == (b"head\n", 5.0)
    assert read_regular_file(path, 2) == read_regular_file(path) == (path.read_bytes(), 5.0)


@pytest.mark.parametrize("code", [None, 0, 1, 137, 255])
def test_an_exit_code_is_recorded(tmp_path: Path, code: int | None) -> None:
    path = write(tmp_path / "journal/2026-01/7@a/0.1.n1.0.jsonl", head(), span(1))
    files = StepFiles("7", "a", "0", 1, (path,), None)
    done = record_end(files, 12.3456, code)
    assert done.end == path.with_name("0.1.end.json")
    assert read_end(done.end) == (12.346, code)


@pytest.mark.parametrize("code", ["256", "-1", "1.5", "true", '"0"', "[]", "1e400"])
def test_an_odd_exit_code_is_unknown(tmp_path: Path, code: str) -> None:
    path = tmp_path / "0.0.end.json"
    path.write_text(f'{{"jobwatt":1,"wall_seconds":5,"exit_code":{code}}}')
    assert read_end(path) == (5, None)
