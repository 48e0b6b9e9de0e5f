"""The whole node's power from its ACPI power meter (`/sys/class/hwmon`).

Only hwmon drivers of `NODE_METERS` count: those of GPUs, CPUs and disks (`amdgpu`, `amd_energy`,
`nouveau`, …) meter a part. Source: Linux `Documentation/hwmon/acpi_power_meter.rst` and
`Documentation/hwmon/sysfs-interface.rst` (power in µW, energy in µJ).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    NO_READING,
    NODE,
    OK,
    POLLED,
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

NODE_METERS = ("power_meter",)
"""Values of hwmon's `name` that meter the whole machine: `power_meter` is ACPI's."""

MODULE_LABEL = "module power"
PART_LABELS = ("grace power", "cpu power", "sysio power")
"""NVIDIA Grace has four ACPI meters per socket: `Module Power Socket N` (CPU, memory, GPU) contains
the three others (Grace Performance Tuning Guide, "Power Telemetry")."""

MAX_NODE_WATTS = 100_000.0
"""Above it the meter says "unknown" (ACPI: 0xFFFFFFFF mW)."""

REMEDY = "sudo chmod a+r /sys/class/hwmon/hwmon*/power1_average"


class Meter(NamedTuple):
    """One node meter: the folder with its attributes, and what it calls itself."""

    folder: Path
    label: str


def find_meters(root: Path) -> list[Meter]:
    """Every node meter below `<root>/sys/class/hwmon`."""
    meters = []
    for hwmon in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        # Attributes are in hwmonN, or in its device for drivers of the older interface.
        folders = [hwmon, hwmon / "device"]
        name = next(filter(None, (read_text(folder / "name") for folder in folders)), "")
        if name not in NODE_METERS:
            continue
        for folder in folders:
            if _power_file(folder) is not None:
                if read_number(folder / "power1_is_battery") != 1:
                    meters.append(Meter(folder, read_text(folder / "power1_oem_info") or ""))
                break
    return meters


def choose_meters(meters: Sequence[Meter]) -> Sequence[Meter]:
    """The meters whose sum is the node: the only one, else all modules; empty if unclear."""
    whole = [meter for meter in meters if not meter.label.lower().startswith(PART_LABELS)]
    if len(whole) <= 1:
        return whole
    return [meter for meter in whole if _is_module(meter)]


class Hwmon:
    """The node's own meter, polled; its energy counter where it has one."""

    name = "hwmon"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._power: list[int] = []
        self._energy: list[int] = []

    def probe(self) -> Probe:
        """Open the meter, or the modules' meters whose sum is the node."""
        found = find_meters(self._root)
        meters = choose_meters(found)
        if not meters:
            detail = "no node power meter in /sys/class/hwmon"
            if found:
                detail = f"{len(found)} meters, none of which is known to be the whole node"
            return Probe(self.name, ABSENT, detail=detail)
        try:
            for meter in meters:
                self._power.append(open_to_read(_power_file(meter.folder) or meter.folder))
        except PermissionError:
            self.close()
            detail = "the node's power meter is readable by root only"
            return Probe(self.name, DENIED, detail=detail, remedy=REMEDY)
        except OSError as error:
            self.close()
            return Probe(self.name, ABSENT, detail=f"power meter: {error.strerror}")
        self._open_energy(meters)
        first = self.read()[0]
        if first.power_watts is None and first.energy_joules is None:
            self.close()
            return Probe(self.name, ABSENT, detail="the node's power meter gives no value")
        if first.power_watts == 0:
            self.close()
            return Probe(self.name, STUCK, detail="the node's power meter says 0 W")
        device = Device(
            NODE,
            "node",
            " + ".join(meter.label or "ACPI power meter" for meter in meters),
            self.name,
            COUNTER if self._energy else POLLED,
            max_power_watts=MAX_NODE_WATTS,
            error_fraction=max(_error_fraction(meter.folder) for meter in meters),
        )
        interval = read_number(meters[0].folder / "power1_average_interval")
        return Probe(
            self.name,
            OK,
            [device],
            device.name,
            resolution=f"mean of {interval / 1000:g} s" if interval else "power polled",
            covers="the modules (CPU, memory, GPU); no disk, network, fan or power supply"
            if _is_module(meters[0])
            else "the whole node, as its own meter sees it",
        )

    def read(self) -> Sequence[Reading]:
        """The node's power; NO_READING when one of the meters summed is unknown."""
        power_watts = _sum_of_millionths(self._power)
        if power_watts is not None and not 0 <= power_watts <= MAX_NODE_WATTS:
            power_watts = None
        energy_joules = _sum_of_millionths(self._energy)
        if power_watts is None and energy_joules is None:
            return [NO_READING]
        return [Reading(energy_joules=energy_joules, power_watts=power_watts)]

    def close(self) -> None:
        """Close the meters."""
        close_all(self._power)
        close_all(self._energy)

    def _open_energy(self, meters: Sequence[Meter]) -> None:
        try:
            for meter in meters:
                self._energy.append(open_to_read(meter.folder / "energy1_input"))
        except OSError:
            close_all(self._energy)


def _is_module(meter: Meter) -> bool:
    return meter.label.lower().startswith(MODULE_LABEL)


def _power_file(folder: Path) -> Path | None:
    for name in ("power1_average", "power1_input"):
        if is_there(folder / name):
            return folder / name
    return None


def _error_fraction(folder: Path) -> float:
    """The meter's own accuracy (`5.0%`), never below 5 %; 10 % when it states none."""
    text = read_text(folder / "power1_accuracy") or ""
    percent = first_number(text.rstrip("%")) or 10.0
    return min(max(percent / 100, 0.05), 1.0)


def _sum_of_millionths(descriptors: Sequence[int]) -> float | None:
    total = 0.0
    for descriptor in descriptors:
        value = first_number(pread_text(descriptor))
        if value is None:
            return None
        total += value / 1e6
    return total if descriptors else None
