"""CPU sockets and their memory through RAPL's perf events (PMU `power`), without powercap.

One event per CPU of the PMU's `cpumask` (one CPU per socket; one per die on some kernels).
Only `energy-pkg` and `energy-ram` are counted: `energy-cores` and `energy-gpu` are parts of a
package and `energy-psys` contains it. Sources: perf_event_open(2), Linux
`Documentation/ABI/testing/sysfs-bus-event_source-devices-events`.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
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
from jobwatt.sources.files import close_all, read_number, read_text
from jobwatt.sources.mirrors import without_mirrors
from jobwatt.sources.powercap import DRAM_ERROR_FRACTION, MAX_SOCKET_WATTS

EVENTS = (("energy-pkg", PACKAGE), ("energy-ram", DRAM))

REMEDY = (
    "echo kernel.perf_event_paranoid=0 | sudo tee /etc/sysctl.d/60-perf-energy.conf "
    "&& sudo sysctl --system"
)
"""CPU-wide events need `perf_event_paranoid` <= 0 or CAP_PERFMON."""

_SYSCALL_NUMBERS = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319}
_ATTRIBUTE_BYTES = 64  # PERF_ATTR_SIZE_VER0
_CLOSE_ON_EXEC = 8  # PERF_FLAG_FD_CLOEXEC
_ANY_PROCESS = -1
_NO_GROUP = -1


class Event(NamedTuple):
    """One kind of energy, as the PMU's sysfs folder describes it."""

    kind: str
    pmu_type: int
    config: int
    joules_per_count: float


class _Counter(NamedTuple):
    descriptor: int
    event: Event
    cpu: int
    socket: str


def find_events(folder: Path) -> list[Event]:
    """The countable events of the PMU `folder`; empty where there is none in joules."""
    pmu_type = read_number(folder / "type")
    found = []
    for name, kind in EVENTS:
        config = parse_config(read_text(folder / "events" / name) or "")
        scale = read_number(folder / "events" / f"{name}.scale")
        unit = read_text(folder / "events" / f"{name}.unit") or ""
        if pmu_type is not None and config is not None and scale and unit.lower() == "joules":
            found.append(Event(kind, int(pmu_type), config, scale))
    return found


def parse_config(text: str) -> int | None:
    """`event=0x02` -> 2. None for anything else: the RAPL PMU has no other field."""
    field, _, value = text.strip().partition("=")
    try:
        return int(value, 0) if field == "event" else None
    except ValueError:
        return None


def parse_cpus(text: str) -> list[int]:
    """`0,28` -> [0, 28] and `0-1` -> [0, 1]; empty when it is not a list of CPUs."""
    cpus: list[int] = []
    try:
        for part in filter(None, text.strip().split(",")):
            first, _, last = part.partition("-")
            cpus.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        return []
    return cpus


