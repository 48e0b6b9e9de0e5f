from __future__ import annotations

from pathlib import Path

import pytest

from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    NO_READING,
    NODE,
    OK,
    POLLED,
    STUCK,
)
from jobwatt.sources.hwmon import Hwmon
from tests.sources.trees import Account, open_to_all, ordinary_user, write


def meter(
    root: Path, index: int, name: str, watts: float, label: str = "", below: str = ""
) -> Path:
    folder = root / f"sys/class/hwmon/hwmon{index}" / below
    write(folder / "name", name)
    write(folder / "power1_average", round(watts * 1e6))
    if label:
        write(folder / "power1_oem_info", label)
    return folder


@pytest.mark.parametrize("below", ["", "device"])
def test_known_power_times_time(tmp_path: Path, below: str) -> None:
    folder = meter(tmp_path, 3, "power_meter", 400, below=below)
    write(folder / "power1_average_interval", 1000)
    meter(tmp_path, 0, "amdgpu", 300)
    source = Hwmon(tmp_path)
    probe = source.probe()
    (device,) = probe.devices
    assert (device.kind, device.id, device.method) == (NODE, "node", POLLED)
    assert probe.resolution == "mean of 1 s"
    account = Account(source, [device])
    for second in range(1, 61):
        write(folder / "power1_average", 600_000_000 if second % 2 else 400_000_000)
        account.tick(second)
    source.close()
    assert account.joules == pytest.approx([500 * 60], rel=0.005)


@pytest.mark.parametrize("name", ["amdgpu", "amd_energy", "nouveau", "coretemp", "ina3221"])
def test_parts_of_the_node_are_not_the_node(tmp_path: Path, name: str) -> None:
    meter(tmp_path, 0, name, 300)
    source = Hwmon(tmp_path)
    assert (source.probe().state, list(source.read())) == (ABSENT, [NO_READING])


def test_nothing_there_is_absent(tmp_path: Path) -> None:
    assert Hwmon(tmp_path).probe().state == ABSENT


def test_modules_of_grace_are_summed_without_their_parts(tmp_path: Path) -> None:
    labels = ("Module Power", "Grace Power", "CPU Power", "SysIO Power")
    for index, label in enumerate(label for label in labels for _ in range(2)):
        meter(tmp_path, index, "power_meter", 500 - 50 * index, f"{label} Socket {index % 2}")
    source = Hwmon(tmp_path)
    probe = source.probe()
    assert probe.state == OK and "modules" in probe.covers
    assert [reading.power_watts for reading in source.read()] == [pytest.approx(500 + 450)]
    source.close()


def test_a_part_alone_or_two_meters_of_unknown_scope_are_not_the_node(tmp_path: Path) -> None:
    part, pair = tmp_path / "part", tmp_path / "pair"
    meter(part, 0, "power_meter", 90, "CPU Power Socket 0")
    meter(pair, 0, "power_meter", 300)
    meter(pair, 1, "power_meter", 310)
    assert Hwmon(part).probe().state == ABSENT
    assert Hwmon(pair).probe().state == ABSENT


def test_a_battery_is_not_the_node(tmp_path: Path) -> None:
    write(meter(tmp_path, 0, "power_meter", 60) / "power1_is_battery", 1)
    assert Hwmon(tmp_path).probe().state == ABSENT


def test_energy_counter_of_the_meter_is_preferred(tmp_path: Path) -> None:
    folder = meter(tmp_path, 0, "power_meter", 400)
    write(folder / "energy1_input", 5_000_000)
    source = Hwmon(tmp_path)
    (device,) = source.probe().devices
    assert device.method == COUNTER
    account = Account(source, [device])
    write(folder / "energy1_input", 5_000_000 + 10 * 431_000_000)
    account.tick(10.0)
    source.close()
    assert account.joules == pytest.approx([4310], rel=0.005)


@pytest.mark.parametrize("text", ["", "error", "4294967295000000", "-1000000"])
def test_what_is_no_power_is_unknown(tmp_path: Path, text: str) -> None:
    folder = meter(tmp_path, 0, "power_meter", 400)
    source = Hwmon(tmp_path)
    assert source.probe().state == OK
    (folder / "power1_average").write_text(text)
    assert source.read() == [NO_READING]
    source.close()
    assert Hwmon(tmp_path).probe().state == ABSENT


def test_a_node_at_zero_watts_is_stuck(tmp_path: Path) -> None:
    meter(tmp_path, 0, "power_meter", 0)
    assert Hwmon(tmp_path).probe().state == STUCK


@pytest.mark.parametrize(
    ("accuracy", "fraction"), [("2.0%", 0.05), ("15.0%", 0.15), ("", 0.10), ("x", 0.10)]
)
def test_error_band_is_the_meters_own(tmp_path: Path, accuracy: str, fraction: float) -> None:
    write(meter(tmp_path, 0, "power_meter", 400) / "power1_accuracy", accuracy)
    source = Hwmon(tmp_path)
    assert source.probe().devices[0].error_fraction == pytest.approx(fraction)
    source.close()


def test_root_only_is_denied() -> None:
    with open_to_all() as root:
        (meter(root, 0, "power_meter", 400) / "power1_average").chmod(0o000)
        with ordinary_user():
            probe = Hwmon(root).probe()
    assert probe.state == DENIED and probe.remedy.startswith("sudo ")
