from __future__ import annotations

from pathlib import Path

import pytest

from jobwatt.sources.base import ABSENT, CPU_ESTIMATE, ESTIMATE, NO_READING, OK, Reading
from jobwatt.sources.estimate import (
    BUSY_WATTS_PER_THREAD,
    IDLE_WATTS_PER_THREAD,
    Estimate,
    modelled_power_watts,
)
from tests.sources.trees import Account, write


class Stat:
    """`/proc/stat` of a node with a known busy fraction."""

    def __init__(self, root: Path, cpus: int) -> None:
        self.path = root / "proc/stat"
        self.cpus = cpus
        self.fields = [1000, 10, 500, 90_000, 300, 5, 5, 20, 700, 0]
        self.elapse(0, 0)

    def elapse(self, seconds: float, busy_fraction: float) -> None:
        ticks = round(seconds * 100 * self.cpus)
        busy = round(ticks * busy_fraction)
        # Half of the busy time runs guests, which /proc/stat shows twice; part of the idle time
        # waits for I/O.
        self.fields[0] += busy
        self.fields[8] += busy // 2
        self.fields[3] += (ticks - busy) - (ticks - busy) // 4
        self.fields[4] += (ticks - busy) // 4
        line = " ".join(str(field) for field in self.fields)
        cpus = "".join(f"cpu{index} {line}\n" for index in range(self.cpus))
        write(self.path, f"cpu  {line}\n{cpus}intr 12345 6\nctxt 99")


@pytest.mark.parametrize("busy_fraction", [0.0, 0.25, 1.0])
def test_model_times_time(tmp_path: Path, busy_fraction: float) -> None:
    stat = Stat(tmp_path, 64)
    source = Estimate(tmp_path)
    probe = source.probe()
    stat.elapse(1, busy_fraction)
    account = Account(source, list(probe.devices))
    for second in range(1, 61):
        stat.elapse(1, busy_fraction)
        account.tick(second)
    watts = 64 * (0.74 + (3.5 - 0.74) * busy_fraction)
    assert account.joules == pytest.approx([watts * 60], rel=0.005)


def test_it_never_passes_for_a_measurement(tmp_path: Path) -> None:
    Stat(tmp_path, 8)
    probe = Estimate(tmp_path).probe()
    (device,) = probe.devices
    assert (probe.state, device.kind, device.method) == (OK, CPU_ESTIMATE, ESTIMATE)
    assert device.error_fraction >= 0.5
    assert "estimated" in device.name and "estimated" in probe.detail
    assert "estimated" in probe.covers


def test_a_cpu_without_smt_is_a_whole_core(tmp_path: Path) -> None:
    stat = Stat(tmp_path, 32)
    write(tmp_path / "sys/devices/system/cpu/smt/active", 0)
    source = Estimate(tmp_path)
    source.probe()
    stat.elapse(1, 1.0)
    assert source.read()[0].power_watts == pytest.approx(32 * 2 * BUSY_WATTS_PER_THREAD)
    assert modelled_power_watts(32, 0.0, smt=True) == pytest.approx(32 * IDLE_WATTS_PER_THREAD)


def test_number_of_cpus_may_be_given(tmp_path: Path) -> None:
    stat = Stat(tmp_path, 2)
    source = Estimate(tmp_path, cpu_count=10)
    source.probe()
    stat.elapse(1, 0.0)
    assert source.read()[0].power_watts == pytest.approx(7.4)


def test_no_time_between_reads_keeps_the_last_power(tmp_path: Path) -> None:
    stat = Stat(tmp_path, 4)
    source = Estimate(tmp_path)
    source.probe()
    assert source.read() == [Reading(energy_joules=0.0)]
    stat.elapse(1, 0.5)
    first = source.read()
    assert first[0].power_watts is not None and source.read() == first


@pytest.mark.parametrize("text", ["", "cpu", "cpu a b c d e f", "intr 5"])
def test_unreadable_stat_is_unknown_and_absent(tmp_path: Path, text: str) -> None:
    stat = Stat(tmp_path, 4)
    source = Estimate(tmp_path)
    source.probe()
    stat.path.write_text(text)
    assert source.read() == [NO_READING]
    assert Estimate(tmp_path).probe().state == ABSENT


def test_on_this_machine() -> None:
    source = Estimate(Path("/"))
    probe = source.probe()
    assert probe.state == OK and len(source.read()) == 1
