"""What a power source is: the protocol every file beside this one implements.

A source finds its devices once (`probe`), then gives one `Reading` per device at
every tick (`read`). It never raises: a device that cannot be read gives `NO_READING`.
The sampler imports this module, so it uses nothing but the standard library, and
`NamedTuple` instead of `dataclasses` (1.4 MB in a process that lives as long as the job).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

# Source states, named by what the caller does next.
OK = "ok"  # read it
ABSENT = "absent"  # nothing here: go down the ladder
DENIED = "denied"  # show `remedy` to an administrator, go down the ladder
STUCK = "stuck"  # it exists and does not move: go down the ladder

# Device kinds.
GPU = "gpu"
PACKAGE = "package"  # a CPU socket as RAPL sees it
DRAM = "dram"  # the memory controller's domain of one socket
NODE = "node"  # the whole machine, by its own meter
CPU_ESTIMATE = "cpu_estimate"  # no meter: a model of the CPUs

# Methods: how `Reading` becomes energy.
COUNTER = "counter"  # cumulative energy_joules
POLLED = "polled"  # power_watts, integrated by time stamps
ESTIMATE = "estimate"  # modelled power_watts, never called a measurement


class Device(NamedTuple):
    """One thing that has its own power reading."""

    kind: str
    id: str
    """Stable on the node: the NVML UUID, `package-0`, `dram-0`, `node`."""
    name: str
    """For people: `NVIDIA A100-SXM4-80GB`, `package-0`."""
    source: str
    """Name of the source: `nvml`, `powercap`, `perf`, `hwmon`, `pm_counters`, `estimate`."""
    method: str
    """`counter`, `polled` or `estimate`."""
    range_joules: float | None = None
    """Where the counter wraps; None when it never does in practice (64 bit)."""
    max_power_watts: float | None = None
    """Plausible ceiling (power limit): a faster rise is taken for a counter fault."""
    error_fraction: float = 0.05
    """Half-width of the sensor's error band, as a fraction of the energy."""
    share: float = 1.0
    """Part of the metered device that is the job's: below 1 only for a MIG instance."""
    parent: str | None = None
    """UUID of the whole GPU when this device is a MIG instance of it."""


class Reading(NamedTuple):
    """What a device says at one instant. None is unknown, never 0."""

    energy_joules: float | None = None
    """Counter value as read: cumulative, may wrap at `Device.range_joules` or be reset."""
    power_watts: float | None = None
    utilization_percent: float | None = None
    memory_utilization_percent: float | None = None
    memory_used_bytes: int | None = None
    sm_clock_mhz: float | None = None
    temperature_celsius: float | None = None
    event_reasons: int | None = None
    """NVML clock-event ("throttle") bit mask."""
    processes: int | None = None
    """Number of processes that hold a context on the GPU."""


NO_READING = Reading()


class Probe(NamedTuple):
    """What a source found on this machine: what `jobwatt doctor` shows of it."""

    source: str
    state: str
    devices: Sequence[Device] = ()
    detail: str = ""
    """One line: what was found, or why not."""
    remedy: str = ""
    """The one command by which an administrator opens a denied source; else empty."""
    resolution: str = ""
    """For people: `1 mJ, refreshed every 100 ms`."""
    covers: str = ""
    """For people: what this source's joules include."""


class Source(Protocol):
    """A power source. `probe` is called once, before any `read`."""

    name: str

    def probe(self) -> Probe:
        """Find the devices. Never raises; the state says what came of it."""
        ...

    def read(self) -> Sequence[Reading]:
        """One reading per device of the probe, in its order. Never raises."""
        ...

    def close(self) -> None:
        """Release descriptors and driver handles."""
        ...
