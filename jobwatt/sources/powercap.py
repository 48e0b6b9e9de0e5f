"""CPU sockets and their memory through RAPL's powercap zones (`/sys/class/powercap`).

Zones are chosen by their `name` file, never by number: `package-N` and `package-N-die-M`, and the
`dram` subzone of each. `core` and `uncore` are parts of a package and `psys` contains it, so they
are never counted; `intel-rapl-mmio` is a second view of the same packages, used only for one that
has no other. Sources: Linux `Documentation/power/powercap/powercap.rst`; error of DRAM up to
20 % (Desrochers, Paradis and Weaver, MEMSYS 2016).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    DRAM,
    NO_READING,
    OK,
    PACKAGE,
    STUCK,
    Device,
    Probe,
    Reading,
)
from jobwatt.sources.files import (
    close_all,
    first_number,
    is_there,
    open_to_read,
    pread_text,
    read_number,
    read_text,
)
from jobwatt.sources.mirrors import without_mirrors

MAX_SOCKET_WATTS = 1500.0
"""Ceiling for one socket or its memory: three times the largest socket of 2026 (500 W)."""
DRAM_ERROR_FRACTION = 0.20

REMEDY = (
    """echo 'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*:*", ACTION=="add|change", """
    """RUN+="/bin/chmod a+r /sys%p/energy_uj"' | sudo tee /etc/udev/rules.d/60-rapl.rules """
    """&& sudo udevadm control --reload && sudo udevadm trigger -s powercap -c change"""
)
"""A udev rule, so that it survives a reboot and a reload of the driver."""

_PACKAGE_NAME = re.compile(r"package-(\d+)(?:-die-(\d+))?$")


class Zone(NamedTuple):
    """One zone worth counting."""

    kind: str
    socket: str
    """Number of the socket, as the kernel names it."""
    label: str
    """`0` or `0-die-1`: what tells it from the others of its kind."""
    path: Path


def find_zones(root: Path) -> list[Zone]:
    """Package zones and their DRAM below `<root>/sys/class/powercap`, sorted, each once."""
    chosen: dict[tuple[str, str], Zone] = {}
    # intel-rapl-mmio last, so that it only fills gaps.
    folders = _entries(root)
    for folder in sorted(folders, key=lambda path: ("mmio" in path.name, path.name)):
        parent_name, _, number = folder.name.rpartition(":")
        if not number:
            continue
        name = read_text(folder / "name") or ""
        kind = PACKAGE
        if name == "dram":
            kind = DRAM
            name = read_text(folder.with_name(parent_name) / "name") or ""
        match = _PACKAGE_NAME.match(name)
        if match and is_there(folder / "energy_uj"):
            label = name.removeprefix("package-")
            chosen.setdefault((kind, label), Zone(kind, match[1], label, folder))
    return sorted(chosen.values(), key=lambda zone: (zone.kind == DRAM, *_order(zone)))


