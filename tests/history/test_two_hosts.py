"""Two login nodes with one journal directory: each has its own index and compacts by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobwatt.history.compact import Ages, compact
from jobwatt.history.figures import Scan, figures_files
from jobwatt.history.index import Index
from jobwatt.history.rows import JobRow
from jobwatt.history.update import QUIET_SECONDS, update
from tests.commands.machine import REPOSITORY
from tests.history.histories import JOULES, START, add, append, clock, memory, rows, spans, touch

DAY = 86400.0
SOON, YEAR = START + QUIET_SECONDS + DAY, START + 400 * DAY
COMPACT = """
import sys
from pathlib import Path
from jobwatt.history.compact import Ages, compact
from jobwatt.history.index_file import open_index
from jobwatt.history.update import update
from tests.history.histories import clock
root, host, now, days = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
index = open_index(root.parent / f"{host}.sqlite")
update(index, [root], clock(now))
print("ready", flush=True)
sys.stdin.readline()
for problem in compact(index, Ages(days, days), host, clock(now)).problems:
    print(problem)
"""


def at_once(root: Path, now: float, days: float) -> list[str]:
    """Three hosts, all ready before the first begins."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPACT, str(root), f"login{n}", str(now), str(days)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )
        for n in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    said: list[str] = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        said += process.communicate()[0].splitlines()
        assert process.returncode == 0
    return said


def seen(root: Path, now: float, index: Index | None = None) -> list[JobRow]:
    found = index or memory()
    update(found, [root], clock(now))
    return rows(found)


def test_all_at_once_lose_nothing(tmp_path: Path) -> None:
    """What one of them finds taken away is left for it to see the next day."""
    root = tmp_path / "data"
    for job in range(40):
        add(root, str(job), *spans(60 + job))
        add(root, str(job), *spans(60), name="0.0.n2.1.jsonl")
    before = seen(root, SOON)
    for now, days in ((SOON, 365.0), (SOON + 1, 1.0), (YEAR, 1.0)):
        at_once(root, now, days)
        assert seen(root, now + 1) == before
    assert at_once(root, YEAR + DAY, 1.0) == []
    assert not list(root.glob("journal/*/*/*"))
    kept = [entry.row for path in figures_files(root) for entry in Scan(path)]
    assert {row.job for row in kept} == {str(job) for job in range(40)}
    assert sum(Scan(path).bad_lines for path in figures_files(root)) == 0


def test_the_later_line_of_two_hosts_wins_in_any_order(tmp_path: Path) -> None:
    """The job went on after the first host had kept it; names decide the order of reading."""
    for early, late in (("a", "z"), ("z", "a")):
        root = tmp_path / early
        path = add(root, "7", *spans(60))
        ages = Ages(1e6, 1e6)
        first, second = memory(), memory()
        seen(root, SOON, first)
        compact(first, ages, early, clock(SOON))
        add(root, "7", *spans(30), name="1.0.n1.0.jsonl", wall_seconds=SOON)
        touch(path.with_name("1.0.n1.0.jsonl"), SOON + 30)
        later = SOON + 30 + QUIET_SECONDS + DAY
        seen(root, later, second)
        compact(second, ages, late, clock(later))
        assert len(figures_files(root)) == 2
        for journal in path.parent.iterdir():
            journal.unlink()
        (row,) = seen(root, later + 1)
        assert row.metered_joules == pytest.approx(90 * JOULES) and row.steps == 2


def test_what_one_host_packed_the_other_does_not_compute_anew(tmp_path: Path) -> None:
    root = tmp_path
    add(root, "7", *spans(300))
    one, other = memory(), memory()
    before = seen(root, SOON, one)
    assert seen(root, SOON, other) == before
    for now in (SOON, SOON + 40 * DAY, YEAR):
        compact(one, Ages(30, 365), "a", clock(now))
        assert compact(other, Ages(30, 365), "b", clock(now)).problems == ()
        assert seen(root, now + 1, other) == seen(root, now + 1, one) == before
    assert [path.name for path in figures_files(root)] == ["2023-11.a.jsonl"]


def test_a_journal_that_grows_after_one_host_has_packed_it(tmp_path: Path) -> None:
    """A sampler that slept for weeks makes its file anew: both are there, none is lost."""
    root = tmp_path
    path = add(root, "7", *spans(60))
    index = memory()
    seen(root, SOON, index)
    path_text = path.read_bytes()
    compact(index, Ages(1e6, 1e6), "a", clock(SOON))
    path.write_bytes(path_text)
    append(path, *spans(10, 60), changed=SOON + 50)
    fresh = memory()
    (row,) = seen(root, SOON + 60, fresh)
    assert row.metered_joules == pytest.approx(70 * JOULES)
    now = SOON + 60 + QUIET_SECONDS
    for _ in range(2):
        seen(root, now, fresh)
        compact(fresh, Ages(1e6, 1e6), "a", clock(now))
        now += DAY
    assert [p.name for p in path.parent.iterdir()] == ["0.0.n1.0.jsonl.gz"]
    assert seen(root, now)[0].metered_joules == pytest.approx(70 * JOULES)
