from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobwatt.sources.base import ABSENT, DENIED, DRAM, OK, PACKAGE, STUCK, Device, Probe
from jobwatt.sources.ladder import CPU_LADDER, NODE_SOURCES, choose, probe_all
from tests.sources.test_perf_event import CPU_CLOCK, counts, event, pmu
from tests.sources.test_pm_counters import Blade
from tests.sources.trees import Zones, write


def one(kind: str, source: str) -> Device:
    return Device(kind, f"{kind}-0", f"{kind}-0", source, "counter")


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ([OK, OK, OK], 0),
        ([DENIED, OK, OK], 1),
        ([STUCK, ABSENT, OK], 2),
        ([ABSENT, DENIED, STUCK], None),
        ([], None),
    ],
)
def test_first_that_works(states: list[str], chosen: int | None) -> None:
    assert choose([Probe("any", state) for state in states]) == chosen


def test_rungs_are_not_mixed() -> None:
    powercap = Probe("powercap", OK, [one(PACKAGE, "powercap")])
    perf = Probe("perf", OK, [one(PACKAGE, "perf"), one(DRAM, "perf")])
    assert choose([powercap, perf]) == 0


def test_names_are_one_per_source(tmp_path: Path) -> None:
    names = [factory(tmp_path).name for factory in (*CPU_LADDER, *NODE_SOURCES)]
    assert names == ["powercap", "perf", "estimate", "pm_counters", "hwmon"]


def test_bare_machine_falls_to_the_estimate(tmp_path: Path) -> None:
    write(tmp_path / "proc/stat", "cpu 1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8")
    found = probe_all(tmp_path)
    states = {probe.source: probe.state for _, probe in found}
    assert states.pop("estimate") == OK
    assert set(states.values()) == {ABSENT}
    assert all(probe.detail for _, probe in found)
    cpu_probes = [probe for _, probe in found[: len(CPU_LADDER)]]
    assert choose(cpu_probes) == 2
    for source, _ in found:
        source.close()


@counts
def test_a_node_with_everything(tmp_path: Path) -> None:
    write(tmp_path / "proc/stat", "cpu 1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8")
    Zones(tmp_path).add("intel-rapl:0", "package-0", 100)
    event(pmu(tmp_path), "energy-pkg", CPU_CLOCK, 1e-7)
    write(tmp_path / "sys/class/hwmon/hwmon0/name", "power_meter")
    write(tmp_path / "sys/class/hwmon/hwmon0/power1_average", 400_000_000)
    Blade(tmp_path, 500)  # nobody writes on: stuck
    open_before = len(os.listdir("/proc/self/fd"))
    found = probe_all(tmp_path)
    states = {probe.source: probe.state for _, probe in found}
    assert states == {
        "powercap": OK,
        "perf": OK,
        "estimate": OK,
        "pm_counters": STUCK,
        "hwmon": OK,
    }
    assert all(len(source.read()) == len(probe.devices) for source, probe in found if probe.devices)
    for source, _ in found:
        source.close()
        source.close()
    assert len(os.listdir("/proc/self/fd")) == open_before
