"""Values that flow from the journals to the views. Frozen, SI units in the names, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

MEASURED = "measured"
ATTRIBUTED = "attributed"
ESTIMATED = "estimated"
UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Energy:
    """An amount of energy that says where it comes from. `joules` None is unknown."""

    joules: float | None
    kind: str
    """`measured`, `attributed` (a share of a measured node), `estimated` or `unavailable`."""
    low_joules: float | None = None
    high_joules: float | None = None
    """Error band: the sensor's, and for an attributed share what other fair rules would give."""


@dataclass(frozen=True)
class DeviceEnergy:
    """What one device used for one step (or job) on one node."""

    node: str
    device_kind: str
    device_id: str
    name: str
    source: str
    method: str
    energy: Energy
    rule: str = ""
    """How a share was cut out of a measured whole; empty where the whole is the job's."""
    coverage: float | None = None
    """Part of the step's time for which the energy is known, 0 to 1."""
    covered_seconds: float = 0.0
    held_seconds: float = 0.0
    """How long the step had it, without the time that another step of the job counts."""
    whole_joules: float | None = None
    """Energy of the whole metered device where `energy` is a share of it."""
    idle_part_joules: float | None = None
    """Share of the node's idle energy within (attributed) or beside (no allocation) `energy`."""
    power_mean_watts: float | None = None
    power_peak_watts: float | None = None
    utilization_mean_percent: float | None = None
    memory_utilization_mean_percent: float | None = None
    memory_peak_bytes: int | None = None
    sm_clock_mean_mhz: float | None = None
    temperature_peak_celsius: float | None = None
    event_reasons: int | None = None
    processes_peak: int | None = None
    idle_seconds: float | None = None
    idle_energy_joules: float | None = None


@dataclass(frozen=True)
class NodeUse:
    """What a step used of one node besides energy, and what measuring it cost."""

    node: str
    cpu_seconds: float | None
    cpus_allocated: int | None
    memory_peak_bytes: int | None
    read_bytes: float | None
    written_bytes: float | None
    sampler_cpu_seconds: float
    missed_ticks: int
    bad_lines: int


@dataclass(frozen=True)
class Account:
    """Energy of a step or a whole job: devices of all its nodes and their sums."""

    job: str
    step: str
    """Empty for a whole job."""
    restart: int
    cluster: str
    start_wall_seconds: float
    duration_seconds: float
    running: bool
    coverage: float | None
    nodes: tuple[NodeUse, ...]
    devices: tuple[DeviceEnergy, ...]
    events: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be measured or read, one line each."""
    details: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    exit_code: int | None = None
    """Of the command, where it is known without Slurm; 128 + n where a signal ended it."""
