"""One line on a measurement under way: power now, energy so far."""

from __future__ import annotations

from collections.abc import Sequence

from jobwatt.energy.merge import METERED
from jobwatt.energy.units import format_duration, format_energy, format_power
from jobwatt.model import ESTIMATED, Account, DeviceEnergy
from jobwatt.sources.base import NODE
from jobwatt.views.clean import clean
from jobwatt.views.report import build

COLUMNS = 79


class LiveLine:
    """Its watts are those since the account before, or since the start."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._joules: dict[tuple[str, str], float] = {}
        self._seconds: dict[tuple[str, str], float] = {}
        self._power_watts: dict[tuple[str, str], float] = {}

    def text(self, account: Account) -> str:
        """At most 79 columns: the last one would wrap on some terminals."""
        report = build(account)
        energy, kind = report.metered, "metered"
        kinds: Sequence[str] = METERED
        if energy is None:
            energy, kind, kinds = report.estimated, ESTIMATED, (ESTIMATED,)
        duration = format_duration(account.duration_seconds)
        if energy is None:
            return clean(f"jobwatt {self._job}: no meter, {duration}", COLUMNS)
        power = self._power(account.devices, kinds)
        now = f"{format_power(power)} now, " if power is not None else ""
        used = f"{format_energy(energy.joules)} {kind} in {duration}"
        return clean(f"jobwatt {self._job}: {now}{used}", COLUMNS)

    def _power(self, devices: Sequence[DeviceEnergy], kinds: Sequence[str]) -> float | None:
        for device in devices:
            key = (device.node, device.device_id)
            joules, seconds = device.energy.joules, device.covered_seconds
            if joules is None or device.energy.kind not in kinds or device.device_kind == NODE:
                continue
            elapsed = seconds - self._seconds.get(key, 0.0)
            if elapsed > 0:  # else there is nothing newer of this one
                self._power_watts[key] = (joules - self._joules.get(key, 0.0)) / elapsed
                self._joules[key], self._seconds[key] = joules, seconds
        return sum(self._power_watts.values()) if self._power_watts else None
