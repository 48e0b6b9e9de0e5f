"""A job's account from its journals, from parts of them, and with what was kept of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobwatt.history import job_account
from jobwatt.history.figures import Kept
from jobwatt.history.job_account import covers, step_accounts, steps_gone, whole, with_steps_gone
from jobwatt.history.measured import row_of
from jobwatt.journal.store import StepFiles, steps_in
from tests.history.histories import JOULES, START, add, append, memory, spans, touch, utc_day
from tests.journal.journals import span


@pytest.mark.parametrize("gap", [0.0, 40.0])
def test_what_grows_by_parts_is_what_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: float
) -> None:
    """Also over a stretch that nobody measured, and with a line that is torn at a look."""
    monkeypatch.setattr(job_account, "LARGE_BYTES", 0)
    index = memory()
    now = START
    for node in ("n1", "n2"):
        add(tmp_path, "7", name=f"0.0.{node}.0.jsonl")
    paths = sorted((tmp_path / "journal/2023-11/7").iterdir())
    for part in range(8):
        for path in paths:
            first = part * 1000 + (gap if part > 3 else 0)
            lines = [span(first + 10.0 * (n + 1), 10.0) for n in range(100)]
            torn = b"[1,2," if part % 2 else b""
            junk = b"junk\n" if part == 5 else b""
            append(path, *lines, junk, torn, changed=START + first + 1000)
            if torn:
                with path.open("ab") as file:
                    file.write(b"\n")
        now = max(path.stat().st_mtime for path in paths) + 1
        for path in paths:
            touch(path, now - 1)
        steps = steps_in([paths[0].parent])
        grown = job_account.growing(index, steps, now, utc_day)
        exact = whole(steps, now, utc_day)
        assert all(index.part(path)[1] for path in paths)
        a, b = grown.account, exact.account
        assert a.running and b.running and grown.days == pytest.approx(exact.days, rel=1e-9)
        assert a.duration_seconds == pytest.approx(b.duration_seconds, rel=1e-9)
        assert a.coverage == pytest.approx(b.coverage, rel=1e-9)
        for one, other in zip(a.devices, b.devices, strict=True):
            assert (one.node, one.device_id) == (other.node, other.device_id)
            assert one.energy.joules == pytest.approx(other.energy.joules, rel=1e-9)
            assert one.energy.low_joules == pytest.approx(other.energy.low_joules, rel=1e-9)
            assert one.held_seconds == pytest.approx(other.held_seconds, rel=1e-9)
            assert one.power_mean_watts == pytest.approx(other.power_mean_watts, rel=1e-9)
        assert sum(n.bad_lines for n in a.nodes) == sum(n.bad_lines for n in b.nodes)
        assert a.nodes[0].cpu_seconds == pytest.approx(b.nodes[0].cpu_seconds)
    ended = job_account.growing(index, steps, now + 100, utc_day)
    assert ended == whole(steps, now + 100, utc_day) and not ended.account.running
    assert not any(index.part(path)[1] for path in paths)


# Of the package's busy quarter, steps at the same time have parts of their own.
@pytest.mark.parametrize("kind", ["step", "attach"])
def test_what_sees_one_device_twice_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(job_account, "LARGE_BYTES", 0)
    index = memory()
    add(tmp_path, "7", *spans(60))
    path = add(tmp_path, "7", *spans(60), name="1.0.n1.0.jsonl", kind=kind)
    steps = steps_in([path.parent])
    grown = job_account.growing(index, steps, START + 61, utc_day)
    assert grown == whole(steps, START + 61, utc_day)
    assert grown.days == pytest.approx({"2023-11-14": 60 * (JOULES if kind == "attach" else 387.5)})


def test_a_journal_that_shrank_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_account, "LARGE_BYTES", 0)
    index = memory()
    path = add(tmp_path, "7", *spans(60))
    job_account.growing(index, steps_in([path.parent]), START + 61, utc_day)
    assert index.part(path)[0] == path.stat().st_size
    add(tmp_path, "7", *spans(10))
    grown = job_account.growing(index, steps_in([path.parent]), START + 11, utc_day)
    assert grown.account.devices[0].energy.joules == pytest.approx(3000.0)
    with index.writing():
        index.put_part(path, 10, "{junk")
    again = job_account.growing(index, steps_in([path.parent]), START + 11, utc_day)
    assert again == grown


def two_steps(root: Path) -> tuple[list[StepFiles], Kept]:
    """Steps 0 (60 s on n1 and n2) and 1 (30 s, the day after), and what is kept of them."""
    add(root, "7", *spans(60))
    add(root, "7", *spans(60), name="0.0.n2.1.jsonl")
    path = add(root, "7", *spans(30), name="1.0.n1.0.jsonl", wall_seconds=START + 86400)
    steps = steps_in([path.parent])
    now = START + 1e6
    figures = whole(steps, now, utc_day)
    row = row_of(figures.account, figures.days, now)
    return steps, Kept(row, figures.account, step_accounts(steps, now))


def test_with_a_step_whose_journals_are_gone(tmp_path: Path) -> None:
    steps, kept = two_steps(tmp_path)
    now = START + 1e6
    left = [files for files in steps if files.step == "1"]
    assert [part.step for part in steps_gone(left, kept)] == ["0"] and not steps_gone(steps, kept)
    joined = with_steps_gone(whole(left, now, utc_day), left, kept, now, utc_day)
    assert joined.account.steps == ("0", "1")
    assert joined.days == pytest.approx({"2023-11-14": 120 * JOULES, "2023-11-15": 30 * JOULES})
    assert {node.node for node in joined.account.nodes} == {"n1", "n2"}
    all_there = whole(steps, now, utc_day)
    assert with_steps_gone(all_there, steps, kept, now, utc_day) == all_there


def test_with_all_kept_steps_gone(tmp_path: Path) -> None:
    _, kept = two_steps(tmp_path)
    path = add(tmp_path, "8", *spans(10), name="2.0.n1.0.jsonl", wall_seconds=START + 2 * 86400)
    steps = steps_in([path.parent])
    joined = with_steps_gone(
        whole(steps, START + 1e6, utc_day), steps, kept, START + 1e6, utc_day
    )
    assert joined.days == pytest.approx(
        {"2023-11-14": 120 * JOULES, "2023-11-15": 30 * JOULES, "2023-11-16": 10 * JOULES}
    )


def test_kept_steps_that_overlapped_count_once(tmp_path: Path) -> None:
    """One of two is gone, and a later one came: the overlap was counted in the kept sum alone."""
    add(tmp_path, "7", *spans(60))
    path = add(tmp_path, "7", *spans(60), name="1.0.n1.0.jsonl")
    now = START + 1e6
    steps = steps_in([path.parent])
    figures = whole(steps, now, utc_day)
    row = row_of(figures.account, figures.days, now)
    kept = Kept(row, figures.account, step_accounts(steps, now))
    add(tmp_path, "7", *spans(10), name="2.0.n1.0.jsonl", monotonic_seconds=9000.0,
        wall_seconds=START + 4000)  # fmt: skip
    path.unlink()
    left = steps_in([path.parent])
    joined = with_steps_gone(whole(left, now, utc_day), left, kept, now, utc_day)
    gpu = next(d for d in joined.account.devices if d.device_kind == "gpu")
    assert gpu.energy.joules == pytest.approx(300.0 * (60 + 10))


def test_kept_figures_cover_steps_on_all_of_their_nodes(tmp_path: Path) -> None:
    steps, kept = two_steps(tmp_path)
    assert covers(kept, steps) and covers(kept, steps[:1]) and covers(kept, [])
    for name in ("0.0.n3.2.jsonl", "0.1.n1.0.jsonl", "2.0.n1.0.jsonl.gz"):
        path = tmp_path / "journal/2023-11/7" / name
        path.write_bytes(b"")
        assert not covers(kept, steps_in([path.parent])), name
        path.unlink()
    odd = add(tmp_path, "9", *spans(5), name="a_b.0.n 1.0.jsonl", step="a.b", node="n/1")
    odd.rename(odd.with_name("a_b.0.n_1.0.jsonl"))
    steps = steps_in([odd.parent])
    figures = whole(steps, START + 10, utc_day)
    assert covers(Kept(row_of(figures.account, {}, 0.0), figures.account, ()), steps)
