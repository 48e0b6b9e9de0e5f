"""A check reads every file, says what is damaged, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jobwatt.history.check import check_history
from jobwatt.history.compact import Ages, compact
from jobwatt.history.figures import figures_files, figures_path
from jobwatt.history.index_file import open_index
from jobwatt.history.update import update
from tests.history.histories import START, add, clock, memory, spans
from tests.history.test_index_file import fill, spoil

NOW = START + 20 * 86400


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


def test_all_well(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "7", *spans(5))
    add(tmp_path, "7", *spans(5), name="0.0.n2.1.jsonl")
    add(tmp_path, "8@alpha", *spans(5))
    update(index, [tmp_path], clock(NOW))
    compact(index, Ages(30, 365), "login1", clock(NOW))
    before = snapshot(tmp_path)
    found = check_history(index, [tmp_path])
    assert found.damaged == () and found.index_path == ""
    assert (found.indexed_jobs, found.kept_jobs, found.figures_files) == (2, 2, 1)
    assert (found.job_directories, found.journal_files) == (2, 3)
    sizes = [path.stat().st_size for path in tmp_path.glob("journal/*/*/*")]
    assert found.journal_bytes == sum(sizes)
    assert snapshot(tmp_path) == before


def test_every_kind_of_damage_is_one_line(tmp_path: Path) -> None:
    index = memory()
    for job in ("7", "8", "9"):
        add(tmp_path, job, *spans(5))
    update(index, [tmp_path], clock(NOW))
    compact(index, Ages(30, 365), "login1", clock(NOW))
    (path,) = figures_files(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    spot = lines[1].index(b'"accounts":"') + 20
    path.write_bytes(lines[0] + lines[1][:spot] + b"!!" + lines[1][spot + 2 :] + b"junk\n" + b'{"')
    cut = tmp_path / "journal/2023-11/7/0.0.n1.0.jsonl.gz"
    cut.write_bytes(cut.read_bytes()[:-4])
    add(tmp_path, "10", *spans(5), b"junk", b"[1,")
    os.mkfifo(figures_path(tmp_path, "2020-01", "pipe"))
    before = snapshot(tmp_path)
    found = check_history(index, [tmp_path])
    assert len(found.damaged) == 4
    pipe, figures, *journals = sorted(found.damaged, key=lambda line: "history" not in line)
    assert "pipe" in pipe and "no regular file" in pipe
    assert figures == f"{path}: 3 damaged lines"  # accounts, junk, torn
    assert any("0.0.n1.0.jsonl.gz" in line for line in journals)
    assert any(line.endswith("10/0.0.n1.0.jsonl: 2 damaged lines") for line in journals)
    assert found.kept_jobs == 1 and snapshot(tmp_path) == before


def test_a_damaged_index_is_said(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    fill(path)
    assert check_history(open_index(path), [tmp_path]).damaged == ()
    path.unlink()
    spoil(path)
    (line,) = check_history(open_index(path), [tmp_path]).damaged
    assert str(path) in line and "history rebuild" in line


@pytest.mark.parametrize("name", ["journal", "journal/2023-11", "journal/2023-11/7"])
def test_what_is_closed_is_said(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path, "7", *spans(5))
    add(tmp_path, "8", *spans(5), month="2023-10")
    scandir = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path) == tmp_path / name:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = check_history(memory(), [tmp_path])
    (line,) = found.damaged
    assert str(tmp_path / name) in line and "cannot be read" in line
    assert found.journal_files == (0 if name == "journal" else 1 if "7" not in name[-1] else 2)


def test_nothing_there(tmp_path: Path) -> None:
    found = check_history(memory(), [tmp_path / "none"])
    assert found.damaged == () and found.job_directories == 0
