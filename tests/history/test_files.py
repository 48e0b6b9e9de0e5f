"""One journal file at a time: the old one goes when the new one is proved, and not before."""

from __future__ import annotations

import gzip
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobwatt.errors import UnreadableError
from jobwatt.history import files
from jobwatt.history.files import (
    STRAY_SECONDS,
    pack,
    remove_journals,
    remove_strays,
    size_bytes,
    thin,
)
from jobwatt.history.thin import is_thinned, thinned
from jobwatt.journal.reader import read_journal
from tests.history.histories import START, add, append, spans, touch


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return add(tmp_path, "7", *spans(300), b"\x00junk", b"[1,2")


@pytest.fixture
def packed(plain: Path) -> Path:
    pack(plain)
    return plain.with_name(plain.name + ".gz")


def test_packed_to_the_byte_with_its_time(plain: Path) -> None:
    text, changed = plain.read_bytes(), plain.stat().st_mtime
    before = read_journal(plain)
    assert pack(plain)
    assert names(plain.parent) == ["0.0.n1.0.jsonl.gz"]
    path = plain.with_name("0.0.n1.0.jsonl.gz")
    assert gzip.decompress(path.read_bytes()) == text
    assert path.stat().st_mtime == pytest.approx(changed, abs=1e-3)
    assert path.stat().st_mode & 0o777 == 0o600
    after = read_journal(path)
    assert (after.time_seconds, after.bad_lines) == (before.time_seconds, 2)
    assert not pack(plain)


def test_a_leftover_of_a_killed_process_is_replaced(plain: Path) -> None:
    """Killed between the two: both are there, the plain one counts, and may have grown."""
    text = plain.read_bytes()
    plain.with_name(plain.name + ".gz").write_bytes(b"half")
    assert pack(plain)
    assert gzip.decompress(plain.with_name(plain.name + ".gz").read_bytes()) == text


@pytest.mark.parametrize("made", [b"", b"garbage", gzip.compress(b"another text"), b"\x1f\x8b\x08"])
def test_what_does_not_read_back_leaves_the_old_one(
    plain: Path, made: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = plain.read_bytes()
    monkeypatch.setattr(files, "_deflated", lambda text: made)
    with pytest.raises(UnreadableError):
        pack(plain)
    assert names(plain.parent) == [plain.name] and plain.read_bytes() == text


def test_what_grew_meanwhile_stays(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files._deflated

    def slow(text: bytes) -> bytes:
        append(plain, *spans(1, 300), changed=START + 301)
        return real(text)

    monkeypatch.setattr(files, "_deflated", slow)
    with pytest.raises(UnreadableError, match="it grew"):
        pack(plain)
    assert names(plain.parent) == [plain.name]
    monkeypatch.undo()
    assert pack(plain)
    assert len(read_journal(plain.with_name(plain.name + ".gz")).time_seconds) == 301


def test_what_another_host_packed_meanwhile(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, real = plain.read_bytes(), files._deflated

    def slow(text: bytes) -> bytes:
        monkeypatch.undo()
        assert pack(plain)
        return real(text)

    monkeypatch.setattr(files, "_deflated", slow)
    assert not pack(plain)
    assert names(plain.parent) == [plain.name + ".gz"]
    assert gzip.decompress(plain.with_name(plain.name + ".gz").read_bytes()) == text


def test_thinned_with_its_time_and_once(packed: Path) -> None:
    before, changed = read_journal(packed), packed.stat().st_mtime
    assert thin(packed)
    after = read_journal(packed)
    assert is_thinned(after) and len(after.time_seconds) == 5
    assert sum(after.gpu_columns[0]["energy_joules"]) == pytest.approx(  # type: ignore[arg-type]
        sum(before.gpu_columns[0]["energy_joules"])  # type: ignore[arg-type]
    )
    assert packed.stat().st_mtime == pytest.approx(changed, abs=1e-3)
    state = packed.stat()
    assert not thin(packed) and packed.stat().st_mtime_ns == state.st_mtime_ns
    packed.unlink()
    assert not thin(packed)


@pytest.mark.parametrize("lose", [lambda t: b"", lambda t: t[: len(t) // 2], lambda t: b"junk\n"])
def test_what_loses_something_leaves_the_old_one(
    packed: Path, lose: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, real = packed.read_bytes(), thinned
    monkeypatch.setattr(files, "thinned", lambda journal: lose(real(journal)))
    with pytest.raises(UnreadableError):
        thin(packed)
    assert names(packed.parent) == [packed.name] and packed.read_bytes() == text


def test_a_full_disk_leaves_all_as_it_is(plain: Path) -> None:
    """No file may be longer than 100 bytes, which is what a full disk looks like."""
    text, limits = plain.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError):
            pack(plain)
    finally:  # before pytest goes on writing what it says
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(plain.parent) == [plain.name] and plain.read_bytes() == text


def test_what_is_no_file_of_ours_is_not_packed(plain: Path) -> None:
    link = plain.with_name("1.0.n1.0.jsonl")
    link.symlink_to(plain)
    pipe = plain.with_name("2.0.n1.0.jsonl")
    os.mkfifo(pipe)
    for path in (link, pipe):
        with pytest.raises(UnreadableError):
            pack(path)
    assert names(plain.parent) == [plain.name, link.name, pipe.name]


def test_only_old_strays_are_removed(plain: Path) -> None:
    folder = plain.parent
    (folder / ".12345678.99.login1.part").write_bytes(b"half")
    (folder / ".12345678.98.login1.part.jsonl.gz").write_bytes(b"half")
    (folder / ".hidden").write_bytes(b"of somebody else")
    remove_strays(folder)
    assert len(names(folder)) == 4
    for path in folder.iterdir():
        touch(path, time.time() - STRAY_SECONDS - 10)
    remove_strays(folder)
    assert names(folder) == [".hidden", plain.name]


def test_a_temporary_file_is_a_stray_and_no_journal(plain: Path) -> None:
    for name, suffix in ((plain.name + ".gz", ""), ("n" * 240 + ".jsonl.gz", ".jsonl.gz")):
        path = files._write(plain.with_name(name), b"half", START, suffix)
        assert path.name.startswith(".") and len(path.name) < 255
        touch(path, START)
        remove_strays(plain.parent)
        assert not path.exists()


def test_only_verified_journals_are_removed(packed: Path) -> None:
    folder = packed.parent
    for name in ("0.0.end.json", "1.0.end.json", "watch", "notes.txt", "my.end.json"):
        (folder / name).write_text("{}")
    other = add(folder.parents[2], "7", *spans(1), name="1.0.n1.0.jsonl")
    # Named as it was before it was packed.
    assert remove_journals(folder, [packed.with_name("0.0.n1.0.jsonl")]) == 1
    assert other.exists() and "0.0.end.json" in names(folder)
    assert remove_journals(folder, [other, Path("/elsewhere/2.0.n1.0.jsonl")]) == 1
    assert names(folder) == ["my.end.json", "notes.txt"]
    for name in names(folder):
        (folder / name).unlink()
    assert remove_journals(folder, []) == 0
    assert not folder.exists()


def test_sizes(plain: Path) -> None:
    assert size_bytes(plain.parent) == plain.stat().st_size
    assert size_bytes(plain.parent / "none") == 0
