"""Finding journals: steps, restarts, requeues, clusters, ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from jobwatt.errors import NotFoundError, UnreadableError
from jobwatt.journal import store
from jobwatt.journal.store import (
    account_of_job,
    account_of_step,
    last_step,
    record_end,
    steps_of,
)
from tests.journal.journals import head, span, write

NOW = 1_700_000_100.0


@pytest.fixture(autouse=True)
def no_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine's own stand-in directory is not looked at; a test's own is."""
    folder = tmp_path / "stand-in"
    monkeypatch.setattr(store, "fallback_directory", lambda uid: folder)
    return folder


def add(
    root: Path, name: str, job: str = "7", month: str = "2026-01", age: float = 0.0, **changes: Any
) -> Path:
    """A journal of two seconds, last changed `age` seconds ago."""
    path = root / "journal" / month / job / name
    write(path, head(**changes), span(1.0), span(2.0))
    os.utime(path, (NOW - age, NOW - age))
    return path


def test_steps_nodes_and_restarts(tmp_path: Path) -> None:
    for name in (
        "0.0.n1.0.jsonl", "0.0.n2.0.jsonl", "0.1.n1.0.jsonl", "batch.0.n1.0.jsonl",
        "notes.txt", "watch", ".0.0.n1.0.jsonl.swp", "0.0.jsonl", "0.x.n1.0.jsonl",
    ):  # fmt: skip
        add(tmp_path, name)
    found = {(step.step, step.restart): step for step in steps_of(tmp_path, "7")}
    assert set(found) == {("0", 0), ("0", 1), ("batch", 0)}
    assert [path.name for path in found["0", 0].journals] == ["0.0.n1.0.jsonl", "0.0.n2.0.jsonl"]


def test_a_requeued_file_belongs_to_its_step(tmp_path: Path) -> None:
    """The writer numbers a name that is taken: both files are of the same step and count."""
    add(tmp_path, "0.0.n1.0.jsonl")
    add(tmp_path, "0.0.n1+1.0.jsonl", monotonic_seconds=6000.0)
    (step,) = steps_of(tmp_path, "7")
    assert len(step.journals) == 2
    account = account_of_step(step, lambda: NOW)
    assert account.devices[0].energy.joules == 1200.0
    assert [node.node for node in account.nodes] == ["n1"]


def test_the_months_of_a_long_job(tmp_path: Path) -> None:
    add(tmp_path, "0.0.n1.0.jsonl", month="2025-12")
    add(tmp_path, "0.0.n2.0.jsonl", month="2026-01", node="n2")
    (step,) = steps_of(tmp_path, "7")
    assert len(step.journals) == 2


