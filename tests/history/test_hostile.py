"""10,000 torn, foreign and hostile lines: none stops anything, each counts once, good ones all."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobwatt.config import load
from jobwatt.errors import UnreadableError
from jobwatt.history.compact import Ages, compact
from jobwatt.history.figures import Kept, encoded, figures_path
from jobwatt.history.history import History, clock, open_history
from jobwatt.history.month_sums import joules_by_day, joules_by_model
from jobwatt.history.rows import JobRow
from jobwatt.history.select import lines, ordered
from jobwatt.model import Account
from jobwatt.sampler.condense import encode
from jobwatt.views.table_files import json_lines
from jobwatt.views.tables import JOBS, job_record
from tests.bench.history_generator import job
from tests.journal.journals import head, span

BAD_LINES = 5000
"""In journals, and as many in figures."""
GOOD_EVERY = 10


def torn(line: bytes, dice: random.Random) -> bytes:
    return line[: dice.randrange(1, len(line) - 1)]


def hostile(line: bytes, dice: random.Random) -> bytes:
    """A line that is no good one, whatever it was made of."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: torn(line, dice),
        lambda: line[dice.randrange(1, len(line)) :],
        lambda: bytes(dice.randrange(256) for _ in range(40)).replace(b"\n", b"") + b"x",
        lambda: b"\x1b]0;owned\x07\x1b[2J" + line,
        lambda: b"[" + b"9" * dice.choice((30, 400, 5000)) + b"," + line[1:],
        lambda: b"[" * 5000,
        lambda: b'{"jobwatt": 99, "row": {"job": "1"}}',
        lambda: b'{"event"' + b":" * 3,
        lambda: b'{"a": ' * 2000 + b"1" + b"}" * 2000,
        lambda: b"null",
        lambda: b"[1, NaN, Infinity, -1e999]",
        lambda: b'["' + "ünïcödé\u202e".encode() + b'"]',
        lambda: b"\xff\xfe\x00\x00",
        lambda: b"{}",
        lambda: line.replace(b",", b"\t", 1),
    )
    while True:
        bad = dice.choice(ways)()
        if bad.strip() and bad != line and not _passes(bad, line):
            return bad


def _passes(bad: bytes, line: bytes) -> bool:
    """A cut may by chance leave a whole value of the same shape."""
    try:
        data = json.loads(bad)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, list) and len(data) == len(json.loads(line))


def environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "JOBWATT_DIR": str(folder / "state"),
        "JOBWATT_INDEX_DIR": str(folder / "index"),
        "JOBWATT_SLURM_API": "none",
    }


