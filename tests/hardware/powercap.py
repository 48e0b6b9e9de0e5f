"""A fake powercap tree whose counters follow exactly known power.

Laid out as Linux does: zones nest below `sys/devices/virtual/powercap/<control type>`, and
`sys/class/powercap/<zone>` are links to them. `powercap_ticker.py` keeps the counters up to date.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.hardware.power import Power, Timeline, steps_of

MAX_RANGE_UJ = 262_143_328_850
REPOSITORY = Path(__file__).resolve().parents[2]

# What reading energy_uj answers, for root too unless said:
#   "eio"        EIO: opens, and the read fails;
#   "directory"  EISDIR;
#   "missing"    ENOENT: a dangling link;
#   "denied"     EACCES: mode 0, for a reader without CAP_DAC_OVERRIDE (see unprivileged.py).
Fault = Literal["eio", "directory", "missing", "denied"]


@dataclass(frozen=True)
class Register:
    """One energy counter of the hardware; zones that mirror each other share it.

    `power` starts when the tree is made. The counter starts at `start_uj` and wraps at
    `max_range_uj`; a `stuck` one stays where it is.
    """

    power: Power
    start_uj: int = 0
    max_range_uj: int = MAX_RANGE_UJ
    stuck: bool = False


@dataclass(frozen=True)
class Zone:
    """A powercap zone: its folder (`intel-rapl:0:0`), its `name` file and its register."""

    zone: str
    name: str
    register: Register
    fault: Fault | None = None


def _start_uj(zone: str) -> int:
    """A start of its own for each zone, so that equal power does not make equal counters."""
    numbers = zone.split(":")[1:]
    return sum((1 + int(n)) * 7_000_000_000 // 31**depth for depth, n in enumerate(numbers))


def package(socket: int, power: Power) -> Zone:
    """The package zone of a socket."""
    zone = f"intel-rapl:{socket}"
    return Zone(zone, f"package-{socket}", Register(power, _start_uj(zone)))


def subzone(parent: Zone, index: int, name: str, power: Power) -> Zone:
    """A `dram`, `core` or `uncore` zone of a package."""
    zone = f"{parent.zone}:{index}"
    return Zone(zone, name, Register(power, _start_uj(zone)))


def psys(index: int, power: Power) -> Zone:
    """The platform zone, which contains the packages and more."""
    zone = f"intel-rapl:{index}"
    return Zone(zone, "psys", Register(power, _start_uj(zone)))


def mmio_twin(zone: Zone) -> Zone:
    """The same register through the other interface: `intel-rapl-mmio:0`, same name."""
    return replace(zone, zone=zone.zone.replace("intel-rapl:", "intel-rapl-mmio:"))


def mirrored_dies(power: Power, dies: int = 2) -> tuple[Zone, ...]:
    """`package-0-die-0`, `package-0-die-1`, …: separate zones over one register."""
    register = Register(power, _start_uj("intel-rapl:0"))
    return tuple(Zone(f"intel-rapl:{n}", f"package-0-die-{n}", register) for n in range(dies))


class PowercapTree:
    """Writes the tree on construction; counters move inside `with`, in a process of its own.

    `start_seconds` (CLOCK_MONOTONIC, now by default) is when every register's power starts.
    """

    def __init__(
        self, root: Path, zones: tuple[Zone, ...], start_seconds: float | None = None
    ) -> None:
        self.root = root
        self.zones = zones
        self.start_seconds = time.monotonic() if start_seconds is None else start_seconds
        self.plan_path = root / "powercap.plan"
        self._ticker: subprocess.Popen[str] | None = None
        (root / "sys/class/powercap").mkdir(parents=True, exist_ok=True)
        for zone in zones:
            self._make(zone)
        self.plan_path.write_text("".join(self._plan(zone) for zone in zones), encoding="utf-8")

    def energy_path(self, zone: str) -> Path:
        """`energy_uj` of a zone, by the path that readers use."""
        return self.root / "sys/class/powercap" / zone / "energy_uj"

    def timeline(self, zone: str) -> Timeline:
        """The true power behind a zone; a stuck counter does not follow it."""
        found = next(each for each in self.zones if each.zone == zone)
        return Timeline(steps_of(found.register.power, self.start_seconds))

    def energy_joules(self, zone: str, t0_seconds: float, t1_seconds: float) -> float:
        """The energy truly used between two CLOCK_MONOTONIC times."""
        return self.timeline(zone).energy_joules(t0_seconds, t1_seconds)

    def _make(self, zone: Zone) -> None:
        control, *numbers = zone.zone.split(":")
        folder = self.root / "sys/devices/virtual/powercap" / control
        for depth in range(1, len(numbers) + 1):
            folder = folder / ":".join([control, *numbers[:depth]])
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{zone.name}\n", encoding="ascii")
        limit = f"{zone.register.max_range_uj}\n"
        (folder / "max_energy_range_uj").write_text(limit, encoding="ascii")
        energy = folder / "energy_uj"
        if zone.fault == "eio":
            energy.symlink_to("/proc/self/mem")  # nothing is mapped at its offset 0
        elif zone.fault == "directory":
            energy.mkdir()
        elif zone.fault == "missing":
            energy.symlink_to("nowhere")
        else:
            energy.write_text(f"{zone.register.start_uj}\n", encoding="ascii")
            energy.chmod(0 if zone.fault == "denied" else 0o644)
        link = self.root / "sys/class/powercap" / zone.zone
        link.symlink_to(Path("../..") / folder.relative_to(self.root / "sys"))

    def _plan(self, zone: Zone) -> str:
        """The ticker's orders for one zone; none for a counter that does not move."""
        register = zone.register
        if zone.fault is not None or register.stuck:
            return ""
        lines = [f"counter {register.start_uj} {register.max_range_uj} {zone.zone}\n"]
        for since_seconds, shape in self.timeline(zone.zone).steps:
            lines.append(f"step {since_seconds!r} {shape.to_text()}\n")
        return "".join(lines)

    def __enter__(self) -> PowercapTree:
        """Start the ticker and wait for its first round."""
        module = "tests.hardware.powercap_ticker"
        command = [sys.executable, "-S", "-m", module, str(self.root), str(os.getpid())]
        self._ticker = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        if self._ticker.stdout is None or self._ticker.stdout.readline() != "ready\n":
            raise RuntimeError("the powercap ticker did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the ticker; the counters stay where they are."""
        if self._ticker is not None:
            self._ticker.send_signal(signal.SIGTERM)
            self._ticker.communicate(timeout=5)
            self._ticker = None

    @property
    def ticker_pid(self) -> int | None:
        """The process that moves the counters, if it runs."""
        return None if self._ticker is None else self._ticker.pid
