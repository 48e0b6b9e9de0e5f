"""GPUs that Slurm allocated and no driver answered for: unavailable, which is not nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobwatt.journal.reader import MAX_DEVICES, Journal
from jobwatt.model import UNAVAILABLE, DeviceEnergy, Energy
from jobwatt.sources.base import ABSENT, DENIED, GPU

NVML = "nvml"
NAME = "GPU"
"""Its model is not known."""
NOT_READ = "not read"
"""`DeviceEnergy.method` of these."""
_RULE = "allocated, "


def unread_gpus(journal: Journal) -> list[DeviceEnergy]:
    """One for each GPU that was allocated on this journal's node, if it could read none."""
    count = journal.head.get("gpus_allocated")
    if journal.gpus or type(count) is not int or not 0 < count <= MAX_DEVICES:
        return []
    rule = _RULE + _why(nvml_probe(journal.head))
    node = str(journal.head.get("node", ""))
    nothing = Energy(None, UNAVAILABLE)
    return [
        DeviceEnergy(node, GPU, f"gpu-{number}", NAME, NVML, NOT_READ, nothing, rule)
        for number in range(count)
    ]


def without_read_nodes(devices: Sequence[DeviceEnergy]) -> list[DeviceEnergy]:
    """Without those on nodes of which another journal has the GPUs themselves."""
    if not any(map(is_unread, devices)):
        return list(devices)
    read = {d.node for d in devices if d.device_kind == GPU and not is_unread(d)}
    return [d for d in devices if d.node not in read or not is_unread(d)]


def is_unread(device: DeviceEnergy) -> bool:
    """Whether this stands for a GPU that could not be read."""
    return device.method == NOT_READ


def why_unread(device: DeviceEnergy) -> str:
    """`no driver answers`."""
    return device.rule.removeprefix(_RULE)


def nvml_probe(head: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a journal's head says of NVML where it was tried and gave no GPU."""
    rejected = head.get("rejected")
    for probe in rejected if isinstance(rejected, list) else []:
        if isinstance(probe, dict) and probe.get("source") == NVML:
            return probe
    return None


def _why(probe: Mapping[str, Any] | None) -> str:
    if probe is None:
        return "source not in use"
    if probe.get("state") == DENIED:
        return "access denied"
    if probe.get("state") == ABSENT and "visible GPUs" in str(probe.get("detail")):
        return "none of them visible"
    return "no driver answers"
