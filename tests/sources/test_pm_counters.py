from __future__ import annotations

from pathlib import Path

import pytest

from jobwatt.sources.base import ABSENT, COUNTER, DENIED, NO_READING, NODE, OK, STUCK
from jobwatt.sources.pm_counters import PmCounters, number_in
from tests.sources.trees import Account, open_to_all, ordinary_user, write


class Blade:
    """A blade controller of known power, ten beats a second."""

    def __init__(self, root: Path, power_watts: float) -> None:
        self.root = root
        self.folder = root / "sys/cray/pm_counters"
        self.power_watts = power_watts
        self.seconds = 0.0
        self.elapse(0.0)

    def elapse(self, seconds: float) -> None:
        self.seconds += seconds
        stamp = f"{int(1.6e15 + self.seconds * 1e6)} us"
        write(self.folder / "energy", f"{int(9e6 + self.power_watts * self.seconds)} J {stamp}")
        write(self.folder / "power", f"{self.power_watts:.0f} W {stamp}")
        write(self.folder / "freshness", int(self.seconds * 10))
        write(self.folder / "accel_energy", f"5 J {stamp}")


def test_known_power_times_time(tmp_path: Path) -> None:
    blade = Blade(tmp_path, 1234.5)
    source = PmCounters(tmp_path, pause=blade.elapse)
    probe = source.probe()
    (device,) = probe.devices
    assert (probe.state, device.kind, device.method, device.range_joules) == (
        OK,
        NODE,
        COUNTER,
        None,
    )
    account = Account(source, [device])
    for second in range(1, 61):
        blade.elapse(1.0)
        (reading,) = account.tick(second)
    assert reading.power_watts == 1234
    source.close()
    assert account.joules == pytest.approx([1234.5 * 60], rel=0.005)


def test_nothing_there_is_absent(tmp_path: Path) -> None:
    source = PmCounters(tmp_path)
    assert (source.probe().state, source.read()) == (ABSENT, [NO_READING])


def test_a_controller_that_does_not_write_is_stuck(tmp_path: Path) -> None:
    Blade(tmp_path, 500)
    assert PmCounters(tmp_path, pause=lambda _: None).probe().state == STUCK


def test_stale_power_is_unknown(tmp_path: Path) -> None:
    blade = Blade(tmp_path, 500)
    source = PmCounters(tmp_path, pause=blade.elapse)
    source.probe()
    assert source.read()[0].power_watts == 500
    stale = source.read()[0]
    assert stale.power_watts is None and stale.energy_joules is not None
    blade.elapse(0.1)
    assert source.read()[0].power_watts == 500
    source.close()


def test_a_counter_that_goes_away_is_unknown(tmp_path: Path) -> None:
    blade = Blade(tmp_path, 500)
    source = PmCounters(tmp_path, pause=blade.elapse)
    source.probe()
    for name in ("energy", "power", "freshness"):
        (blade.folder / name).write_text("")
    assert source.read() == [NO_READING]
    source.close()


def test_text_without_number_is_absent(tmp_path: Path) -> None:
    blade = Blade(tmp_path, 500)
    write(blade.folder / "energy", "not available")
    assert PmCounters(tmp_path, pause=blade.elapse).probe().state == ABSENT


def test_root_only_is_denied() -> None:
    with open_to_all() as root:
        blade = Blade(root, 500)
        (blade.folder / "energy").chmod(0o000)
        with ordinary_user():
            probe = PmCounters(root).probe()
    assert probe.state == DENIED and "/sys/cray/pm_counters/energy" in probe.remedy


@pytest.mark.parametrize(
    ("text", "value"),
    [("2451 J 16 us", 2451.0), ("2451", 2451.0), ("2451 kJ", None), ("", None), (None, None)],
)
def test_unit_is_checked(text: str | None, value: float | None) -> None:
    assert number_in(text, "J") == value
