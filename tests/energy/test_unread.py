"""GPUs that were allocated and could not be read: unavailable, and no part of any figure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobwatt.energy.account import account_job, account_step
from jobwatt.energy.merge import join_accounts, total
from jobwatt.energy.unread import is_unread, why_unread
from jobwatt.history.measured import row_of
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import UNAVAILABLE
from jobwatt.sources.base import ABSENT, DENIED, GPU
from tests.journal.journals import CPU0, head, span, write

START = 1_700_000_000.0
NO_LIBRARY = {"source": "nvml", "state": ABSENT, "detail": "NVML Shared Library Not Found"}


def unread(folder: Path, count: Any = 2, **changes: Any) -> Journal:
    """Ten seconds of a node with a package alone, on which so many GPUs were allocated."""
    given = {"gpus_allocated": count, "rejected": [NO_LIBRARY], "age_seconds": 0} | changes
    lines = [span(float(second), gpus=[]) for second in range(1, 11)]
    return read_journal(write(folder / "j.jsonl", head([CPU0]) | given, *lines))


def read(folder: Path, **changes: Any) -> Journal:
    """The same, with a GPU that was read."""
    given = {"gpus_allocated": 1, "age_seconds": 0} | changes
    lines = [span(float(second)) for second in range(1, 11)]
    return read_journal(write(folder / "j.jsonl", head() | given, *lines))


def test_each_is_there_and_unavailable(tmp_path: Path) -> None:
    account = account_step([unread(tmp_path)], None, START)
    gpus = [device for device in account.devices if device.device_kind == GPU]
    assert [gpu.device_id for gpu in gpus] == ["gpu-0", "gpu-1"]
    for gpu in gpus:
        assert (gpu.energy.joules, gpu.energy.kind) == (None, UNAVAILABLE)
        assert (gpu.coverage, gpu.idle_seconds, gpu.power_mean_watts) == (None, None, None)
        assert why_unread(gpu) == "no driver answers"
    assert account.coverage == 1.0
    assert total(account.devices) == account.devices[-1].energy
    assert account.problems == ("n1: nvml absent: NVML Shared Library Not Found",)


@pytest.mark.parametrize("count", [None, 0, -1, "2", 2.0, True, 10**9])
def test_no_allocation_no_gpu(tmp_path: Path, count: Any) -> None:
    account = account_step([unread(tmp_path, count)], None, START)
    assert [device.device_kind for device in account.devices] == ["package"]
    assert account.problems == ()


@pytest.mark.parametrize(
    ("rejected", "why"),
    [
        ([], "source not in use"),
        (None, "source not in use"),
        ([{**NO_LIBRARY, "state": DENIED}], "access denied"),
        ([{**NO_LIBRARY, "detail": "0 of 4 visible GPUs: SLURM_STEP_GPUS"}],
         "none of them visible"),
    ],
)  # fmt: skip
def test_why(tmp_path: Path, rejected: Any, why: str) -> None:
    account = account_step([unread(tmp_path, 1, rejected=rejected)], None, START)
    assert why_unread(account.devices[0]) == why


def test_a_node_whose_gpus_were_read_has_those_alone(tmp_path: Path) -> None:
    """By another task, by another step, or by figures that were kept."""
    good, bad = read(tmp_path / "a"), unread(tmp_path / "b", 4, monotonic_seconds=9000.0)
    other = unread(tmp_path / "c", 1, node="n2")
    for account in (
        account_step([bad, good, other], None, START),
        account_job([([good], None), ([bad], None), ([other], None)], START),
        join_accounts([account_step([one], None, START) for one in (bad, good, other)]),
    ):
        gpus = {(d.node, d.device_id) for d in account.devices if d.device_kind == GPU}
        assert gpus == {("n1", "GPU-0"), ("n2", "gpu-0")}


def test_two_steps_have_the_same_gpus(tmp_path: Path) -> None:
    steps = [
        unread(tmp_path / name, count, step=name, monotonic_seconds=5000.0 + 60 * count)
        for name, count in (("0", 1), ("1", 2))
    ]
    account = account_job([([step], None) for step in steps], START)
    assert sum(map(is_unread, account.devices)) == 2
    gpu = account.devices[0]
    assert (gpu.energy.kind, gpu.coverage, gpu.rule) == (
        UNAVAILABLE, None, "allocated, no driver answers",
    )  # fmt: skip


def test_the_job_held_them(tmp_path: Path) -> None:
    account = account_step([unread(tmp_path)], None, START)
    row = row_of(account, {}, START)
    assert (row.gpus, row.gpu_joules, row.gpu_idle_joules) == (2, None, None)
    assert (row.utilization_mean_percent, dict(row.joules_by_model())) == (None, {})
    without = replace(account, devices=account.devices[-1:])
    assert row.metered_joules == row_of(without, {}, START).metered_joules
