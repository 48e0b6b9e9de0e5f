"""Small `/sys` and `/proc` trees with known power, moved by hand: no clock, no thread."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jobwatt.energy.counter import Meter, advance
from jobwatt.sources.base import Device, Reading, Source

NOBODY = 65534


def write(path: Path, text: object) -> Path:
    """Rewrite in place, as sysfs does, so that open descriptors see the new text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    return path


class Zones:
    """Powercap zones: `add` them, then let time pass."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.power_watts: dict[str, float] = {}
        self._counters: dict[str, float] = {}
        self._ranges: dict[str, float] = {}

    def add(
        self,
        zone: str,
        name: str,
        power_watts: float,
        start_joules: float = 1000.0,
        range_joules: float = 262143.328850,
    ) -> Path:
        folder = self.root / "sys/class/powercap" / zone
        write(folder / "name", name)
        write(folder / "max_energy_range_uj", round(range_joules * 1e6))
        self.power_watts[zone] = power_watts
        self._ranges[zone] = range_joules
        self._counters[zone] = start_joules
        self.elapse(0.0)
        return folder

    def elapse(self, seconds: float) -> None:
        for zone, watts in self.power_watts.items():
            total = (self._counters[zone] + watts * seconds) % self._ranges[zone]
            self._counters[zone] = total
            write(self.root / "sys/class/powercap" / zone / "energy_uj", int(total * 1e6))


class Account:
    """Feeds a source's readings to one meter per device."""

    def __init__(self, source: Source, devices: list[Device]) -> None:
        self.source = source
        self.devices = devices
        self.meters = [Meter() for _ in devices]
        self.joules: list[float | None] = [0.0 for _ in devices]
        self.tick(0.0)

    def tick(self, time_seconds: float) -> list[Reading]:
        readings = list(self.source.read())
        assert len(readings) == len(self.devices)
        for index, (device, reading) in enumerate(zip(self.devices, readings, strict=True)):
            first = self.meters[index].time_seconds is None
            self.meters[index], step = advance(
                self.meters[index],
                time_seconds,
                reading.energy_joules,
                reading.power_watts,
                device.range_joules,
                device.max_power_watts,
            )
            total = self.joules[index]
            if not first:
                lost = total is None or step.energy_joules is None
                self.joules[index] = None if lost else (total or 0) + (step.energy_joules or 0)
        return readings


@contextlib.contextmanager
def open_to_all() -> Iterator[Path]:
    """A folder that an ordinary user may enter, unlike pytest's `tmp_path`."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root)


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Root steps down for a while, since no mode stops root from reading."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
