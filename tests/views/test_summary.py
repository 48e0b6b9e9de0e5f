"""The summary's lines, one kind of finding each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobwatt.energy.account import account_job, account_step
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import Account
from jobwatt.sources.base import ABSENT, CPU_ESTIMATE, ESTIMATE, NODE
from jobwatt.views.clean import width
from jobwatt.views.report import build
from jobwatt.views.summary import summary_lines
from tests.journal.journals import CPU0, GPU0, head, power_row, span, write

NOW = 1e12


def measured(folder: Path, *lines: Any, **changes: Any) -> Journal:
    given = {"age_seconds": 0} | changes
    return read_journal(write(folder / "j.jsonl", head() | given, *lines))


def lines_of(account: Account) -> list[str]:
    lines = summary_lines(build(account))
    assert len(lines) <= 8
    assert all(width(line) <= 80 for line in lines)
    return lines


def line_of(account: Account, label: str) -> str:
    (line,) = [line for line in lines_of(account) if line.startswith(f"  {label:<7} ")]
    return line


def with_idle(account: Account, *idle: tuple[float, float | None]) -> Account:
    """The account's GPU as often as there are (idle seconds, idle joules)."""
    gpu, *others = account.devices
    gpus = [
        replace(gpu, device_id=f"GPU-{number}", idle_seconds=seconds, idle_energy_joules=joules)
        for number, (seconds, joules) in enumerate(idle)
    ]
    return replace(account, devices=(*gpus, *others))


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """A minute of one GPU and one package."""
    return account_step([measured(tmp_path, span(60.0, 60.0))], None, NOW)


@pytest.mark.parametrize(
    ("idle", "line"),
    [
        ([(50.0, 3600.0), (0.0, 0.0)], "  idle    GPU 0 of n1: 1.00 Wh in 50.0 s at 0 % use"),
        ([(50.0, None)], "  idle    GPU 0 of n1: unknown in 50.0 s at 0 % use"),
        (
            [(50.0, 3600.0), (0.0, 0.0), (50.0, 7200.0), (50.0, 3600.0)],
            "  idle    3 GPUs (most: GPU 2 of n1): 4.00 Wh at 0 % use",
        ),
        (
            [(50.0, None), (50.0, 7200.0)],
            "  idle    2 GPUs (most: GPU 1 of n1): 2.00 Wh at 0 % use",
        ),
    ],
)
def test_idle_gpus_are_told_with_their_sum(
    account: Account, idle: list[tuple[float, float | None]], line: str
) -> None:
    assert line_of(with_idle(account, *idle), "idle") == line


@pytest.mark.parametrize("letter", ["x", "節"])
def test_a_line_that_was_cut_shows_it(account: Account, letter: str) -> None:
    full = replace(account, events=("short",), problems=(letter * 90,))
    assert line_of(full, "event") == "  event   short"
    note = line_of(full, "note")
    assert note.endswith(f"{letter}…")
    assert width(note) in (79, 80)
    exact = replace(account, problems=("y" * 70,))
    assert line_of(exact, "note") == f"  note    {'y' * 70}"


def test_the_nodes_own_meter(tmp_path: Path) -> None:
    meter = CPU0._replace(kind=NODE, id="node")
    lines = [span(1.0, others=[power_row(), power_row(900.0)])]
    devices = [device._asdict() for device in (GPU0, CPU0, meter)]
    account = account_step([measured(tmp_path, *lines, devices=devices)], None, NOW)
    said = line_of(account, "node")
    assert said == "  node       900 J measured, mean 900 W, not in the total"
    assert "362 J metered" in line_of(account, "total")


def test_a_command_that_did_nothing_is_not_said_to_cost_nothing(tmp_path: Path) -> None:
    """Outside Slurm no core is its own: the idle machine is in none of its figures."""
    guess = CPU0._replace(kind=CPU_ESTIMATE, method=ESTIMATE, error_fraction=0.5)
    changes = {"devices": [guess._asdict()], "cpus_allocated": None}
    for seconds, said, total in (
        (0.0, "     0 J estimated: hardly any CPU time", "     0 J"),
        (0.8, "  10.0 J estimated (5.00 to 60.0 J), mean 10.0 W", "  10.0 J"),
    ):
        line = span(1.0, gpus=[], step=[seconds, 1, 0, 0])
        account = account_step([measured(tmp_path, line, **changes)], None, NOW)
        assert line_of(account, "CPU") == f"  CPU     {said}, idle not counted"
        expected = f"  total   {total} estimated, covers 100 %, idle not counted"
        assert line_of(account, "total") == expected


NO_LIBRARY = {"source": "nvml", "state": ABSENT, "detail": "NVML Shared Library Not Found"}


def unread(folder: Path, node: str, count: int) -> Journal:
    changes = {"node": node, "gpus_allocated": count, "rejected": [NO_LIBRARY]}
    given = {**changes, "devices": [CPU0._asdict()]}
    return measured(folder, span(1.0, gpus=[]), **given)


def test_gpus_that_no_driver_answers_for(tmp_path: Path) -> None:
    nodes = [unread(tmp_path / node, node, 1) for node in ("n1", "n2")]
    account = account_step(nodes, None, NOW)
    lines = lines_of(account)
    assert lines[0] == "jobwatt 7.0: 2 nodes, 2 GPUs, 1.0 s"
    assert lines[1] == "  GPU     unavailable: 2 allocated, no driver answers"
    assert line_of(account, "total").startswith("  total      125 J metered (")
    assert line_of(account, "total").endswith(", covers 100 %")
    assert line_of(account, "note") == "  note    n1: nvml absent: NVML Shared Library Not Found"
    assert not any(line.startswith("  idle") for line in lines)
    assert build(account).groups[0].rule == ""


def test_gpus_of_one_node_alone(tmp_path: Path) -> None:
    good = measured(tmp_path / "n1", span(1.0))
    account = account_job([([good, unread(tmp_path / "n2", "n2", 2)], None)], NOW)
    said = "  GPU        300 J measured, mean 300 W, use 90 %, 2 of 3 unavailable"
    assert line_of(account, "GPU") == said
