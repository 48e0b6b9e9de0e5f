"""The real system call, on the software event cpu-clock: it counts 1e9 per second and CPU, so with
a scale of 1e-7 joules it is a package of 100 W.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jobwatt.sources import perf_event
from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    DRAM,
    NO_READING,
    OK,
    PACKAGE,
    STUCK,
)
from jobwatt.sources.perf_event import PerfEvent
from tests.sources.trees import open_to_all, ordinary_user, write

SOFTWARE = 1  # PERF_TYPE_SOFTWARE
CPU_CLOCK = 0  # PERF_COUNT_SW_CPU_CLOCK
DUMMY = 9  # PERF_COUNT_SW_DUMMY: opens and stays at 0


def pmu(root: Path, cpumask: str = "0", pmu_type: int = SOFTWARE) -> Path:
    write(root / "sys/bus/event_source/devices/power/type", pmu_type)
    write(root / "sys/bus/event_source/devices/power/cpumask", cpumask)
    return root / "sys/bus/event_source/devices/power"


def event(folder: Path, name: str, config: int, scale: float, unit: str = "Joules") -> None:
    write(folder / "events" / name, f"event={config:#04x}")
    write(folder / "events" / f"{name}.scale", scale)
    write(folder / "events" / f"{name}.unit", unit)


def socket(root: Path, cpu: int, number: int) -> None:
    topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    write(topology / "physical_package_id", number)


def may_count() -> bool:
    try:
        os.close(perf_event.open_event(SOFTWARE, CPU_CLOCK, 0))
    except OSError:
        return False
    return True


counts = pytest.mark.skipif(not may_count(), reason="CPU-wide perf events are not allowed here")
two_cpus = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two CPUs")


def test_sysfs_of_an_intel_server(tmp_path: Path) -> None:
    folder = pmu(tmp_path, "0,28", pmu_type=31)
    event(folder, "energy-pkg", 2, 2.3283064365386962890625e-10)
    event(folder, "energy-ram", 3, 1.52587890625e-05)
    event(folder, "energy-psys", 5, 2.3283064365386962890625e-10)
    event(folder, "energy-cores", 1, 2.3283064365386962890625e-10)
    event(folder, "energy-gpu", 4, 2.3283064365386962890625e-10)
    package, memory = map(tuple, perf_event.find_events(folder))
    assert package == (PACKAGE, 31, 2, pytest.approx(2.0**-32, rel=1e-12))
    assert memory == (DRAM, 31, 3, pytest.approx(2.0**-16, rel=1e-12))


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", [0]), ("0,28", [0, 28]), ("0-2,8\n", [0, 1, 2, 8]), ("", []), ("all", [])],
)
def test_cpumask(text: str, cpus: list[int]) -> None:
    assert perf_event.parse_cpus(text) == cpus


@pytest.mark.parametrize(
    ("text", "config"),
    [("event=0x02", 2), ("event=3\n", 3), ("event=0x2,umask=0x1", None), ("", None), ("x", None)],
)
def test_event_config(text: str, config: int | None) -> None:
    assert perf_event.parse_config(text) == config


def test_no_pmu_is_absent(tmp_path: Path) -> None:
    probe = PerfEvent(tmp_path).probe()
    assert probe.state == ABSENT and "no PMU" in probe.detail


def test_psys_alone_is_absent_and_named(tmp_path: Path) -> None:
    event(pmu(tmp_path), "energy-psys", CPU_CLOCK, 1e-7)
    source = PerfEvent(tmp_path)
    probe = source.probe()
    assert (probe.state, probe.devices, source.read()) == (ABSENT, (), [])
    assert "energy-psys" in probe.detail


def test_another_unit_is_absent(tmp_path: Path) -> None:
    event(pmu(tmp_path), "energy-pkg", CPU_CLOCK, 1e-7, unit="Watts")
    assert PerfEvent(tmp_path).probe().state == ABSENT


@counts
@two_cpus
def test_known_power_times_time_on_two_sockets(tmp_path: Path) -> None:
    folder = pmu(tmp_path, "0-1")
    event(folder, "energy-pkg", CPU_CLOCK, 1e-7)
    event(folder, "energy-ram", CPU_CLOCK, 1e-8)
    socket(tmp_path, 0, 0)
    socket(tmp_path, 1, 1)
    source = PerfEvent(tmp_path)
    probe = source.probe()
    assert probe.state == OK
    ids = [device.id for device in probe.devices]
    assert ids == ["package-0", "package-1", "dram-0", "dram-1"]
    assert {(device.method, device.range_joules) for device in probe.devices} == {(COUNTER, None)}
    began, before = time.perf_counter(), source.read()
    time.sleep(1.0)
    seconds, after = time.perf_counter() - began, source.read()
    source.close()
    watts = [
        ((last.energy_joules or 0) - (first.energy_joules or 0)) / seconds
        for first, last in zip(before, after, strict=True)
    ]
    assert watts == pytest.approx([100, 100, 10, 10], rel=0.005)


@counts
@two_cpus
def test_one_register_seen_from_two_dies_is_counted_once(tmp_path: Path) -> None:
    event(pmu(tmp_path, "0,1"), "energy-pkg", CPU_CLOCK, 1e-7)
    socket(tmp_path, 0, 0)
    socket(tmp_path, 1, 0)
    source = PerfEvent(tmp_path)
    probe = source.probe()
    assert [device.id for device in probe.devices] == ["package-0"]
    assert len(source.read()) == 1 and "same register" in probe.detail
    source.close()


@counts
def test_an_event_that_stays_at_zero_is_stuck(tmp_path: Path) -> None:
    event(pmu(tmp_path), "energy-pkg", DUMMY, 1e-7)
    source = PerfEvent(tmp_path)
    assert source.probe().state == STUCK
    assert source.read() == []


@counts
def test_a_descriptor_that_fails_gives_no_reading_and_is_closed(tmp_path: Path) -> None:
    event(pmu(tmp_path), "energy-pkg", CPU_CLOCK, 1e-7)
    source = PerfEvent(tmp_path)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    probe = source.probe()
    descriptor = source._counters[0].descriptor
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, descriptor)  # an event whose CPU went away also reads as empty
    os.close(null)
    assert probe.state == OK and source.read() == [NO_READING]
    source.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    assert source.read() == []


def test_an_event_the_kernel_does_not_know_is_absent(tmp_path: Path) -> None:
    event(pmu(tmp_path, pmu_type=0x7FFFFFF0), "energy-pkg", 2, 1e-7)
    probe = PerfEvent(tmp_path).probe()
    assert probe.state in ((ABSENT,) if may_count() else (ABSENT, DENIED))


def test_paranoid_kernel_denies_with_one_remedy() -> None:
    paranoid = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    if paranoid < 1:
        pytest.skip("this kernel lets everybody count")
    with open_to_all() as root:
        event(pmu(root), "energy-pkg", CPU_CLOCK, 1e-7)
        write(root / "proc/sys/kernel/perf_event_paranoid", paranoid)
        with ordinary_user():
            source = PerfEvent(root)
            probe = source.probe()
    assert (probe.state, probe.devices, source.read()) == (DENIED, (), [])
    assert f"perf_event_paranoid={paranoid}" in probe.detail
    assert "perf_event_paranoid=0" in probe.remedy and "\n" not in probe.remedy
