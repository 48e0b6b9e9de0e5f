"""Journals of steps and nodes -> one account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobwatt.energy.account import END_SLACK_SECONDS, RUNNING_SECONDS, account_job, account_step
from jobwatt.energy.attribute import RULE_CORES, RULE_MACHINE, RULE_NONE, RULE_WHOLE
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED, UNAVAILABLE, Account, DeviceEnergy
from jobwatt.sources.base import CPU_ESTIMATE, ESTIMATE, NODE
from tests.journal.journals import CPU0, GPU0, gpu_row, head, power_row, span, write

START = 1_700_000_000.0


def journal(tmp_path: Path, *lines: Any, **changes: Any) -> Journal:
    return read_journal(write(tmp_path / "j.jsonl", head() | changes, *lines))


def seconds(count: int, first: int = 1) -> list[list[float | None]]:
    return [span(float(number)) for number in range(first, first + count)]


def devices(account: Account) -> dict[str, DeviceEnergy]:
    return {f"{device.node} {device.device_id}": device for device in account.devices}


def test_one_node(tmp_path: Path) -> None:
    end = {"t": 10, "w": START + 10, "end": "gone"}
    account = account_step([journal(tmp_path, *seconds(10), end)], None, START)
    gpu, cpu = account.devices
    assert (gpu.energy.joules, gpu.energy.kind) == (3000.0, MEASURED)
    assert gpu.energy.low_joules == pytest.approx(2850.0)
    assert gpu.power_mean_watts == pytest.approx(300.0)
    # Of 1000 J a quarter is busy, all by this step; half of the idle rest goes with its cores.
    assert cpu.energy.joules == pytest.approx(625.0)
    assert cpu.energy.kind == ATTRIBUTED
    assert cpu.whole_joules == 1000.0
    assert cpu.idle_part_joules == pytest.approx(375.0)
    assert account.duration_seconds == pytest.approx(10.5)
    assert account.start_wall_seconds == START - 0.5
    assert account.coverage == pytest.approx(10 / 10.5)
    assert not account.running
    (node,) = account.nodes
    assert (node.cpu_seconds, node.memory_peak_bytes) == (20.0, 1 << 30)
    assert (node.read_bytes, node.written_bytes) == (15 * 2**20, 5 * 2**20)
    assert node.sampler_cpu_seconds == pytest.approx(0.01)
    assert node.missed_ticks == 0
    assert account.details == (("SLURM_JOB_NAME", "train"),)


def test_all_of_a_node_held_whole(tmp_path: Path) -> None:
    cpu = account_step([journal(tmp_path, *seconds(4), whole_node=True)], None, START).devices[1]
    assert (cpu.energy.joules, cpu.energy.kind, cpu.rule) == (400.0, MEASURED, RULE_WHOLE)


def test_cores_alone(tmp_path: Path) -> None:
    line = span(1.0, step=[None, None, None, None])
    cpu = account_step([journal(tmp_path, line)], None, START).devices[1]
    assert (cpu.energy.joules, cpu.rule) == (50.0, RULE_CORES)
    assert cpu.energy.low_joules == 0.0
    assert cpu.energy.high_joules == pytest.approx(105.0)
    cpu = account_step([journal(tmp_path, line, cpus_allocated=None)], None, START).devices[1]
    assert (cpu.energy.joules, cpu.energy.kind, cpu.rule) == (None, UNAVAILABLE, RULE_NONE)
    assert cpu.whole_joules == 100.0


def test_a_node_meter_is_the_whole_machine_and_no_part_of_the_coverage(tmp_path: Path) -> None:
    meter = CPU0._replace(kind=NODE, id="node")
    lines = [span(float(n), others=[power_row(900.0 if n == 1 else None)]) for n in (1, 2)]
    made = journal(tmp_path, *lines, devices=[GPU0._asdict(), meter._asdict()], age_seconds=0)
    account = account_step([made], None, START)
    assert account.devices[1].rule == RULE_MACHINE
    assert (account.devices[1].energy.joules, account.devices[1].coverage) == (900.0, 0.5)
    assert account.coverage == 1.0


def test_an_estimate_stays_an_estimate(tmp_path: Path) -> None:
    guess = CPU0._replace(kind=CPU_ESTIMATE, method=ESTIMATE, error_fraction=0.5)
    for whole in (True, False):
        made = journal(tmp_path, span(1.0), devices=[GPU0._asdict(), guess._asdict()],
                       whole_node=whole)  # fmt: skip
        assert account_step([made], None, START).devices[1].energy.kind == ESTIMATED


def test_unknown_energy_lowers_the_coverage_and_is_not_zero(tmp_path: Path) -> None:
    lines = [*seconds(3), span(4.0, gpus=[gpu_row(None)])]
    account = account_step([journal(tmp_path, *lines, age_seconds=0)], None, START)
    assert account.devices[0].energy.joules == 900.0
    assert account.devices[0].coverage == 0.75
    assert account.devices[0].power_mean_watts == 300.0
    assert account.coverage == 0.75


def test_a_recorded_end_counts_unless_it_is_absurd(tmp_path: Path) -> None:
    made = journal(tmp_path, *seconds(10), age_seconds=0)
    for end, duration in (
        (START + 10.8, 10.8),
        (START + 10 + END_SLACK_SECONDS + 1, 10.0),
        (START + 5.0, 10.0),
        (None, 10.0),
        (float("nan"), 10.0),
    ):
        account = account_step([made], end, START + 1e6)
        assert account.duration_seconds == pytest.approx(duration)
        assert account.coverage == pytest.approx(10.0 / duration)


def test_running(tmp_path: Path) -> None:
    made = journal(tmp_path, *seconds(2))
    now = made.modified_wall_seconds
    assert account_step([made], None, now + RUNNING_SECONDS - 1).running
    assert not account_step([made], None, now + RUNNING_SECONDS + 1).running
    assert not account_step([made], START + 2.1, now).running
    ended = journal(tmp_path, *seconds(2), {"t": 2, "w": 2, "end": "gone"})
    assert not account_step([ended], None, now).running


def test_a_job_runs_while_its_last_step_does(tmp_path: Path) -> None:
    first = journal(tmp_path / "0", *seconds(2))
    second = journal(tmp_path / "1", *seconds(2), step="1", monotonic_seconds=6000.0)
    now = second.modified_wall_seconds + 1
    assert account_job([([first], START + 2.1), ([second], None)], now).running
    assert not account_job([([first], START + 2.1), ([second], START + 2.1)], now).running


def test_two_nodes_with_devices_of_one_name(tmp_path: Path) -> None:
    nodes = [journal(tmp_path / node, *seconds(2), node=node) for node in ("n1", "n2")]
    account = account_step(nodes, None, START)
    assert {key: d.energy.joules for key, d in devices(account).items() if "GPU" in key} == {
        "n1 GPU-0": 600.0,
        "n2 GPU-0": 600.0,
    }
    assert len(account.nodes) == 2


def test_a_clock_ahead_on_one_node_moves_no_energy(tmp_path: Path) -> None:
    first = journal(tmp_path / "a", *seconds(2), node="n1")
    ahead = journal(tmp_path / "b", *seconds(2), node="n2", wall_seconds=START + 7.0)
    account = account_step([first, ahead], None, START)
    assert [d.energy.joules for d in account.devices if d.device_id == "GPU-0"] == [600.0, 600.0]


SHIFTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SHIFTS, st.integers(-1000, 1000))
def test_steps_that_overlap_count_a_device_once(
    tmp_path: Path, steps: list[tuple[int, int]], clock_step: int
) -> None:
    """Each step is (start, length) in seconds; a step of the wall clock changes nothing."""
    groups = []
    for number, (begin, length) in enumerate(steps):
        made = journal(
            tmp_path / str(number),
            *seconds(length),
            step=str(number),
            age_seconds=0,
            monotonic_seconds=5000.0 + begin,
            wall_seconds=START + begin + (clock_step if number else 0),
        )
        groups.append(([made], None))
    account = account_job(groups, START)
    covered = {second for begin, length in steps for second in range(begin, begin + length)}
    gpu = devices(account)["n1 GPU-0"]
    assert gpu.energy.joules == pytest.approx(300.0 * len(covered))
    assert gpu.covered_seconds == pytest.approx(len(covered))
    cpu = devices(account)["n1 package-0"]
    assert cpu.whole_joules == pytest.approx(100.0 * len(covered))
    assert len(account.steps) == len(steps)


def test_concurrent_steps_share_the_node_by_their_cpu_time(tmp_path: Path) -> None:
    """One of the two busy CPUs each: together what one step with both would have."""
    halves = [
        journal(tmp_path / name, span(1.0, step=[1.0, 1, 1, 1]), step=name, age_seconds=0)
        for name in ("0", "1")
    ]
    account = account_job([([half], None) for half in halves], START)
    cpu = devices(account)["n1 package-0"]
    assert cpu.energy.joules == pytest.approx(62.5)
    assert cpu.idle_part_joules == pytest.approx(37.5)


def test_a_job_of_one_step_keeps_its_name(tmp_path: Path) -> None:
    made = journal(tmp_path, *seconds(1))
    assert account_job([([made], None)], START).step == "0"
    other = journal(tmp_path / "b", *seconds(1), step="1", monotonic_seconds=9e3)
    both = account_job([([made], None), ([other], None)], START)
    assert (both.step, both.steps) == ("", ("0", "1"))


def test_what_was_not_measured_is_said_once(tmp_path: Path) -> None:
    probes = [
        {"source": "powercap", "state": "denied", "detail": "energy_uj: Permission denied"},
        {"source": "hwmon", "state": "absent", "detail": "none"},
    ]
    changes = {"rejected": probes, "problems": ["journal.tick_seconds is 0"]}
    made = [journal(tmp_path / name, *seconds(1), b"{", step=name, **changes) for name in "01"]
    account = account_job([([one], None) for one in made], START)
    assert account.problems == (
        "n1: powercap denied: energy_uj: Permission denied",
        "j.jsonl: 1 damaged lines left out",
        "journal.tick_seconds is 0",
    )
