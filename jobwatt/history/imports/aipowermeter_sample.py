"""One line of AIPowerMeter's `power_metrics.json` -> watts by device. Pure.

`{"date": "2023-07-27 17:21:57.146517", "metrics": {"cpu": {…}, "gpu": {…}}}`, watts, the clock of
the machine it ran on. What stands in the objects, by age (`rapl_power.py`, `gpu_power.py`):

`intel_power`, `total_dram_power`, `psys_power` (-1: not there): the whole machine's. The cores and
the uncore (`total_cpu_power`, `uncore_power`) are parts of the first. `cpu_uses`, later
`per_process_cpu_uses`: each process's part of the busy CPU time, later the product as
`rel_intel_power`. `per_process_dram_power`: by resident memory.
`nvidia_draw_absolute`: all GPUs of the machine; `per_gpu_power_draw`: each. The run's share:
`nvidia_estimated_attributable_power_draw`, later `per_gpu_attributable_power` with an `all`, which
starts from the card's least power limit and so may be above what the card draws. In 2026 the shares
went.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from jobwatt.history.imports.common import MAX_POWER_WATTS, Refused, local_time, number
from jobwatt.journal import reader

SEGMENT_END = "END OF RECORDING SEGMENT"
"""The line that a recording ends with, since 2022; another one may follow in the same file."""
PACKAGE_ID, DRAM_ID, PSYS_ID, ALL_GPUS_ID = "package", "dram", "psys", "gpus"
MAX_DEVICES = 64
_MAX_LINE_BYTES = 4 << 20
_ABSENT = -1
_DAMAGED = "damaged lines"


class Draw(NamedTuple):
    """What a device draws at one instant: the run's share, and the whole."""

    own_watts: float
    whole_watts: float
    shared: bool
    """Whether the first is a share by AIPowerMeter's rule."""


class Sample(NamedTuple):
    """One line."""

    wall_seconds: float
    draws: Mapping[str, Draw]
    """By device: `package`, `dram`, `psys`, `gpu-0`, or `gpus` for all of them."""
    used_percent: Mapping[str, float]
    """SM utilisation by the run's processes, by GPU."""
    memory_bytes: Mapping[str, float]


def loads(line: bytes) -> Any:
    """The line's JSON; None where it is damaged."""
    return None if len(line) > _MAX_LINE_BYTES else reader.loads(line)


def is_sample(data: Any) -> bool:
    """Whether it is a line of such a file with power in it."""
    metrics = data.get("metrics") if isinstance(data, dict) and "date" in data else None
    return isinstance(metrics, dict) and any(
        isinstance(metrics.get(part), dict) for part in ("cpu", "gpu")
    )


def sample(data: Any, zone: tzinfo | None) -> Sample:
    """Refused: no sample, or a value in it that cannot be."""
    if not isinstance(data, dict) or not isinstance(data.get("metrics"), dict):
        raise Refused(_DAMAGED)
    metrics = data["metrics"]
    cpu, gpu = _object(metrics, "cpu"), _object(metrics, "gpu")
    draws = {**_cpu_draws(cpu), **_gpu_draws(gpu)}
    return Sample(
        local_time(data.get("date"), zone),
        draws,
        {
            _gpu_id(name): min(100.0, 100.0 * number(part, 100.0))
            for name, part in _object(gpu, "per_gpu_absolute_percent_usage").items()
        },
        {
            _gpu_id(name): _sum(uses, 1e15)
            for name, uses in _object(gpu, "per_gpu_attributable_mem_use").items()
        },
    )


def _cpu_draws(cpu: Mapping[str, Any]) -> dict[str, Draw]:
    draws = {}
    if "intel_power" in cpu:
        whole = number(cpu["intel_power"], MAX_POWER_WATTS)
        uses = cpu.get("per_process_cpu_uses", cpu.get("cpu_uses"))
        own = None
        if cpu.get("rel_intel_power") is not None:
            own = _sum(cpu["rel_intel_power"], MAX_POWER_WATTS)
        elif uses is not None:
            own = whole * _sum(uses, 1e6)
        draws[PACKAGE_ID] = _draw(own, whole)
    if cpu.get("total_dram_power") is not None:
        whole = number(cpu["total_dram_power"], MAX_POWER_WATTS)
        own = cpu.get("per_process_dram_power")
        draws[DRAM_ID] = _draw(None if own is None else _sum(own, MAX_POWER_WATTS), whole)
    if cpu.get("psys_power", _ABSENT) not in (_ABSENT, None):
        whole = number(cpu["psys_power"], MAX_POWER_WATTS)
        draws[PSYS_ID] = _draw(None, whole)
    return draws


def _gpu_draws(gpu: Mapping[str, Any]) -> dict[str, Draw]:
    each = _object(gpu, "per_gpu_power_draw")
    shares = gpu.get("per_gpu_attributable_power")
    old_share = gpu.get("nvidia_estimated_attributable_power_draw")
    if each and old_share is None:
        if len(each) > MAX_DEVICES:
            raise Refused(_DAMAGED)
        owns = shares if isinstance(shares, dict) else None
        return {
            _gpu_id(name): _draw(
                None if owns is None else number(owns.get(name, 0.0), MAX_POWER_WATTS),
                number(watts, MAX_POWER_WATTS),
            )
            for name, watts in each.items()
        }
    if gpu.get("nvidia_draw_absolute") is None:
        return {}
    whole = number(gpu["nvidia_draw_absolute"], MAX_POWER_WATTS)
    own = None if old_share is None else number(old_share, MAX_POWER_WATTS)
    return {ALL_GPUS_ID: _draw(own, whole)}


def _draw(own: float | None, whole: float) -> Draw:
    return Draw(whole, whole, False) if own is None else Draw(min(own, whole), whole, True)


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object of the line; empty where it is missing."""
    found = data.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refused(_DAMAGED)
    return found


def _sum(values: Any, most: float) -> float:
    """A number, or the sum of an object's; what is null is left out, as AIPowerMeter does."""
    if not isinstance(values, dict):
        return number(values, most)
    return sum(number(value, most) for value in values.values() if value is not None)


def _gpu_id(name: str) -> str:
    return f"gpu-{name[:64]}"
