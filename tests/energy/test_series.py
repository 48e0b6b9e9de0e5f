"""Power and utilisation over time: the account's energies, where their readings put them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jobwatt.energy.account import account_job
from jobwatt.energy.series import MAX_BINS, Series, series_of
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED, Account
from jobwatt.sources.base import CPU_ESTIMATE, DRAM, ESTIMATE, GPU, NODE, PACKAGE
from tests.journal.journals import CPU0, GPU0, gpu_row, head, power_row, span, write

START = 1_700_000_000.0


def journal(folder: Path, *lines: Any, name: str = "j", **changes: Any) -> Journal:
    return read_journal(write(folder / f"{name}.jsonl", head() | changes, *lines))


def made(journals: Sequence[Journal], **more: Any) -> Series:
    series = series_of(journals, **more)
    assert series is not None
    return series


def joules(series: Series, watts: Sequence[float | None]) -> float:
    return sum(value or 0.0 for value in watts) * series.bin_seconds


def energy(account: Account, *kinds: str) -> float:
    return sum(d.energy.joules or 0.0 for d in account.devices if d.device_kind in kinds)


def test_one_node(tmp_path: Path) -> None:
    lines = [span(1.0), span(2.0, gpus=[gpu_row(None)]), span(4.0, 2.0)]
    series = made([journal(tmp_path, *lines)])
    assert (series.start_wall_seconds, series.bin_seconds) == (START, 1.0)
    assert series.end_wall_seconds == START + 4
    assert series.gpu_power_watts == pytest.approx((300.0, None, 300.0, 300.0))
    assert series.gpu_utilization_percent == pytest.approx((90.0, 90.0, 90.0, 90.0))
    assert (series.gpu_kind, series.cpu_kind) == (MEASURED, ATTRIBUTED)
    # A quarter of the package is busy, all by this step, and half of the rest goes with its cores.
    assert series.cpu_power_watts == pytest.approx((62.5, 62.5, 62.5, 62.5))
    (gpu,) = series.gpus
    assert (gpu.node, gpu.device_id) == ("n1", GPU0.id)
    assert gpu.power_watts == series.gpu_power_watts


def test_bins_follow_the_length(tmp_path: Path) -> None:
    assert len(made([journal(tmp_path, span(0.5, 0.5))]).gpu_power_watts) == 1
    assert len(made([journal(tmp_path, span(90.0, 90.0))]).gpu_power_watts) == 90
    day = made([journal(tmp_path, span(86_400.0, 86_400.0))])
    assert len(day.gpu_power_watts) == len(day.cpu_power_watts) == MAX_BINS
    assert day.bin_seconds == 180.0
    assert len(made([journal(tmp_path, span(90.0, 90.0))], max_bins=7).gpu_power_watts) == 7


def test_between_limits(tmp_path: Path) -> None:
    series = made(
        [journal(tmp_path, span(10.0, 10.0))], limits_wall_seconds=(START + 8, START + 12)
    )
    assert series.gpu_power_watts == pytest.approx((300.0, 300.0, None, None))


def test_nothing_to_show(tmp_path: Path) -> None:
    assert series_of([]) is None
    assert series_of([journal(tmp_path)]) is None
    assert series_of([journal(tmp_path, span(0.0, 0.0))]) is None
    one = [journal(tmp_path, span(1.0))]
    assert series_of(one, limits_wall_seconds=(START, START)) is None


def test_nodes_share_the_wall_clock(tmp_path: Path) -> None:
    early = journal(tmp_path, span(1.0), span(2.0), span(3.0))
    late = journal(
        tmp_path, span(1.0), name="late", node="n2", monotonic_seconds=77.0,
        wall_seconds=START + 2.5,
    )  # fmt: skip
    series = made([late, early])
    assert series.bin_seconds == pytest.approx(3.5 / 3)
    assert joules(series, series.gpu_power_watts) == pytest.approx(1200.0)
    assert series.gpu_power_watts[0] == pytest.approx(300.0)
    assert [gpu.node for gpu in series.gpus] == ["n1", "n2"]
    assert series.gpus[1].power_watts[:2] == (None, None)


def test_a_gap_is_none_and_idle_is_0(tmp_path: Path) -> None:
    idle = gpu_row(0.0)
    idle[3] = 0.0
    series = made([journal(tmp_path, span(1.0, gpus=[idle]), span(3.0))])
    assert series.gpu_power_watts == pytest.approx((0.0, None, 300.0))
    assert series.gpu_utilization_percent == pytest.approx((0.0, None, 90.0))


def test_steps_that_see_the_same_gpu_count_it_once(tmp_path: Path) -> None:
    first = journal(tmp_path, *(span(float(n)) for n in range(1, 9)))
    second = journal(
        tmp_path, *(span(float(n)) for n in range(1, 9)), name="second", step="1",
        monotonic_seconds=5004.0, wall_seconds=START + 4,
    )  # fmt: skip
    series = made([second, first])
    assert series.gpu_power_watts == pytest.approx((300.0,) * 12)
    assert series.gpu_utilization_percent == pytest.approx((90.0,) * 12)
    account = account_job([([first], None), ([second], None)], START)
    assert joules(series, series.gpu_power_watts) == pytest.approx(energy(account, GPU))
    assert joules(series, series.cpu_power_watts) == pytest.approx(energy(account, PACKAGE))
    assert len(series.gpus) == 1


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("allocated", [None, 0, 3])
def test_the_sum_is_the_account(tmp_path: Path, whole: bool, allocated: int | None) -> None:
    devices = [
        GPU0, GPU0._replace(id="MIG-1", share=0.25), CPU0, CPU0._replace(id="package-1"),
        CPU0._replace(id="dram-0", kind=DRAM), CPU0._replace(id="node", kind=NODE),
    ]  # fmt: skip
    rows = [power_row(70.0), power_row(None), power_row(20.0), power_row(500.0)]
    lines = [
        span(3.0, 2.0, [gpu_row(100.0), gpu_row(80.0)], rows),
        span(4.5, 1.5, [gpu_row(None), gpu_row(60.0)], rows, step=[None, 1, 1, 1]),
        span(9.0, 2.5, [gpu_row(900.0), gpu_row(9.0)], rows, step=[30.0, 1, 1, 1]),
        span(11.0, 2.0, [gpu_row(1.0), gpu_row(0.0)], rows, node=[0.0, 0.0]),
        span(17.3, 6.3, [gpu_row(1.0), gpu_row(0.0)], rows, step=[0.1, 1, 1, 1], node=[9.0, 5.0]),
    ]
    changes = {"whole_node": whole, "cpus_allocated": allocated}
    known = [device._asdict() for device in devices]
    nodes = [
        journal(tmp_path, *lines, name=name, node=name, devices=known, **changes)
        for name in ("n1", "n2")
    ]
    series = made(nodes)
    account = account_job([(nodes, None)], START)
    assert joules(series, series.gpu_power_watts) == pytest.approx(energy(account, GPU))
    assert joules(series, series.cpu_power_watts) == pytest.approx(energy(account, PACKAGE))
    by_gpu = [joules(series, gpu.power_watts) for gpu in series.gpus]
    gpus = [device for device in account.devices if device.device_kind == GPU]
    assert by_gpu == pytest.approx([device.energy.joules for device in gpus])
    assert series.gpu_kind == ESTIMATED
    assert series.cpu_kind == (MEASURED if whole else ATTRIBUTED)


def test_an_estimate_of_the_cpu_says_so(tmp_path: Path) -> None:
    guess = CPU0._replace(kind=CPU_ESTIMATE, method=ESTIMATE)
    made_up = journal(tmp_path, span(1.0, gpus=[]), devices=[guess._asdict()], whole_node=True)
    series = made([made_up])
    assert (series.cpu_kind, series.gpu_kind) == (ESTIMATED, "")
    assert series.cpu_power_watts == (100.0,)
    assert series.gpu_power_watts == series.gpu_utilization_percent == (None,)


def test_odd_heads_and_times_do_no_harm(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"monotonic_seconds": "x", "cpus_total": None, "cpus_allocated": "y"}
    odd["node"] = 3
    journals = [
        journal(tmp_path, span(5.0), span(1.0), span(1.0), **odd),
        journal(tmp_path, span(2.0), name="k", **odd, devices=[GPU0._asdict(), CPU0._asdict()]),
    ]
    assert joules(made(journals), made(journals).gpu_power_watts) > 0
