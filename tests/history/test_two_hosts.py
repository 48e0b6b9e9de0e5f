"""Two login nodes at once on one journal directory: each has an index of its own, none loses a job.

Two processes with an index and a host name each stand for them; a shared filesystem's files are the
same for both.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from jobwatt.config import load
from jobwatt.history import compact as compact_module
from jobwatt.history.compact import Ages, compact
from jobwatt.history.history import clock, open_history
from jobwatt.history.job_account import whole
from jobwatt.history.rows import JobRow
from tests.journal.journals import head, span, write

JOBS = 25
SPANS = 120
ROUNDS = 6


def make(folder: Path) -> None:
    """Ended jobs, old enough for every stage of compaction."""
    for number in range(JOBS):
        start = time.time() - (2 + 30 * (number % 15)) * 86400.0
        month = time.strftime("%Y-%m", time.localtime(start))
        path = folder / f"state/journal/{month}/local-{number}/0.0.n1.0.jsonl"
        lines = [span(float(end)) for end in range(1, SPANS + number)]
        first = head(job=f"local-{number}", wall_seconds=start)
        write(path, first, *lines, {"t": 1, "end": "gone"})
        os.utime(path, (start + SPANS, start + SPANS))


def environment(folder: Path, index: str) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "JOBWATT_DIR": str(folder / "state"),
        "JOBWATT_INDEX_DIR": str(folder / index),
        "JOBWATT_SLURM_API": "none",
    }


def rows(folder: Path, index: str) -> dict[str, JobRow]:
    environ = environment(folder, index)
    found = open_history(load(environ), environ, 0.0)
    return {row.job: row for row in found.rows(0.0, 1e12)}


def compact_as(folder: Path, host: str) -> int:
    """A process that brings its index up to date and compacts; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        environ = environment(folder, host)
        history = open_history(load(environ), environ, 0.0)
        counts = compact(history.index, Ages(30, 365), host, clock())
        code = 0 if not counts.problems else 3
    finally:
        os._exit(code)


@pytest.mark.usefixtures("no_stand_in")
def test_both_compact_at_once(tmp_path: Path) -> None:
    make(tmp_path)
    expected = rows(tmp_path, "before")
    assert len(expected) == JOBS
    for number in range(ROUNDS):
        pids = [compact_as(tmp_path, host) for host in ("login1", "login2")]
        for pid in pids:
            _, status = os.waitpid(pid, 0)
            # What the other one has just renamed or removed may be said; it is done the next time.
            assert os.waitstatus_to_exitcode(status) in (0, 3)
        for index in ("login1", "login2", f"fresh{number}"):
            found = rows(tmp_path, index)
            assert found.keys() == expected.keys()
            for job, row in expected.items():
                assert found[job].metered_joules == pytest.approx(row.metered_joules, rel=1e-9)
                assert found[job].days == row.days
    left = list(tmp_path.glob("state/journal/*/*/*"))
    assert all(path.name.endswith(".jsonl.gz") for path in left)
    year_ago = time.time() - 366 * 86400.0
    old = {job for job, row in expected.items() if (row.end_wall_seconds or 0.0) < year_ago}
    assert not {path.parent.name for path in left} & old


@pytest.mark.usefixtures("no_stand_in")
@pytest.mark.parametrize("kept_first", [True, False])
def test_a_host_that_comes_late_writes_no_half_job(tmp_path: Path, kept_first: bool) -> None:
    """The other host is removing the journals of which this one still knows both."""
    start = time.time() - 800 * 86400.0
    month = time.strftime("%Y-%m", time.localtime(start))
    folder = tmp_path / f"state/journal/{month}/local-1"
    for node in ("n1", "n2"):
        path = folder / f"0.0.{node}.0.jsonl"
        first = head(job="local-1", node=node, wall_seconds=start)
        write(path, first, *[span(float(end)) for end in range(1, SPANS)], {"t": 1, "end": "gone"})
        os.utime(path, (start + SPANS, start + SPANS))
    [expected] = rows(tmp_path, "late").values()
    late = open_history(load(environment(tmp_path, "late")), environment(tmp_path, "late"), 0.0)
    if kept_first:
        early = open_history(
            load(environment(tmp_path, "early")), environment(tmp_path, "early"), 0.0
        )
        assert compact(early.index, Ages(3650, 3650), "early", clock()).kept_jobs == 1
        (folder / "0.0.n2.0.jsonl.gz").unlink()
        counts = compact(late.index, Ages(30, 365), "late", clock())
        assert counts.kept_jobs == 0
    else:

        def removes_meanwhile(*arguments: Any) -> Any:
            (folder / "0.0.n2.0.jsonl").unlink()
            return whole(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compact_module, "whole", removes_meanwhile)
            counts = compact(late.index, Ages(30, 365), "late", clock())
        assert counts.kept_jobs == counts.removed_jobs == 0
        assert "another host" in counts.problems[0]
        return
    [found] = rows(tmp_path, "fresh").values()
    assert found.metered_joules == expected.metered_joules