def opened(folder: Path) -> History:
    environ = environment(folder)
    return open_history(load(environ), environ, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_journal(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path = tmp_path / "state/journal/2026-01/local-1/0.0.n1.0.jsonl"
    path.parent.mkdir(parents=True)
    good, lines = 0, [encode(head(job="local-1"))]
    for number in range(BAD_LINES // 5):
        lines.append(hostile(encode(span(good + 1.0)).rstrip(), dice) + b"\n")
        if number % GOOD_EVERY == 0:
            good += 1
            lines.append(encode(span(float(good))))
    path.write_bytes(b"".join(lines))
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    first = opened(tmp_path)
    [row] = [row for row in first.rows(0.0, 1e12) if row.job == "local-1"]
    assert row.bad_lines == BAD_LINES // 5
    assert row.gpu_joules == pytest.approx(300.0 * good)
    assert row.measured_seconds == pytest.approx(good + 0.5)
    said = [line for line in first.problems if "local-1" in line]
    assert said == [f"job local-1: {BAD_LINES // 5} damaged journal lines left out"]
    assert not [line for line in opened(tmp_path).problems if "local-1" in line]


@pytest.mark.parametrize("seed", range(5))
def test_figures(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path = figures_path(tmp_path / "state", "2026-01", "login1")
    path.parent.mkdir(parents=True)
    rows: dict[str, JobRow] = {}
    with path.open("wb") as file:
        for number in range(BAD_LINES // 5):
            row, account = job(1000 + number, 1.7e9 + 100 * number, dice)
            line = encoded(Kept(row, account, ()), 1.8e9)
            if number % GOOD_EVERY == 0:
                rows[row.job] = row
                file.write(line)
            file.write(_bad_figures(line.rstrip(), dice) + b"\n")
    first = opened(tmp_path)
    found = {row.job: row for row in first.rows(0.0, 1e12) if row.job in rows}
    assert found == rows
    assert f"{path}: {BAD_LINES // 5} damaged lines left out" in first.problems
    again = opened(tmp_path)
    assert not [line for line in again.problems if str(path) in line]
    for name, row in found.items():
        assert isinstance(again.account(name, row.cluster), Account)


def _bad_figures(line: bytes, dice: random.Random) -> bytes:
    """Also wrong types, bounds and versions in an otherwise whole line."""
    data = json.loads(line)
    row = data["row"]
    changes: tuple[Callable[[], object], ...] = (
        lambda: data.update(jobwatt=dice.choice((0, 2, "1", None, [1]))),
        lambda: data.update(written=dice.choice((-1, "x", None, 1e300))),
        lambda: row.update(metered_joules=dice.choice(("1", [], True, 1e300, {"a": 1}))),
        lambda: row.update(job=dice.choice((7, None, ["7"], "x" * 200_000))),
        lambda: row.update(nodes=dice.choice((1.5, "2", 10**30))),
        lambda: data.pop("row"),
        lambda: row.pop("job"),
    )
    if dice.random() < 0.5:
        return hostile(line, dice)
    dice.choice(changes)()
    return json.dumps(data).encode()


def odd(folder: Path, **changes: Any) -> None:
    """A job like any other, and one whose head holds what a sampler may have been given."""
    for name, more in (("1", {}), ("2", changes)):
        path = folder / f"state/journal/2023-11/{name}/0.0.n1.0.jsonl"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode(head(job=name, **more)) + encode(span(1.0)))
        os.utime(path, (1.7e9, 1.7e9))


@pytest.mark.usefixtures("no_stand_in")
@pytest.mark.parametrize(
    "changes",
    [
        {"details": {"SLURM_JOB_NAME": "caf\udce9"}},  # sbatch -J in Latin-1
        {"node": "n\udce9"},
        {"cpus_allocated": 10**30},
        {"details": {"command": ["cat", *["a-file-name"] * 20_000]}},
        {"details": {"OTHER": "x" * 150_000}},
    ],
)
def test_a_head_with_odd_values_is_listed_and_kept(tmp_path: Path, changes: dict[str, Any]) -> None:
    odd(tmp_path, **changes)
    history = opened(tmp_path)
    assert {row.job for row in history.rows(0.0, 1e12)} == {"1", "2"}
    counts = compact(history.index, Ages(1e6, 2e6), "h", clock())
    assert (counts.kept_jobs, counts.problems) == (2, ())
    [path] = (tmp_path / "state/history").iterdir()
    assert len(path.read_bytes().splitlines()) == 2


def test_names_that_no_sampler_writes_are_not_ours(tmp_path: Path) -> None:
    odd(tmp_path)
    name = os.fsdecode(b"caf\xe9")
    folder = tmp_path / "state/journal/2023-11"
    (folder / name).mkdir()
    (folder / "1" / f"{name}.0.n1.0.jsonl").write_bytes(b"")
    history = opened(tmp_path)
    jobs = [row.job for row in history.rows(0.0, 1e12)]
    assert all(map(str.isascii, jobs)) and "2" in jobs
    assert history.row(name) is None and history.tasks(name) == []


def test_a_directory_that_no_index_can_name(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with pytest.raises(UnreadableError, match="no name in UTF-8"):
        opened(folder)


@pytest.mark.parametrize(
    "text", ["[1]", '{"a": NaN}', '{"a": 1e999}', '{"a":nan}', '{"a": {"b": NaN}}', "[" * 9000]
)
def test_figures_by_day_that_are_none(text: str) -> None:
    row = JobRow("1", days=text, gpu_models=text)
    assert (row.joules_by_day(), row.joules_by_model()) == ({}, {})
    assert (joules_by_day(row), joules_by_model(row)) == ((), ())
    record = dict(zip([column.name for column in JOBS.columns], job_record(row), strict=True))
    assert record["days"] in (None, {"a": None})
    assert b"".join(json_lines(JOBS, [job_record(row)]))


def test_an_id_of_a_thousand_digits_has_its_place() -> None:
    jobs = [JobRow("9" * 5000), JobRow("7")]
    assert [line.row.job for line in ordered(lines(jobs, True), "id")][1] == "7"
