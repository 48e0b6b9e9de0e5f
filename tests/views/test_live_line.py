"""The line of a measurement under way: the watts since the last time."""

from __future__ import annotations

from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED, Account, DeviceEnergy, Energy
from jobwatt.views.live_line import LiveLine


def device(
    name: str, joules: float | None, seconds: float, kind: str = MEASURED, what: str = "gpu"
) -> DeviceEnergy:
    energy = Energy(joules, kind, joules, joules)
    return DeviceEnergy("n1", what, name, name, "nvml", "counter", energy, covered_seconds=seconds)


def account(*devices: DeviceEnergy, seconds: float = 65.0) -> Account:
    return Account("12", "attach-1", 0, "", 0.0, seconds, True, None, (), devices)


def test_power_since_the_last_time() -> None:
    line = LiveLine("12")
    first = line.text(account(device("a", 2000.0, 10.0), device("b", 100.0, 1.0)))
    assert first == "jobwatt 12: 300 W now, 2100 J metered in 1 min 05 s"
    again = line.text(account(device("a", 2500.0, 11.0), device("b", 100.0, 1.0)))
    assert "600 W now, 2600 J metered" in again  # b has no newer reading


def test_metered_joules_only() -> None:
    devices = (
        device("a", 100.0, 1.0),
        device("p", 50.0, 1.0, ATTRIBUTED, "package"),
        device("e", 10.0, 1.0, ESTIMATED, "cpu_estimate"),
        device("n", 500.0, 1.0, MEASURED, "node"),
        device("u", None, 0.0),
    )
    assert "150 W now, 150 J metered" in LiveLine("12").text(account(*devices))
    assert "10.0 W now, 10.0 J estimated" in LiveLine("12").text(account(devices[2]))


def test_without_a_meter_and_with_an_odd_name() -> None:
    assert LiveLine("12").text(account()) == "jobwatt 12: no meter, 1 min 05 s"
    assert "\x1b" not in LiveLine("1\x1b[2J").text(account())
    assert len(LiveLine("1" * 200).text(account())) <= 79
