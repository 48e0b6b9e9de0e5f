"""What the sampler takes on this machine, and why, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jobwatt.checkup.findings import GPU_ROLE, SourceFinding, Use
from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    ESTIMATE,
    GPU,
    OK,
    POLLED,
    STUCK,
    Device,
    Probe,
)

_WORDS = {
    ABSENT: "not on this machine",
    DENIED: "closed to users",
    STUCK: "does not move",
}


def short_name(device: Device) -> str:
    """What tells a device from its neighbours: GPUs of a node have the same name."""
    return device.id[:12] if device.kind == GPU else device.name


def why(
    probe: Probe, role: str, is_used: bool, used: Mapping[str, str], disabled: Sequence[str]
) -> str:
    """Why a source is used, or is not; `used` names the source of each role."""
    name = probe.source
    if is_used and probe.state == STUCK:
        if role == GPU_ROLE:
            return "used: polled power in place of the counter that stands still"
        return f"used all the same, and gives no energy; JOBWATT_DISABLED_SOURCES={name} ends that"
    if is_used:
        return "used"
    if name in disabled:
        return "not used: turned off by sources.disabled"
    if probe.state == OK:
        return f"not used: {used.get(role, 'a better one')} is better"
    return f"not used: {_WORDS[probe.state]}"


def use_of(role: str, findings: Sequence[SourceFinding]) -> Use:
    """The source of one role, and what became of the better ones."""
    rungs = [finding for finding in findings if finding.role == role]
    chosen = next((finding for finding in rungs if finding.used), None)
    better = rungs[: rungs.index(chosen)] if chosen else rungs
    refused = "; ".join(
        f"{rung.source}: {rung.why.removeprefix('not used: ')}"
        if rung.state == OK
        else f"{rung.source}: {rung.state}"
        for rung in better
    )
    if chosen is None:
        return Use(role, None, "unavailable", refused)
    methods = [one.device.method for one in chosen.devices]
    estimated = ESTIMATE in methods
    how = "a model" if estimated else _meters(methods.count(COUNTER), methods.count(POLLED))
    if chosen.state == STUCK:
        how = "STUCK: " + chosen.why.removeprefix("used").lstrip(": ")
    text = "; ".join(filter(None, (how, refused, *_troubles(chosen))))
    return Use(role, chosen.source, "estimated" if estimated else "measured", text)


def _troubles(chosen: SourceFinding) -> Iterator[str]:
    """Devices whose figures are in doubt."""
    for one in chosen.devices:
        name = short_name(one.device)
        if one.moved is False and chosen.state != STUCK:
            instead = "polled power is integrated" if one.power_watts else "its energy is unknown"
            yield f"{name} is stuck: {instead}"
        if one.comparison and one.comparison.verdict == "disagrees":
            yield f"{name}: its two sensors disagree"


def _meters(counters: int, polled: int) -> str:
    if counters and polled:
        return f"energy counter of {counters}, polled power of {polled}"
    return "energy counter" if counters else "polled power"
