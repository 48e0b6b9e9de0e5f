from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    DRAM,
    NO_READING,
    OK,
    PACKAGE,
    STUCK,
    Probe,
)
from jobwatt.sources.powercap import Powercap
from tests.hardware.power import Constant as Power
from tests.hardware.powercap import (
    Fault,
    PowercapTree,
    mirrored_dies,
    mmio_twin,
    package,
    psys,
    subzone,
)
from tests.sources.trees import Account, Zones, open_to_all, ordinary_user, write


def opened(zones: Zones) -> tuple[Powercap, Probe]:
    source = Powercap(zones.root, pause=zones.elapse)
    return source, source.probe()


def opened_without_moving(root: Path) -> tuple[Powercap, Probe]:
    source = Powercap(root, pause=lambda _: None)
    return source, source.probe()


def measured(zones: Zones, seconds: int = 60) -> dict[str, float | None]:
    source, probe = opened(zones)
    assert probe.state == OK, probe
    account = Account(source, list(probe.devices))
    for second in range(1, seconds + 1):
        zones.elapse(1.0)
        account.tick(second)
    source.close()
    return dict(zip((device.id for device in probe.devices), account.joules, strict=True))


@pytest.mark.parametrize("sockets", [1, 2])
def test_known_power_times_time(tmp_path: Path, sockets: int) -> None:
    zones = Zones(tmp_path)
    truth = {}
    for socket in range(sockets):
        zones.add(f"intel-rapl:{socket}", f"package-{socket}", 100.0 + 30 * socket)
        zones.add(f"intel-rapl:{socket}:0", "dram", 10.0 + socket)
        truth[f"package-{socket}"] = (100.0 + 30 * socket) * 60
        truth[f"dram-{socket}"] = (10.0 + socket) * 60
    assert measured(zones) == pytest.approx(truth, rel=0.005)


