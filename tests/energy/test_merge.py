"""Totals and rows of several steps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobwatt.energy.merge import (
    join_accounts,
    lowest_coverage,
    merge_devices,
    sum_energies,
    total,
)
from jobwatt.model import (
    ATTRIBUTED,
    ESTIMATED,
    MEASURED,
    UNAVAILABLE,
    Account,
    DeviceEnergy,
    Energy,
    NodeUse,
)
from jobwatt.sources.base import GPU, NODE, PACKAGE

GPU0 = DeviceEnergy(
    "n1", GPU, "GPU-0", "A100", "nvml", "counter", Energy(1000.0, MEASURED, 900.0, 1100.0),
    coverage=1.0, covered_seconds=10.0, held_seconds=10.0, utilization_mean_percent=50.0,
    event_reasons=1,
    idle_seconds=2.0, idle_energy_joules=100.0, power_peak_watts=120.0, memory_peak_bytes=7,
)  # fmt: skip
CPU = DeviceEnergy(
    "n1", PACKAGE, "package-0", "package-0", "powercap", "counter",
    Energy(500.0, ATTRIBUTED, 300.0, 800.0),
)  # fmt: skip
GUESS = replace(CPU, device_id="cpus", energy=Energy(70.0, ESTIMATED, 35.0, 105.0))
METER = replace(CPU, device_kind=NODE, device_id="node", energy=Energy(9000.0, MEASURED, 1.0, 2.0))
BLANK = replace(GPU0, device_id="GPU-1", energy=Energy(None, UNAVAILABLE), coverage=0.0,
                covered_seconds=0.0, held_seconds=10.0)  # fmt: skip


def test_the_total_is_without_the_node_meter_and_without_estimates() -> None:
    assert total([GPU0, CPU, GUESS, METER, BLANK]) == Energy(1500.0, ATTRIBUTED, 1200.0, 1900.0)
    assert total([GPU0, METER]) == Energy(1000.0, MEASURED, 900.0, 1100.0)
    assert total([GPU0, GUESS], (ESTIMATED,)) == GUESS.energy
    assert total([METER, BLANK]) is None
    assert total([]) is None


def test_unknown_parts_are_left_out() -> None:
    assert sum_energies([Energy(None, UNAVAILABLE)]) is None
    assert sum_energies([Energy(None, UNAVAILABLE), Energy(3.0, MEASURED, 2.0, 4.0)]) == Energy(
        3.0, MEASURED, 2.0, 4.0
    )


def test_two_steps_of_one_device_are_one_row() -> None:
    later = replace(
        GPU0, energy=Energy(4000.0, MEASURED, 3600.0, 4400.0), coverage=0.5, covered_seconds=30.0,
        held_seconds=60.0,
        utilization_mean_percent=90.0, event_reasons=4, idle_seconds=None, power_peak_watts=300.0,
        memory_peak_bytes=None,
    )  # fmt: skip
    (row,) = merge_devices([GPU0, later])
    assert row.energy == Energy(5000.0, MEASURED, 4500.0, 5500.0)
    assert row.covered_seconds == 40.0
    assert row.coverage == pytest.approx(40.0 / 70.0)
    assert row.power_mean_watts == pytest.approx(125.0)
    assert row.utilization_mean_percent == pytest.approx(80.0)
    assert (row.power_peak_watts, row.memory_peak_bytes, row.event_reasons) == (300.0, 7, 5)
    assert (row.idle_seconds, row.idle_energy_joules) == (2.0, 200.0)


def test_the_less_trusted_kind_wins() -> None:
    (row,) = merge_devices([CPU, replace(CPU, energy=GUESS.energy, rule="b")])
    assert row.energy.kind == ESTIMATED
    assert row.energy.joules == 570.0


def test_one_name_on_two_nodes_is_two_devices() -> None:
    assert merge_devices([CPU, replace(CPU, node="n2")]) == [CPU, replace(CPU, node="n2")]


def test_rules_are_said_once() -> None:
    rows = [replace(CPU, rule=rule) for rule in ("a", "b", "a", "")]
    assert merge_devices(rows)[0].rule == "a; b"


def test_three_parts_with_throttling() -> None:
    rows = [replace(GPU0, event_reasons=mask) for mask in (1, 2, 4)]
    assert merge_devices(rows)[0].event_reasons == 7


def test_a_step_that_covered_nothing_lowers_the_coverage_by_the_time_that_it_held() -> None:
    (row,) = merge_devices([GPU0, replace(BLANK, device_id="GPU-0")])
    assert row.coverage == 0.5
    assert row.energy == GPU0.energy
    (row,) = merge_devices([GPU0, replace(BLANK, device_id="GPU-0", held_seconds=0.0)])
    assert row.coverage == 1.0


USE = NodeUse("n1", 5.0, 4, 100, 1.0, None, 0.1, 2, 1)
STEP = Account("7", "0", 0, "a", 1000.0, 10.0, False, 1.0, (USE,), (GPU0, METER), steps=("0",))


def test_one_account_is_itself() -> None:
    assert join_accounts([STEP]) is STEP


def test_accounts_of_two_steps_are_one_of_the_job() -> None:
    later = replace(
        STEP, step="1", restart=1, start_wall_seconds=1100.0, duration_seconds=20.0, running=True,
        steps=("1",), nodes=(replace(USE, memory_peak_bytes=50, written_bytes=7.0),
                             replace(USE, node="n2", cpu_seconds=None)),
        devices=(replace(GPU0, coverage=0.5, covered_seconds=10.0, held_seconds=20.0), CPU),
        events=("late",), problems=("x",), exit_code=3,
    )  # fmt: skip
    for order in ([STEP, later], [later, STEP]):
        job = join_accounts(order)
        assert (job.step, job.steps, job.restart, job.running) == ("", ("0", "1"), 1, True)
        assert (job.start_wall_seconds, job.duration_seconds) == (1000.0, 120.0)
        assert job.exit_code == 3 and job.events == ("late",) and job.problems == ("x",)
        whole = total(job.devices)
        assert whole is not None and whole.joules == 2500.0
        assert job.coverage == pytest.approx(20.0 / 30.0)
        first, second = job.nodes
        assert (first.node, second.node) == ("n1", "n2")
        assert (first.cpu_seconds, first.memory_peak_bytes, first.bad_lines) == (10.0, 100, 2)
        assert (first.read_bytes, first.written_bytes, first.missed_ticks) == (2.0, 7.0, 4)
        assert first.sampler_cpu_seconds == pytest.approx(0.2)
        assert (second.cpu_seconds, second.cpus_allocated) == (None, 4)


def test_accounts_of_the_same_step_keep_its_name_and_say_a_problem_once() -> None:
    part = replace(STEP, problems=("x",))
    job = join_accounts([part, replace(part, start_wall_seconds=1010.0), part])
    assert (job.step, job.steps, job.problems) == ("0", ("0",), ("x",))
    assert job.duration_seconds == 20.0


def test_the_order_of_three_parts_does_not_matter() -> None:
    parts = [replace(STEP, start_wall_seconds=1000.0 + 10 * n) for n in range(3)]
    joined = join_accounts(parts)
    assert join_accounts([join_accounts(parts[:2]), parts[2]]) == joined
    assert join_accounts(parts[::-1]) == joined


def test_the_lowest_coverage_leaves_out_the_node_meter_and_the_unknown() -> None:
    half = replace(GPU0, coverage=0.5)
    assert lowest_coverage([GPU0, half, replace(METER, coverage=0.1)]) == 0.5
    assert lowest_coverage([CPU, METER]) is None
    assert lowest_coverage([BLANK, GPU0]) == 0.0
