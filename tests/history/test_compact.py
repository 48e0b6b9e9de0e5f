"""Compaction: by age, never more than what is kept and proved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jobwatt.history import compact as module
from jobwatt.history import files
from jobwatt.history.compact import Ages, Counts, compact
from jobwatt.history.figures import Scan, figures_files, load
from jobwatt.history.index import Index
from jobwatt.history.rows import JobRow
from jobwatt.history.thin import is_thinned
from jobwatt.history.update import MINUTES, PACKED, QUIET_SECONDS
from jobwatt.history.update import update as take
from jobwatt.journal.reader import read_journal
from tests.history.histories import JOULES, START, add, append, clock, memory, rows, spans, touch

AGES = Ages(30.0, 365.0)
DAY = 86400.0
SOON = START + QUIET_SECONDS + DAY
MONTH, YEAR = START + 40 * DAY, START + 400 * DAY


def go(index: Index, root: Path, now: float) -> Counts:
    """A look, and a compaction."""
    take(index, [root], clock(now))
    return compact(index, AGES, "login1", clock(now))


def journals(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root / "journal")) for p in root.glob("journal/*/*/*"))


def kept(root: Path) -> list[JobRow]:
    return [entry.row for path in figures_files(root) for entry in Scan(path)]


def test_by_age(tmp_path: Path) -> None:
    index = memory()
    path = add(tmp_path, "7@alpha", *spans(300))
    changed = path.stat().st_mtime
    assert go(index, tmp_path, START + 400) == Counts()  # it may go on
    before = rows(index)
    counts = go(index, tmp_path, SOON)
    assert counts[:4] == (1, 1, 0, 0) and counts.freed_bytes > 0 and not counts.problems
    packed = Path(f"{path}.gz")
    assert journals(tmp_path) == ["2023-11/7@alpha/0.0.n1.0.jsonl.gz"]
    assert [folder.level for folder in index.folders()] == [PACKED]
    assert rows(index) == before == kept(tmp_path)
    assert go(index, tmp_path, SOON + 1) == Counts()

    assert go(index, tmp_path, MONTH)[:4] == (0, 0, 1, 0)
    assert is_thinned(read_journal(packed)) and packed.stat().st_mtime == pytest.approx(changed)
    assert [folder.level for folder in index.folders()] == [MINUTES]
    assert go(index, tmp_path, MONTH + 1) == Counts() and rows(index) == before

    assert go(index, tmp_path, YEAR)[:4] == (0, 0, 0, 1)
    assert journals(tmp_path) == [] and index.folders() == [] and not path.parent.exists()
    assert rows(index) == before == kept(tmp_path)
    assert go(index, tmp_path, YEAR + 1) == Counts()


def test_all_at_once_when_it_was_never_done(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "7", *spans(300))
    assert go(index, tmp_path, YEAR)[:4] == (1, 1, 1, 1)
    (row,) = kept(tmp_path)
    assert row.metered_joules == pytest.approx(300 * JOULES)


def test_a_running_job_is_left_alone(tmp_path: Path) -> None:
    index = memory()
    path = add(tmp_path, "7", *spans(60))
    take(index, [tmp_path], clock(START + 61))
    index.put_folders(folder._replace(settled=1) for folder in index.folders())
    append(path, *spans(5, 60), changed=START + 400)
    assert compact(index, AGES, "login1", clock(START + 401)) == Counts()
    assert path.exists() and [folder.settled for folder in index.folders()] == [0]


def test_steps_and_nodes_come_back_from_what_is_kept(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "7", *spans(60))
    add(tmp_path, "7", *spans(60), name="0.0.n2.1.jsonl")
    add(tmp_path, "7", *spans(30), name="1.0.n1.0.jsonl", wall_seconds=START + 500)
    assert go(index, tmp_path, YEAR)[:4] == (1, 3, 3, 1)
    place, _ = index.place_of(("7", ""))
    assert place is not None
    found = load(place, ("7", ""))
    assert [step.step for step in found.steps] == ["0", "1"]
    assert [node.node for node in found.account.nodes] == ["n1", "n2"]
    joules = [sum(d.energy.joules or 0 for d in one.devices) for one in (*found.steps,)]
    assert joules == pytest.approx([120 * JOULES, 30 * JOULES])


def test_a_job_that_goes_on_after_its_journals_are_gone(tmp_path: Path) -> None:
    """What was kept joins what came later, and each step is kept apart."""
    index = memory()
    add(tmp_path, "7", *spans(60))
    go(index, tmp_path, YEAR)
    assert journals(tmp_path) == []
    add(tmp_path, "7", *spans(30), name="1.0.n1.0.jsonl", month="2024-12", wall_seconds=YEAR)
    touch(tmp_path / "journal/2024-12/7/1.0.n1.0.jsonl", YEAR + 30)
    for now in (YEAR + 31, YEAR + QUIET_SECONDS + 60, YEAR + 400 * DAY):
        go(index, tmp_path, now)
        (row,) = rows(index)
        assert row.metered_joules == pytest.approx(90 * JOULES)
        assert sum(row.joules_by_day().values()) == pytest.approx(90 * JOULES, abs=0.01)
    place, _ = index.place_of(("7", ""))
    assert place is not None and journals(tmp_path) == []
    found = load(place)
    assert [step.step for step in found.steps] == ["0", "1"]
    assert [s.devices[0].energy.joules for s in found.steps] == pytest.approx([18_000, 9000])


def test_nothing_is_removed_that_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = memory()
    path = add(tmp_path, "7", *spans(60))

    def refuse(*arguments: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "keep", refuse)
    counts = go(index, tmp_path, YEAR)
    assert counts.problems == ("job 7: [Errno 28] No space left on device; left as it is",)
    assert path.exists() and counts[:4] == (0, 0, 0, 0)
    monkeypatch.undo()
    assert go(index, tmp_path, YEAR + DAY)[:4] == (1, 1, 1, 1)


@pytest.mark.parametrize("damage", ["gone", "cut", "of another job"])
def test_nothing_is_removed_whose_figures_cannot_be_read(tmp_path: Path, damage: str) -> None:
    index = memory()
    add(tmp_path, "7", *spans(60))
    add(tmp_path, "8", *spans(60))
    go(index, tmp_path, MONTH)
    before = journals(tmp_path)
    (path,) = figures_files(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(b"".join(line[:-40] + b"\n" for line in lines))
    else:
        path.write_bytes(b"".join(reversed(lines)))
    counts = compact(index, AGES, "login1", clock(YEAR))
    assert counts.removed_jobs == 0 and len(counts.problems) == 2
    assert journals(tmp_path) == before


def test_nothing_is_removed_of_a_node_that_the_figures_lack(tmp_path: Path) -> None:
    """A journal that cannot be read is not in the figures, so it is not removed."""
    index = memory()
    path = add(tmp_path, "7", *spans(60))
    bad = path.with_name("0.0.n2.1.jsonl")
    bad.write_bytes(b"torn head\n")
    touch(bad, START)
    counts = go(index, tmp_path, YEAR)
    assert counts.removed_jobs == 0
    assert journals(tmp_path) == ["2023-11/7/0.0.n1.0.jsonl.gz", "2023-11/7/0.0.n2.1.jsonl.gz"]
    assert kept(tmp_path)[0].metered_joules == pytest.approx(60 * JOULES)


def test_a_directory_closed_for_a_moment_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = memory()
    path = add(tmp_path, "7", *spans(60))
    go(index, tmp_path, SOON)
    scandir = os.scandir

    def guarded(folder: Any) -> Any:
        if Path(folder) == path.parent:
            raise OSError(5, "Input/output error")
        return scandir(folder)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", guarded)
        counts = compact(index, AGES, "login1", clock(YEAR))
    assert counts.problems == ("job 7: its directory cannot be read; left as it is",)
    assert journals(tmp_path) == ["2023-11/7/0.0.n1.0.jsonl.gz"]


def test_foreign_files_stay_and_are_no_hindrance(tmp_path: Path) -> None:
    index = memory()
    folder = add(tmp_path, "7", *spans(60)).parent
    for name in ("notes.txt", "data.jsonl", "data.jsonl.gz", "README.end.json"):
        (folder / name).write_bytes(b"precious")
        touch(folder / name, START)
    assert go(index, tmp_path, YEAR)[:4] == (1, 1, 1, 1)
    left = [path.read_bytes() for path in folder.iterdir()]
    assert left == [b"precious"] * 4
    for later in (1, 2):
        assert go(index, tmp_path, YEAR + later * DAY)[:6] == Counts()


def test_a_failed_proof_is_said_and_the_other_jobs_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = memory()
    for job in ("7", "8"):
        add(tmp_path, job, *spans(60))
    real = files._deflated
    monkeypatch.setattr(files, "_deflated", lambda t: b"" if b'"job":"7"' in t else real(t))
    counts = go(index, tmp_path, SOON)
    assert len(counts.problems) == 1 and counts.problems[0].startswith("job 7: ")
    assert journals(tmp_path) == ["2023-11/7/0.0.n1.0.jsonl", "2023-11/8/0.0.n1.0.jsonl.gz"]


def test_both_months_of_a_job_go_together(tmp_path: Path) -> None:
    index = memory()
    add(tmp_path, "7", *spans(60))
    later = START + 20 * DAY
    add(tmp_path, "7", *spans(30), name="1.0.n1.0.jsonl", month="2023-12", wall_seconds=later,
        changed=later + 30)  # fmt: skip
    assert go(index, tmp_path, START + 380 * DAY)[:4] == (1, 2, 2, 0)  # the last change counts
    assert go(index, tmp_path, later + 400 * DAY)[:4] == (0, 0, 0, 1)
    assert journals(tmp_path) == [] and kept(tmp_path)[0].steps == 2


def test_the_index_forgotten_between_any_two_steps(tmp_path: Path) -> None:
    """Rebuilt from what is there, field by field the same, and nothing is kept twice."""
    index = memory()
    folder = add(tmp_path, "7@alpha", *spans(300), b"junk").parent
    add(tmp_path, "7@alpha", *spans(60), name="1.0.n2.0.jsonl", wall_seconds=START + 7000)
    touch(folder / "1.0.n2.0.jsonl", START + 7060)
    take(index, [tmp_path], clock(START + 7100))
    before = rows(index)
    assert len(before[0].joules_by_day()) == 2
    for now in (SOON, MONTH, YEAR):
        go(index, tmp_path, now)
        fresh = memory()
        take(fresh, [tmp_path], clock(now + 1))
        assert rows(fresh) == rows(index) == before
        assert go(fresh, tmp_path, now + 2)[:4] == (0, 0, 0, 0)
        index = fresh
    assert len(kept(tmp_path)) == 1