def test_devices_say_what_they_are(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0", 100, range_joules=65532.610987)
    zones.add("intel-rapl:0:0", "dram", 9, range_joules=65712.999613)
    source, probe = opened(zones)
    package, dram = probe.devices
    assert (package.kind, package.id, package.method) == (PACKAGE, "package-0", COUNTER)
    assert (dram.kind, dram.id, dram.source) == (DRAM, "dram-0", "powercap")
    assert package.range_joules == pytest.approx(65532.610987)
    assert dram.range_joules == pytest.approx(65712.999613)
    assert dram.error_fraction > package.error_fraction
    assert "package-0" in probe.detail and "not GPUs" in probe.covers
    source.close()


def test_wrap_is_bridged_with_each_zones_own_range(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0", 200, start_joules=262143 - 3000)
    zones.add("intel-rapl:0:0", "dram", 20, start_joules=65712 - 300, range_joules=65712.999)
    assert measured(zones) == pytest.approx({"package-0": 12000, "dram-0": 1200}, rel=0.005)


def test_parts_supersets_and_twins_are_not_counted(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    # psys first, so that taking zones by number would take it.
    zones.add("intel-rapl:0", "psys", 250)
    zones.add("intel-rapl:1", "package-0", 60)
    zones.add("intel-rapl:1:0", "core", 40)
    zones.add("intel-rapl:1:1", "uncore", 5)
    zones.add("intel-rapl-mmio:0", "package-0", 55, start_joules=77)
    write(tmp_path / "sys/class/powercap/intel-rapl/enabled", 1)
    assert measured(zones) == pytest.approx({"package-0": 3600}, rel=0.005)


def test_mmio_fills_in_for_a_package_without_msr_zone(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0", 60)
    zones.add("intel-rapl-mmio:0", "package-1", 70)
    zones.add("intel-rapl-mmio:1", "package-0", 55)
    assert measured(zones) == pytest.approx({"package-0": 3600, "package-1": 4200}, rel=0.005)


def test_mirrored_dies_are_counted_once(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    for index, (socket, die) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        zones.add(
            f"intel-rapl:{index}",
            f"package-{socket}-die-{die}",
            68 + socket,
            start_joules=5000.0 + socket,
        )
    joules = measured(zones)
    truth = {"package-0-die-0": 68.0 * 60, "package-1-die-0": 69.0 * 60}
    assert joules == pytest.approx(truth, rel=0.005)


def test_mirrored_dies_of_a_still_machine_are_counted_once(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0-die-0", 0, start_joules=5000)
    zones.add("intel-rapl:1", "package-0-die-1", 0, start_joules=5000)
    source, probe = opened(zones)
    assert [device.id for device in probe.devices] == ["package-0-die-0"]
    assert "1 left out" in probe.detail
    source.close()


@pytest.mark.parametrize("start_joules", [4999.0, 5000.5, 9000.0])
def test_real_dies_are_all_counted(tmp_path: Path, start_joules: float) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0-die-0", 60, start_joules=5000.0)
    zones.add("intel-rapl:0:0", "dram", 6, start_joules=70.0)
    zones.add("intel-rapl:1", "package-0-die-1", 64, start_joules=start_joules)
    zones.add("intel-rapl:1:0", "dram", 7, start_joules=90.0)
    truth = {
        "package-0-die-0": 3600.0,
        "package-0-die-1": 3840.0,
        "dram-0-die-0": 360.0,
        "dram-0-die-1": 420.0,
    }
    assert measured(zones) == pytest.approx(truth, rel=0.005)


def test_two_sockets_that_read_the_same_are_two(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0", 50)
    zones.add("intel-rapl:1", "package-1", 50)
    assert measured(zones) == pytest.approx({"package-0": 3000, "package-1": 3000}, rel=0.005)


@pytest.mark.parametrize("names", [[], ["psys"], ["core", "dram"]])
def test_absent(tmp_path: Path, names: list[str]) -> None:
    zones = Zones(tmp_path)
    for index, name in enumerate(names):
        zones.add(f"intel-rapl:{index}", name, 10)
    source, probe = opened(zones)
    assert (probe.state, probe.devices, source.read()) == (ABSENT, (), [])


def test_zones_masked_by_a_container_are_absent_and_said_so(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/powercap"
    folder.mkdir(parents=True)
    (folder / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl/gone")
    probe = Powercap(tmp_path).probe()
    assert probe.state == ABSENT and "hidden" in probe.detail


def test_root_only_counters_are_denied_with_one_lasting_remedy() -> None:
    with open_to_all() as root:
        zones = Zones(root)
        for index in range(2):
            energy = zones.add(f"intel-rapl:{index}", f"package-{index}", 100) / "energy_uj"
            energy.chmod(0o000 if index else 0o444)
        with ordinary_user():
            source, probe = opened_without_moving(root)
            assert source.read() == []
    assert probe.state == DENIED and probe.devices == ()
    assert "CVE-2020-8694" in probe.detail
    assert "\n" not in probe.remedy and "udev/rules.d" in probe.remedy


def test_memory_that_may_not_be_read_leaves_the_packages() -> None:
    with open_to_all() as root:
        zones = Zones(root)
        zones.add("intel-rapl:0", "package-0", 100)
        (zones.add("intel-rapl:0:0", "dram", 10) / "energy_uj").chmod(0o000)
        with ordinary_user():
            source, probe = opened_without_moving(root)
            source.close()
    assert [device.id for device in probe.devices] == ["package-0"]
    assert "1 memory zones may not be read" in probe.detail


def test_counters_at_zero_since_boot_are_stuck(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0", 0, start_joules=0)
    source, probe = opened(zones)
    assert probe.state == STUCK and source.read() == []


def test_counters_that_start_at_zero_and_move_are_fine(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    zones.add("intel-rapl:0", "package-0", 30, start_joules=0)
    zones.add("intel-rapl:1", "package-1", 40, start_joules=0)
    assert measured(zones) == pytest.approx({"package-0": 1800, "package-1": 2400}, rel=0.005)


def test_a_zone_that_fails_in_mid_run_is_unknown_and_the_others_go_on(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    broken = zones.add("intel-rapl:0", "package-0", 100) / "energy_uj"
    zones.add("intel-rapl:1", "package-1", 80)
    source, probe = opened(zones)
    account = Account(source, list(probe.devices))
    zones.elapse(1)
    broken.write_text("")
    failed, good = account.tick(1.0)
    assert failed == NO_READING
    assert good.energy_joules == pytest.approx(1080, rel=0.005)
    # The counter bridges the gap once it is back.
    zones.elapse(1)
    account.joules[0] = 0.0
    account.tick(2.0)
    assert account.joules == pytest.approx([200.0, 160.0], rel=0.005)
    source.close()
    assert source.read() == []


def test_a_read_is_one_system_call_per_zone(tmp_path: Path) -> None:
    zones = Zones(tmp_path)
    for index in range(4):
        zones.add(f"intel-rapl:{index}", f"package-{index}", 50)
    source, _ = opened(zones)
    costs = []
    for _ in range(200):
        began = time.perf_counter()
        source.read()
        costs.append((time.perf_counter() - began) / 4)
    source.close()
    assert sorted(costs)[len(costs) // 2] < 10e-6


def test_counters_moved_by_another_process(tmp_path: Path) -> None:
    """The whole tree as Linux lays it out: links, nested zones, and every trap at once."""
    dies = mirrored_dies(Power(68.0), 4)
    second = package(9, Power(120.0))
    second = replace(second, name="package-1")
    memory = subzone(second, 0, "dram", Power(14.0))
    traps = (
        psys(10, Power(400.0)),
        subzone(second, 1, "core", Power(90.0)),
        mmio_twin(second),
    )
    with PowercapTree(tmp_path, (*dies, second, memory, *traps)) as tree:
        source = Powercap(tmp_path)
        probe = source.probe()
        ids = [device.id for device in probe.devices]
        began, before = time.monotonic(), source.read()
        time.sleep(1.5)
        ended, after = time.monotonic(), source.read()
        source.close()
    truth = [tree.energy_joules(zone.zone, began, ended) for zone in (dies[0], second, memory)]
    rises = [
        (last.energy_joules or 0) - (first.energy_joules or 0)
        for first, last in zip(before, after, strict=True)
    ]
    assert ids == ["package-0-die-0", "package-1", "dram-1"]
    # The counters are refreshed every few milliseconds, as in hardware.
    assert rises == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize("fault", ["eio", "directory"])
def test_a_package_that_answers_with_an_error_is_unknown_not_left_out(
    tmp_path: Path, fault: Fault
) -> None:
    broken = replace(package(1, Power(60.0)), fault=fault)
    with PowercapTree(tmp_path, (package(0, Power(50.0)), broken)):
        source = Powercap(tmp_path)
        probe = source.probe()
        good, bad = source.read()
        source.close()
    assert probe.state == OK and "no value from intel-rapl:1" in probe.detail
    assert [device.id for device in probe.devices] == ["package-0", "package-1"]
    assert good != NO_READING and bad == NO_READING


@pytest.mark.parametrize("fault", ["eio", "directory", "missing"])
def test_no_package_that_answers_is_absent(tmp_path: Path, fault: Fault) -> None:
    with PowercapTree(tmp_path, (replace(package(0, Power(60.0)), fault=fault),)):
        source = Powercap(tmp_path)
        assert (source.probe().state, source.read()) == (ABSENT, [])