def open_event(pmu_type: int, config: int, cpu: int) -> int:
    """Count from now on, for all that runs on `cpu`'s socket. Raises OSError."""
    number = _SYSCALL_NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError("perf_event_open: number of the system call unknown on this machine")
    header = struct.pack("=IIQ", pmu_type, _ATTRIBUTE_BYTES, config)
    attributes = ctypes.create_string_buffer(header, _ATTRIBUTE_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    descriptor = libc.syscall(
        ctypes.c_long(number),
        attributes,
        ctypes.c_int(_ANY_PROCESS),
        ctypes.c_int(cpu),
        ctypes.c_int(_NO_GROUP),
        ctypes.c_ulong(_CLOSE_ON_EXEC),
    )
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(descriptor)


class PerfEvent:
    """RAPL by perf events: 64-bit counters, which never wrap."""

    name = "perf"

    def __init__(self, root: Path, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits some milliseconds between the reads that tell mirrored and dead events."""
        self._root = root
        self._pause = pause
        self._counters: list[_Counter] = []

    def probe(self) -> Probe:
        """Open one event per kind and socket."""
        folder = self._root / "sys/bus/event_source/devices/power"
        events = find_events(folder)
        if not any(event.kind == PACKAGE for event in events):
            return Probe(self.name, ABSENT, detail=_why_absent(folder))
        cpus = parse_cpus(read_text(folder / "cpumask") or "0")
        try:
            for event in events:
                for cpu in cpus:
                    descriptor = open_event(event.pmu_type, event.config, cpu)
                    self._counters.append(_Counter(descriptor, event, cpu, self._socket(cpu)))
        except PermissionError as error:
            self.close()
            paranoid = read_text(self._root / "proc/sys/kernel/perf_event_paranoid")
            detail = f"perf_event_open: {error.strerror} (perf_event_paranoid={paranoid})"
            return Probe(self.name, DENIED, detail=detail, remedy=REMEDY)
        except OSError as error:
            self.close()
            return Probe(self.name, ABSENT, detail=f"perf_event_open: {error}")
        opened = len(self._counters)
        self._drop_mirrors()
        if self._never_counted():
            self.close()
            return Probe(self.name, STUCK, detail="the package events stay at 0")
        devices = [self._device(counter) for counter in self._counters]
        detail = ", ".join(device.name for device in devices)
        if opened > len(devices):
            detail += f"; {opened - len(devices)} left out: same register as another's"
        return Probe(
            self.name,
            OK,
            devices,
            detail,
            resolution=f"{events[0].joules_per_count:.1g} J, refreshed every 1 ms",
            covers="CPU sockets and the memory that RAPL knows; "
            "not GPUs, disks, network, fans, power supplies",
        )

    def read(self) -> Sequence[Reading]:
        """Joules since the event was opened; NO_READING where the read fails."""
        return [
            NO_READING
            if count is None
            else Reading(energy_joules=count * counter.event.joules_per_count)
            for counter, count in zip(self._counters, self._counts(), strict=True)
        ]

    def close(self) -> None:
        """Close the events."""
        close_all([counter.descriptor for counter in self._counters])
        self._counters = []

    def _counts(self) -> list[int | None]:
        return [_count(counter.descriptor) for counter in self._counters]

    def _drop_mirrors(self) -> None:
        groups = [(counter.event.kind, counter.socket) for counter in self._counters]
        kept = without_mirrors(groups, self._counts, self._pause, same_zero=False)
        dropped = [item for index, item in enumerate(self._counters) if index not in kept]
        self._counters = [self._counters[index] for index in kept]
        close_all([counter.descriptor for counter in dropped])

    def _never_counted(self) -> bool:
        """Opened, at zero, and still there after 100 ms: what some virtual machines show."""
        for wait_seconds in (0.002, 0.02, 0.08):
            self._pause(wait_seconds)
            for counter, count in zip(self._counters, self._counts(), strict=True):
                if counter.event.kind == PACKAGE and count:
                    return False
        return True

    def _socket(self, cpu: int) -> str:
        topology = self._root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        return read_text(topology / "physical_package_id") or f"of-cpu{cpu}"

    def _device(self, counter: _Counter) -> Device:
        same_socket = [
            other.cpu
            for other in self._counters
            if (other.event, other.socket) == (counter.event, counter.socket)
        ]
        label = counter.socket
        if len(same_socket) > 1:
            label += f"-die-{same_socket.index(counter.cpu)}"
        kind = counter.event.kind
        return Device(
            kind,
            f"{kind}-{label}",
            f"{kind}-{label}",
            self.name,
            COUNTER,
            max_power_watts=MAX_SOCKET_WATTS,
            error_fraction=DRAM_ERROR_FRACTION if kind == DRAM else 0.05,
        )


def _count(descriptor: int) -> int | None:
    try:
        data = os.read(descriptor, 8)
    except OSError:
        return None
    # An event whose CPU went away reads as empty, which is not zero.
    return int.from_bytes(data, sys.byteorder) if len(data) == 8 else None


def _why_absent(folder: Path) -> str:
    if not folder.is_dir():
        return "no PMU named power (no RAPL, a virtual machine, or no driver)"
    names = sorted(path.name for path in (folder / "events").glob("*") if "." not in path.name)
    return f"the PMU has {', '.join(names) or 'no event'} and no energy-pkg in joules"
