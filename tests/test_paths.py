"""The journal tree: names that are safe, parse back, and are found again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.errors import UnreadableError
from jobwatt.paths import (
    all_job_directories,
    end_path,
    fallback_directory,
    find_job_directories,
    job_directory,
    journal_path,
    parse_end_name,
    parse_job_name,
    parse_journal_name,
    safe_component,
)

ROOT = Path("/d")


def test_layout() -> None:
    path = journal_path(ROOT, "2025-03", "17", "alpha", "0", 2, "gpu-1.example.org", 3)
    assert path == ROOT / "journal/2025-03/17@alpha/0.2.gpu-1.example.org.3.jsonl"
    path = journal_path(ROOT, "2025-03", "17", None, "batch", 0, "n1", 0)
    assert path == ROOT / "journal/2025-03/17/batch.0.n1.0.jsonl"
    end = end_path(ROOT, "2025-03", "17", "", "0+1", 4)
    assert end == ROOT / "journal/2025-03/17/0+1.4.end.json"
    assert fallback_directory(1000) == Path("/var/tmp/jobwatt-1000")


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("0.0.n1.0.jsonl", ("0", 0, "n1", 0)),
        ("batch.12.gpu-1.example.org.3.jsonl", ("batch", 12, "gpu-1.example.org", 3)),
        ("interactive.0.a.1.2.jsonl", ("interactive", 0, "a.1", 2)),
        ("run-1234.0.n1.0.jsonl", ("run-1234", 0, "n1", 0)),
        ("0+1.0.n1.0.jsonl", ("0+1", 0, "n1", 0)),
        ("0.0.end.json", None),
        ("0.0.n1.0.jsonl.tmp", None),
        ("0.0.n1.jsonl", None),
        ("0.x.n1.0.jsonl", None),
        ("0.0.n1.x.jsonl", None),
        ("0.-1.n1.0.jsonl", None),
        ("0.²³.n1.0.jsonl", None),
        ("0.٣.n1.0.jsonl", None),
        (".0.n1.0.jsonl", None),
        ("0.0..0.jsonl", None),
        ("0." + "9" * 5000 + ".n1.0.jsonl", None),
        ("", None),
        (".jsonl", None),
    ],
)
def test_parse_journal_name(name: str, parsed: tuple[str, int, str, int] | None) -> None:
    assert parse_journal_name(name) == parsed


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("0.0.end.json", ("0", 0)),
        ("0+1.3.end.json", ("0+1", 3)),
        ("0.end.json", None),
        ("0.0.n1.end.json", None),
        (".0.end.json", None),
        ("0.0.n1.0.jsonl", None),
    ],
)
def test_parse_end_name(name: str, parsed: tuple[str, int] | None) -> None:
    assert parse_end_name(name) == parsed


def test_parse_job_name() -> None:
    assert parse_job_name("17") == ("17", None)
    assert parse_job_name("17@alpha") == ("17", "alpha")
    assert parse_job_name("17@") == ("17", None)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("gpu-1.example.org", "gpu-1.example.org"),
        ("0+1", "0+1"),
        ("17_4", "17_4"),
        ("", "_"),
        (".", "_"),
        ("..", "_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/abs", "_abs"),
        ("a@b", "a_b"),
        ("a\nb\x00c\x1b[m", "a_b_c__m"),
        (".hidden", "hidden"),
        ("naïve 節", "na_ve__"),
        ("x" * 500, "x" * 128),
    ],
)
def test_safe_component(text: str, safe: str) -> None:
    assert safe_component(text) == safe


@given(st.text())
def test_safe_component_is_safe(text: str) -> None:
    safe = safe_component(text)
    assert 1 <= len(safe) <= 128
    assert safe.isascii() and safe.isprintable()
    assert not set(safe) & set("/@ ") and not safe.startswith(".")
    assert safe_component(safe) == safe


@given(
    st.text(), st.text(), st.none() | st.text(), st.text(), st.integers(0, 10**9), st.text(),
    st.integers(0, 10**9),
)  # fmt: skip
def test_any_journal_path_stays_below_and_parses_back(
    month: str, job: str, cluster: str | None, step: str, restart: int, node: str, rank: int
) -> None:
    path = journal_path(ROOT, month, job, cluster, step, restart, node, rank)
    assert len(path.parts) == len(ROOT.parts) + 4 and ".." not in path.parts
    assert all(len(os.fsencode(part)) <= 255 for part in path.parts)
    parsed = parse_journal_name(path.name)
    assert parsed is not None
    assert parsed[1:] == (restart, safe_component(node), rank)
    end = end_path(ROOT, month, job, cluster, step, restart)
    assert parse_end_name(end.name) == parsed[:2]
    assert parse_journal_name(end.name) is None and parse_end_name(path.name) is None


@given(st.text())
def test_parse_journal_name_never_raises(name: str) -> None:
    parsed = parse_journal_name(name + ".jsonl")
    if parsed is not None:
        step, restart, node, rank = parsed
        assert step and "." not in step and node and restart >= 0 and rank >= 0


def test_longest_names_fit() -> None:
    long = "x" * 300
    path = journal_path(ROOT, "2025-03", long, long, long, 2**32, long, 2**32)
    assert all(len(part) <= 255 for part in path.parts)
    assert parse_journal_name(path.name) is not None


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "2024-12/9", "2025-01/10", "2025-01/9", "2025-01/9@alpha", "2025-02/9@beta",
        "2025-02/99", "2025-02/odd", "not-a-month/9", "2025-1/9", "2025-02/.hidden",
    ):  # fmt: skip
        (tmp_path / "journal" / name).mkdir(parents=True)
    (tmp_path / "journal/2025-02/11").write_text("a file")
    (tmp_path / "journal/2025-03").write_text("a file")
    (tmp_path / "journal/2025-02/loop").symlink_to(tmp_path / "journal/2025-02/loop")
    return tmp_path


def names(tree: Path, found: list[Path]) -> list[str]:
    return [str(path.relative_to(tree / "journal")) for path in found]


def test_all_job_directories(tree: Path) -> None:
    assert names(tree, all_job_directories(tree)) == [
        "2025-02/99", "2025-02/9@beta", "2025-02/odd",
        "2025-01/10", "2025-01/9@alpha", "2025-01/9", "2024-12/9",
    ]  # fmt: skip


def test_find_job_directories(tree: Path) -> None:
    assert names(tree, find_job_directories(tree, "9")) == [
        "2025-02/9@beta", "2025-01/9@alpha", "2025-01/9", "2024-12/9",
    ]  # fmt: skip
    assert names(tree, find_job_directories(tree, "9", "alpha")) == ["2025-01/9@alpha"]
    assert find_job_directories(tree, "9", "gamma") == []
    assert find_job_directories(tree, "../../2025-01/9") == []
    assert find_job_directories(tree, "") == []


def test_a_written_job_is_found(tmp_path: Path) -> None:
    path = job_directory(tmp_path, "2025-03", "7/8", "a b")
    path.mkdir(parents=True)
    assert find_job_directories(tmp_path, "7/8", "a b") == [path]


def test_nothing_written_yet(tmp_path: Path) -> None:
    assert all_job_directories(tmp_path / "none") == []
    (tmp_path / "journal").write_text("a file")
    assert all_job_directories(tmp_path) == []


def test_unreadable_tree_says_so(tmp_path: Path) -> None:
    (tmp_path / "journal").symlink_to(tmp_path / "journal")
    with pytest.raises(UnreadableError) as caught:
        all_job_directories(tmp_path)
    assert caught.value.exit_code == 4
    assert "cannot be read" in caught.value.line() and caught.value.hint in caught.value.line()