def test_no_such_job(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        steps_of(tmp_path, "7")
    with pytest.raises(NotFoundError):
        last_step(tmp_path)
    add(tmp_path, "0.0.n1.0.jsonl")
    for other in ("77", "", "..", "7/../7", "7@x", "*"):
        with pytest.raises(NotFoundError):
            steps_of(tmp_path, other)


def test_one_id_on_two_clusters(tmp_path: Path) -> None:
    add(tmp_path, "0.0.n1.0.jsonl", job="7@alpha", age=100, cluster="alpha")
    add(tmp_path, "1.0.n1.0.jsonl", job="7@beta", age=50, cluster="beta")
    add(tmp_path, "0.0.n1.0.jsonl", job="7@beta", age=200, cluster="beta")
    assert {step.cluster for step in steps_of(tmp_path, "7")} == {"beta"}  # the newest
    assert len(steps_of(tmp_path, "7")) == 2
    (alpha,) = steps_of(tmp_path, "7", "alpha")
    assert account_of_step(alpha, lambda: NOW).cluster == "alpha"
    with pytest.raises(NotFoundError):
        steps_of(tmp_path, "7", "gamma")


def test_the_last_step_is_the_one_that_changed_last(tmp_path: Path) -> None:
    add(tmp_path, "0.0.n1.0.jsonl", job="9", age=60)
    add(tmp_path, "3.0.n1.0.jsonl", job="8", age=5)  # began before job 9, and still writes
    add(tmp_path, "0.0.n1.0.jsonl", job="5", month="2025-12", age=90)
    assert (last_step(tmp_path).job, last_step(tmp_path).step) == ("8", "3")


def test_the_stand_in_directory_counts_too(tmp_path: Path, no_stand_in: Path) -> None:
    add(tmp_path / "home", "0.0.n1.0.jsonl")
    add(no_stand_in, "0.0.n2.0.jsonl", node="n2")
    (step,) = steps_of(tmp_path / "home", "7")
    assert len(step.journals) == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_stand_in_of_somebody_else_is_not_read(tmp_path: Path, no_stand_in: Path) -> None:
    add(no_stand_in, "0.0.n1.0.jsonl")
    os.chown(no_stand_in, 12345, 12345)
    with pytest.raises(NotFoundError):
        steps_of(tmp_path / "home", "7")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link away")
def test_a_link_of_somebody_else_is_not_followed(tmp_path: Path, no_stand_in: Path) -> None:
    add(tmp_path / "elsewhere", "0.0.n1.0.jsonl")
    no_stand_in.symlink_to(tmp_path / "elsewhere")
    os.lchown(no_stand_in, 12345, 12345)
    with pytest.raises(NotFoundError):
        steps_of(tmp_path / "home", "7")


def test_the_end_is_recorded_once(tmp_path: Path) -> None:
    add(tmp_path, "0.0.n1.0.jsonl", job="7@c", cluster="c", age_seconds=0)
    (step,) = steps_of(tmp_path, "7")
    assert step.end is None
    ended = record_end(step, 1_700_000_002.75)
    assert ended.end is not None
    assert ended.end.stat().st_mode & 0o777 == 0o600
    assert record_end(step, 5.0) == step  # the first stands
    (again,) = steps_of(tmp_path, "7")
    assert again == ended
    account = account_of_step(again, lambda: time.time())
    assert account.duration_seconds == pytest.approx(2.75)
    assert not account.running


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"{}", b'{"wall_seconds":"x"}', b'{"wall_seconds":NaN}',
     b'{"wall_seconds":1e999}', b'{"wall_seconds":' + b"1" * 400 + b"}", b"[" * 5000, b"\xff\xfe"],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_a_damaged_end_is_no_end(tmp_path: Path, text: bytes) -> None:
    path = add(tmp_path, "0.0.n1.0.jsonl", age_seconds=0)
    path.with_name("0.0.end.json").write_bytes(text)
    (step,) = steps_of(tmp_path, "7")
    assert account_of_step(step, lambda: NOW).duration_seconds == 2.0


def test_an_end_that_is_no_file_does_not_block(tmp_path: Path) -> None:
    path = add(tmp_path, "0.0.n1.0.jsonl", age_seconds=0)
    os.mkfifo(path.with_name("0.0.end.json"))
    (step,) = steps_of(tmp_path, "7")
    assert account_of_step(step, lambda: NOW).duration_seconds == 2.0


def test_recording_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = add(tmp_path, "0.0.n1.0.jsonl")
    (step,) = steps_of(tmp_path, "7")
    path.with_name("0.0.end.json").mkdir()
    assert record_end(step, 5.0).end is None


def test_damaged_journals_are_named_and_the_rest_counts(tmp_path: Path) -> None:
    add(tmp_path, "0.0.n1.0.jsonl")
    broken = add(tmp_path, "0.0.n2.0.jsonl")
    broken.write_bytes(b"")
    os.mkfifo(broken.with_name("1.0.n1.0.jsonl"))
    steps = steps_of(tmp_path, "7")
    account = account_of_job(steps, lambda: NOW)
    assert account.devices[0].energy.joules == 600.0
    assert sorted(problem.partition(":")[0] for problem in account.problems) == [
        "0.0.n2.0.jsonl",
        "1.0.n1.0.jsonl",
    ]
    fifo = next(step for step in steps if step.step == "1")
    with pytest.raises(UnreadableError):
        account_of_step(fifo)
    with pytest.raises(UnreadableError):
        account_of_job([fifo])


def test_a_job_is_the_sum_of_its_steps(tmp_path: Path) -> None:
    add(tmp_path, "0.0.n1.0.jsonl")
    add(tmp_path, "1.0.n1.0.jsonl", step="1", monotonic_seconds=9000.0)
    account = account_of_job(steps_of(tmp_path, "7"), lambda: NOW)
    assert account.devices[0].energy.joules == 1200.0
    assert account.steps == ("0", "1")
