"""When nothing more is to be expected of a job: only then are its journals touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobwatt.history.compact import Ages, Counts, compact
from jobwatt.history.rows import JobRow
from jobwatt.history.update import QUIET_SECONDS, SETTLE_SECONDS, is_settled, update
from tests.history.histories import START, add, clock, memory, rows, spans, touch


@pytest.mark.parametrize(
    ("state", "quiet", "settled"),
    [
        ("COMPLETED", SETTLE_SECONDS + 1, True),
        ("COMPLETED", SETTLE_SECONDS - 1, False),
        ("CANCELLED", SETTLE_SECONDS + 1, True),
        ("RUNNING", QUIET_SECONDS - 1, False),
        ("SUSPENDED", QUIET_SECONDS - 1, False),
        ("PENDING", QUIET_SECONDS - 1, False),
        ("", QUIET_SECONDS - 1, False),
        ("OF A LATER SLURM", QUIET_SECONDS - 1, False),
        ("", QUIET_SECONDS + 1, True),
        ("RUNNING", QUIET_SECONDS + 1, True),
        (None, QUIET_SECONDS - 1, False),
        (None, QUIET_SECONDS + 1, True),
    ],
)
def test_by_state_and_quiet(state: str | None, quiet: float, settled: bool) -> None:
    row = None if state is None else JobRow("7", state=state)
    assert is_settled(row, quiet) is settled


@pytest.mark.parametrize(("ended", "packed"), [(True, 1), (False, 0)])
def test_a_run_without_slurm_is_over_when_it_was_seen_to_end(
    tmp_path: Path, ended: bool, packed: int
) -> None:
    """A stopped one (Ctrl-Z) would go on writing to a file that is no longer there."""
    index = memory()
    path = add(tmp_path, "local-1", *spans(60))
    if ended:
        end = {"jobwatt": 1, "wall_seconds": START + 60.5, "exit_code": 3}
        path.with_name("0.0.end.json").write_text(json.dumps(end))
        touch(path.with_name("0.0.end.json"), START + 60.5)
    later = clock(START + 3600)
    update(index, [tmp_path], later)
    assert [row.state for row in rows(index)] == (["FAILED"] if ended else [""])
    counts = compact(index, Ages(30, 365), "login1", later)
    assert counts.packed_files == packed and path.exists() is not ended
    assert (counts == Counts()) is not ended
