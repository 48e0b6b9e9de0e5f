"""What a checkup found: frozen values, no I/O, nothing about layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobwatt.sources.base import Device

# States of a `Check`; sources have their own (`jobwatt.sources.base`).
OK = "ok"
NOTE = "note"
"""It works; something is worth knowing."""
ABSENT = "absent"
"""Not here, and nothing is wrong with that."""
PROBLEM = "problem"

# Roles: what a job's figures are about.
GPU_ROLE = "GPU"
CPU_ROLE = "CPU"
NODE_ROLE = "node"


@dataclass(frozen=True)
class Comparison:
    """A GPU's energy counter against its polled power, over the same seconds."""

    verdict: str
    """`agrees`, `disagrees`, `unsteady` (power changed too fast to tell) or `unknown`."""
    text: str
    counter_joules: float | None = None
    polled_joules: float | None = None
    time_seconds: float | None = None


@dataclass(frozen=True)
class DeviceFinding:
    """One device under the test load."""

    device: Device
    moved: bool | None = None
    """Whether its counter moved; None without a counter, or where standing still is right."""
    energy_joules: float | None = None
    """Rise of the counter under the load."""
    power_watts: float | None = None
    """Polled power; where there is none, the counter's mean."""
    comparison: Comparison | None = None


@dataclass(frozen=True)
class SourceFinding:
    """One power source."""

    source: str
    role: str
    state: str
    used: bool
    """Whether the sampler would read it on this machine."""
    why: str
    """Why it is used, or why not."""
    detail: str
    remedy: str
    resolution: str
    covers: str
    devices: tuple[DeviceFinding, ...] = ()


@dataclass(frozen=True)
class Use:
    """Where the sampler takes the figures of one role from."""

    role: str
    source: str | None
    kind: str
    """`measured`, `estimated` or `unavailable`."""
    text: str


@dataclass(frozen=True)
class Check:
    """One thing around the meters."""

    name: str
    state: str
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)
    """For JSON; the unit in each key."""


@dataclass(frozen=True)
class Checkup:
    """All of it."""

    node: str
    load_seconds: float
    gpu_rule: str
    uses: tuple[Use, ...]
    sources: tuple[SourceFinding, ...]
    checks: tuple[Check, ...]
