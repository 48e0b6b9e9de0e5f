"""Columns of one journal -> energy and use of each device. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jobwatt.energy import integrate
from jobwatt.energy.attribute import (
    RULE,
    RULE_CORES,
    RULE_MACHINE,
    RULE_NONE,
    RULE_UNALLOCATED,
    RULE_WHOLE,
    Share,
    core_fraction,
    share_spans,
)
from jobwatt.energy.integrate import Column, Weights
from jobwatt.journal.reader import MAX_VALUE, Journal
from jobwatt.model import (
    ATTRIBUTED,
    ESTIMATED,
    MEASURED,
    UNAVAILABLE,
    DeviceEnergy,
    Energy,
)
from jobwatt.sources.base import ESTIMATE, NODE, Device

MEBIBYTE = 1 << 20
MIG_ERROR = 0.3
"""Half-width of a MIG share's band: NVML meters the whole GPU, the slices' loads differ."""


def gpu_energy(journal: Journal, index: int, duration: float, weights: Weights) -> DeviceEnergy:
    """One GPU (or MIG instance) of the journal."""
    device = journal.gpus[index]
    columns = journal.gpu_columns[index]
    lengths = journal.length_seconds
    whole = integrate.known_sum(columns["energy_joules"], weights)
    is_slice = device.share < 1.0
    own = None if whole is None else whole * device.share
    memory = integrate.peak(columns["memory_used_max_mebibytes"])
    base = _base(journal, device, columns, duration, weights)
    return replace(
        base,
        energy=_banded(
            own,
            ESTIMATED if is_slice else MEASURED,
            MIG_ERROR if is_slice else device.error_fraction,
        ),
        rule=f"{device.share:.1%} of the GPU, by multiprocessors" if is_slice else "",
        whole_joules=whole if is_slice else None,
        power_mean_watts=_mean_power(own, base.covered_seconds),
        utilization_mean_percent=integrate.mean_over_time(
            columns["utilization_mean_percent"], lengths
        ),
        memory_utilization_mean_percent=integrate.mean_over_time(
            columns["memory_utilization_mean_percent"], lengths
        ),
        memory_peak_bytes=None if memory is None else int(memory) * MEBIBYTE,
        sm_clock_mean_mhz=integrate.mean_over_time(columns["sm_clock_mean_mhz"], lengths),
        temperature_peak_celsius=integrate.peak(columns["temperature_max_celsius"]),
        event_reasons=integrate.bits(columns["event_reasons"]),
        processes_peak=_integer(integrate.peak(columns["processes_max"])),
        idle_seconds=integrate.known_sum(columns["idle_seconds"], weights),
        idle_energy_joules=integrate.known_sum(columns["idle_energy_joules"], weights),
    )


def other_energy(
    journal: Journal, index: int, duration: float, weights: Weights, cpu_weights: Weights = None
) -> DeviceEnergy:
    """A CPU package, DRAM domain, node meter or estimate: the step's share of it.

    `cpu_weights`: part of each span whose CPU time counts here and not as the whole job's.
    """
    device = journal.others[index]
    columns = journal.other_columns[index]
    error = device.error_fraction
    whole = integrate.known_sum(columns["energy_joules"], weights)
    base = _base(journal, device, columns, duration, weights)
    if whole is None:
        return base
    modelled = device.method == ESTIMATE
    if device.kind == NODE or journal.head.get("whole_node") is True:
        return replace(
            base,
            energy=_banded(whole, ESTIMATED if modelled else MEASURED, error),
            rule=RULE_MACHINE if device.kind == NODE else RULE_WHOLE,
            power_mean_watts=_mean_power(whole, base.covered_seconds),
        )
    share, rule = _share(journal, columns["energy_joules"], weights, cpu_weights)
    if share is None:
        return replace(base, rule=RULE_NONE, whole_joules=whole)
    return replace(
        base,
        energy=Energy(
            share.joules,
            ESTIMATED if modelled else ATTRIBUTED,
            share.low_joules * (1 - error),
            share.high_joules * (1 + error),
        ),
        rule=rule,
        whole_joules=whole,
        idle_part_joules=share.idle_joules,
        power_mean_watts=_mean_power(share.joules, base.covered_seconds),
    )


def _share(
    journal: Journal, energies: Column, weights: Weights, cpu_weights: Weights
) -> tuple[Share | None, str]:
    head = journal.head
    cpus_total = _integer(head.get("cpus_total")) or 0
    cores = core_fraction(_integer(head.get("cpus_allocated")), cpus_total)
    # Shares by CPU time of overlapping steps are different shares; only what is shared by cores
    # would be counted twice. A share of the whole job's CPU time has those of its steps in it.
    step = integrate.weighted(journal.step_columns["cpu_seconds"], cpu_weights)
    node = journal.node_columns
    fractions = [cores] * len(energies) if weights is None else [cores * w for w in weights]
    share = share_spans(
        energies, step, node["cpu_busy_seconds"], node["cpu_total_seconds"], fractions
    )
    if all(value is None for value in step):
        return share, RULE_CORES
    return share, RULE if cores else RULE_UNALLOCATED


def _base(
    journal: Journal,
    device: Device,
    columns: Mapping[str, Column],
    duration: float,
    weights: Weights,
) -> DeviceEnergy:
    """What all devices have in common; the energy still unavailable."""
    lengths = journal.length_seconds
    covered = integrate.covered_seconds(columns["energy_joules"], lengths, weights)
    counted_elsewhere = 0.0
    if weights is not None:
        rest = [1.0 - weight for weight in weights]
        counted_elsewhere = integrate.known_sum(lengths, rest) or 0.0
    held = max(covered, duration - counted_elsewhere)
    return DeviceEnergy(
        node=str(journal.head.get("node", "")),
        device_kind=device.kind,
        device_id=device.id,
        name=device.name,
        source=device.source,
        method=device.method,
        energy=Energy(None, UNAVAILABLE),
        coverage=covered / held if held > 0 else None,
        covered_seconds=covered,
        held_seconds=held,
        power_peak_watts=integrate.peak(columns["power_max_watts"]),
    )


def _mean_power(joules: float | None, seconds: float) -> float | None:
    return joules / seconds if joules is not None and seconds > 0 else None


def _banded(joules: float | None, kind: str, error: float) -> Energy:
    if joules is None:
        return Energy(None, UNAVAILABLE)
    return Energy(joules, kind, joules * (1 - error), joules * (1 + error))


def _integer(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and abs(value) < MAX_VALUE else None
