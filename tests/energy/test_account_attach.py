"""What `jobwatt attach` and the job's own measured steps saw of the same time counts once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobwatt.energy.account import account_job
from jobwatt.energy.series import series_of
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import Account, DeviceEnergy
from tests.journal.journals import head, span, write

START = 1_700_000_000.0


def journal(folder: Path, first: int, count: int, cpu_seconds: float, **changes: Any) -> Journal:
    """Seconds of a node with 100 W and 2 of 8 CPUs busy, `cpu_seconds` of them by this."""
    step = str(changes["step"])
    lines = [
        span(float(number), step=[cpu_seconds, 1024, 4.0, 1.0]) for number in range(1, count + 1)
    ]
    shift = {"monotonic_seconds": 5000.0 + first, "wall_seconds": START + first}
    made = head() | {"age_seconds": 0} | shift | changes
    return read_journal(write(folder / f"{step}.0.n1.0.jsonl", made, *lines))


def account(*journals: Journal) -> Account:
    return account_job([([each], None) for each in journals], START)


def cpu(account: Account) -> DeviceEnergy:
    return next(device for device in account.devices if device.device_id == "package-0")


def attach(folder: Path, first: int, count: int, name: str = "attach-1", **more: Any) -> Journal:
    return journal(folder, first, count, 2.0, step=name, kind="attach", **more)


def test_a_step_within_the_time_of_attach(tmp_path: Path) -> None:
    """The step adds nothing: whole job and step are the same seconds."""
    alone = account(attach(tmp_path, 0, 10))
    step = journal(tmp_path, 2, 5, 1.0, step="0")
    both = account(attach(tmp_path / "both", 0, 10), step)
    assert cpu(both).energy.joules == pytest.approx(cpu(alone).energy.joules)
    assert cpu(both).idle_part_joules == pytest.approx(cpu(alone).idle_part_joules)
    assert cpu(both).coverage == pytest.approx(1.0)
    gpu = both.devices[0]
    assert gpu.energy.joules == pytest.approx(3000.0)
    assert gpu.covered_seconds == pytest.approx(10.0)
    [node] = both.nodes
    assert node.cpu_seconds == pytest.approx(20.0)
    assert node.read_bytes == pytest.approx(40 * 2**20)
    assert node.sampler_cpu_seconds == pytest.approx(0.015)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_step_that_began_before_attach(tmp_path: Path, order: tuple[int, int]) -> None:
    """4 s by the step, then 6 s by attach, though the step started first and goes on."""
    parts = (journal(tmp_path, 0, 8, 1.0, step="0"), attach(tmp_path, 4, 6))
    total = account(*(parts[number] for number in order))
    [node] = total.nodes
    assert node.cpu_seconds == pytest.approx(4 * 1.0 + 6 * 2.0)
    # Of 100 J a second a quarter is busy: half of it is the step's, or all of it the job's.
    busy = 4 * 12.5 + 6 * 25.0
    idle = 10 * 75.0 / 2
    assert cpu(total).energy.joules == pytest.approx(busy + idle)
    assert cpu(total).whole_joules == pytest.approx(1000.0)
    assert total.steps == ("0", "attach-1")
    assert total.coverage == pytest.approx(1.0)


def test_half_a_span(tmp_path: Path) -> None:
    step = journal(tmp_path, 0, 1, 1.0, step="0")
    beside = attach(tmp_path, 0, 1, monotonic_seconds=5000.5, wall_seconds=START + 0.5)
    assert account(step, beside).nodes[0].cpu_seconds == pytest.approx(0.5 + 2.0)


def test_attached_twice(tmp_path: Path) -> None:
    total = account(attach(tmp_path, 0, 6), attach(tmp_path, 4, 6, "attach-2"))
    assert total.nodes[0].cpu_seconds == pytest.approx(20.0)
    assert cpu(total).energy.joules == pytest.approx(10 * (25.0 + 75.0 / 2))
    assert total.devices[0].energy.joules == pytest.approx(3000.0)


def test_on_another_node_and_at_another_time(tmp_path: Path) -> None:
    """Nothing overlaps, nothing is left out."""
    step = journal(tmp_path, 0, 5, 1.0, step="0", node="n2")
    later = journal(tmp_path, 20, 5, 1.0, step="1")
    total = account(attach(tmp_path, 0, 10), step, later)
    used = {node.node: node.cpu_seconds for node in total.nodes}
    assert used == {"n1": pytest.approx(25.0), "n2": pytest.approx(5.0)}


def test_components_of_a_het_job_on_one_node(tmp_path: Path) -> None:
    """Each has its own CPU time there."""
    parts = [
        journal(tmp_path, 0, 10, 1.0, step=name, kind="attach")
        for name in ("attach-1", "attach-1+1")
    ]
    assert account(*parts).nodes[0].cpu_seconds == pytest.approx(20.0)
    step = journal(tmp_path, 0, 10, 0.5, step="0+1")
    assert account(*parts, step).nodes[0].cpu_seconds == pytest.approx(20.0)
    assert account(parts[0], step).nodes[0].cpu_seconds == pytest.approx(15.0)


@pytest.mark.parametrize("whole_node", [False, True])
def test_power_over_time_adds_up_to_the_account(tmp_path: Path, whole_node: bool) -> None:
    step = journal(tmp_path, 0, 8, 1.0, step="0", whole_node=whole_node)
    both = (step, attach(tmp_path, 4, 6, whole_node=whole_node))
    series = series_of(both)
    assert series is not None
    joules = sum(watts or 0.0 for watts in series.cpu_power_watts) * series.bin_seconds
    assert joules == pytest.approx(cpu(account(*both)).energy.joules)