class Powercap:
    """RAPL by powercap. Needs read permission on `energy_uj`, root's alone since Linux 5.10."""

    name = "powercap"

    def __init__(self, root: Path, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits some milliseconds between the reads that tell mirrored and dead zones."""
        self._root = root
        self._pause = pause
        self._descriptors: list[int] = []

    def probe(self) -> Probe:
        """Open every zone. One package that may not be read makes the whole source DENIED."""
        zones = find_zones(self._root)
        opened: list[Zone] = []
        unreadable: list[Zone] = []
        for zone in zones:
            try:
                self._descriptors.append(open_to_read(zone.path / "energy_uj"))
                opened.append(zone)
            except PermissionError:
                unreadable.append(zone)
            except OSError:
                continue
        if any(zone.kind == PACKAGE for zone in unreadable):
            self.close()
            return Probe(
                self.name,
                DENIED,
                detail="energy_uj is readable by root only, as in every Linux since 5.10 "
                "(CVE-2020-8694: fast readers can learn secrets of other users)",
                remedy=REMEDY,
            )
        values = self._microjoules()
        # A package whose counter fails stays: its energy is unknown, not absent from the node.
        silent = [zone for zone, value in zip(opened, values, strict=True) if value is None]
        if not any(zone.kind == PACKAGE and zone not in silent for zone in opened):
            self.close()
            return Probe(self.name, ABSENT, detail=self._why_absent())
        kept = without_mirrors(
            [(zone.kind, zone.socket) for zone in opened],
            self._microjoules,
            self._pause,
            same_zero=True,
        )
        if self._never_counted([index for index in kept if opened[index].kind == PACKAGE]):
            self.close()
            return Probe(self.name, STUCK, detail="the package counters stay at 0")
        mirrors = len(opened) - len(kept)
        self._keep(kept)
        devices = [_device(opened[index]) for index in kept]
        return Probe(
            self.name,
            OK,
            devices,
            _describe(devices, mirrors, len(unreadable), silent),
            resolution="1 µJ (hardware: 15 to 61 µJ), refreshed every 1 ms",
            covers="CPU sockets and the memory that RAPL knows; "
            "not GPUs, disks, network, fans, power supplies",
        )

    def read(self) -> Sequence[Reading]:
        """One counter per zone; NO_READING for one that cannot be read any more."""
        return [
            NO_READING if value is None else Reading(energy_joules=value / 1e6)
            for value in self._microjoules()
        ]

    def close(self) -> None:
        """Close the zones."""
        close_all(self._descriptors)

    def _microjoules(self) -> list[float | None]:
        return [first_number(pread_text(descriptor)) for descriptor in self._descriptors]

    def _never_counted(self, packages: Sequence[int]) -> bool:
        """No package has moved since boot: what some virtual machines show."""
        for wait_seconds in (0.0, 0.02, 0.08):
            if wait_seconds:
                self._pause(wait_seconds)
            values = self._microjoules()
            if any(values[index] for index in packages):
                return False
        return True

    def _keep(self, kept: Sequence[int]) -> None:
        dropped = [fd for index, fd in enumerate(self._descriptors) if index not in kept]
        self._descriptors = [self._descriptors[index] for index in kept]
        close_all(dropped)

    def _why_absent(self) -> str:
        entries = _entries(self._root)
        if not entries:
            return "no zone in /sys/class/powercap (no RAPL, a virtual machine, or no driver)"
        if not all(is_there(folder) for folder in entries):
            return "the zones are hidden, as container runtimes do"
        return "no package with a counter among the zones: " + ", ".join(
            folder.name for folder in entries[:8]
        )


def _device(zone: Zone) -> Device:
    range_microjoules = read_number(zone.path / "max_energy_range_uj")
    return Device(
        zone.kind,
        f"{zone.kind}-{zone.label}",
        f"{zone.kind}-{zone.label}",
        Powercap.name,
        COUNTER,
        range_joules=range_microjoules / 1e6 if range_microjoules else None,
        max_power_watts=MAX_SOCKET_WATTS,
        error_fraction=DRAM_ERROR_FRACTION if zone.kind == DRAM else 0.05,
    )


def _describe(
    devices: Sequence[Device], mirrors: int, unreadable: int, silent: Sequence[Zone]
) -> str:
    text = ", ".join(device.name for device in devices)
    if mirrors:
        text += f"; {mirrors} left out: same register as another die's"
    if unreadable:
        text += f"; {unreadable} memory zones may not be read"
    if silent:
        text += f"; no value from {', '.join(zone.path.name for zone in silent)}"
    return text


def _entries(root: Path) -> list[Path]:
    """All control types and zones; `/sys/class/powercap` lists subzones beside their parents."""
    try:
        return sorted((root / "sys/class/powercap").iterdir())
    except OSError:
        return []


def _order(zone: Zone) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", zone.label))
