"""Devices and nodes of a job as tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.text import Text

from jobwatt.energy.series import GpuSeries, Series
from jobwatt.energy.units import (
    format_bytes,
    format_duration,
    format_energy,
    format_percent,
    format_power,
)
from jobwatt.energy.unread import is_unread
from jobwatt.model import Account, DeviceEnergy
from jobwatt.sources.base import GPU
from jobwatt.views.clean import clean
from jobwatt.views.columns import Column, fitting, room_left, table_lines
from jobwatt.views.plot import Glyphs, known_peak, spark
from jobwatt.views.report import Report
from jobwatt.views.summary import band

NAME_COLUMNS = 24
CURVE_COLUMNS = (16, 48)
"""A curve of each GPU's power is at least and at most so wide."""
SHORT_ID = 12
"""Of a UUID, as nvidia-smi's users cut it: `GPU-247f1c33`."""

_Cell = Callable[[DeviceEnergy], str]


def gpu_lines(report: Report, series: Series | None, glyphs: Glyphs, limit: int) -> list[Text]:
    """The GPUs: all that is known of each, as far as there is room."""
    gpus = [device for device in report.account.devices if device.device_kind == GPU]
    if not gpus:
        return []
    idle = {(found.node, found.index) for found in report.idle}
    indexes = _indexes(gpus)
    yellow = [
        "yellow" if (gpu.node, index) in idle else ""
        for gpu, index in zip(gpus, indexes, strict=True)
    ]
    degrees = "C" if glyphs.is_ascii else "°C"
    models = {model_name(gpu.name) for gpu in gpus if not is_unread(gpu)}
    columns = [
        _names("node", [gpu.node for gpu in gpus]),
        Column(
            "GPU",
            [
                f"{index} {clean(gpu.device_id[:SHORT_ID], SHORT_ID)}"
                for gpu, index in zip(gpus, indexes, strict=True)
            ],
            is_text=True,
        ),
        *_energy_columns(gpus, 7),
        _column("mean", gpus, lambda d: format_power(d.power_mean_watts, "-")),
        _column("peak", gpus, lambda d: format_power(d.power_peak_watts, "-"), 4),
        _column("use", gpus, lambda d: format_percent(d.utilization_mean_percent, "-")),
        _column("idle", gpus, lambda d: format_duration(d.idle_seconds, "-"), 5, styles=yellow),
        _column(
            "idle energy", gpus, lambda d: format_energy(d.idle_energy_joules, "-"), 1,
            styles=yellow,
        ),
        _column("memory", gpus, lambda d: format_bytes(d.memory_peak_bytes, "-"), 3),
        _column("hottest", gpus, lambda d: _rounded(d.temperature_peak_celsius, degrees), 8),
        _column("clock", gpus, lambda d: _rounded(d.sm_clock_mean_mhz, "MHz"), 9),
        _column("covers", gpus, _coverage, 2),
        _column("source", gpus, lambda d: clean(d.source, 12), 10),
    ]  # fmt: skip
    if len(models) > 1:
        names = [clean(model_name(gpu.name), NAME_COLUMNS) for gpu in gpus]
        columns.insert(2, Column("model", names, 6, is_text=True))
    kept = fitting(columns, limit)
    curves = _curves(gpus, series, room_left(kept, limit) - 2, glyphs)
    title = f"GPUs: {clean(models.pop(), 60)}" if len(models) == 1 else "GPUs"
    return [Text(title, "bold"), *table_lines([*kept, *curves], limit)]


def other_lines(account: Account, limit: int) -> list[Text]:
    """CPU packages, memory and the node's own meter."""
    others = [device for device in account.devices if device.device_kind != GPU]
    if not others:
        return []
    columns = [
        _names("node", [device.node for device in others]),
        Column("device", [clean(device.name, NAME_COLUMNS) for device in others], is_text=True),
        *_energy_columns(others, 1),
        _column("mean", others, lambda d: format_power(d.power_mean_watts, "-")),
        _column(
            "whole", others, lambda d: format_energy(d.whole_joules, "-"), 4, note="device",
        ),
        _column(
            "peak", others, lambda d: format_power(d.power_peak_watts, "-"), 3,
            note="of device",
        ),
        _column("covers", others, _coverage, 2),
        _column("source", others, lambda d: clean(d.source, 12), 5),
    ]  # fmt: skip
    return [Text("CPUs and memory", "bold"), *table_lines(columns, limit)]


def node_lines(report: Report, limit: int) -> list[Text]:
    """Nodes: their energy, what they were used for; two tables where one has no room."""
    nodes = report.account.nodes
    names = _names("node", [node.node for node in nodes])
    energies = [_sums(group.label, group.devices, names.cells) for group in report.groups]
    use = [
        Column("CPUs", ["-" if n.cpus_allocated is None else str(n.cpus_allocated) for n in nodes]),
        Column("CPU time", [format_duration(node.cpu_seconds, "-") for node in nodes]),
        Column("memory", [format_bytes(n.memory_peak_bytes, "-") for n in nodes], 2, "peak"),
        Column("read", [format_bytes(node.read_bytes, "-") for node in nodes], 4),
        Column("written", [format_bytes(node.written_bytes, "-") for node in nodes], 4),
        Column(
            "measuring", [f"{node.sampler_cpu_seconds:.2f} CPU s" for node in nodes], 1, "its cost"
        ),
        Column("missed", [f"{node.missed_ticks} ticks" for node in nodes], 3),
    ]
    lines = [Text("Nodes", "bold")]
    if room_left([names, *energies, *use], limit) >= 0:
        return lines + table_lines([names, *energies, *use], limit)
    return lines + table_lines([names, *energies], limit) + table_lines([names, *use], limit)


def _sums(label: str, devices: Sequence[DeviceEnergy], nodes: Sequence[str]) -> Column:
    """Energy of one kind of devices by node, and where that comes from."""
    joules: dict[str, float] = {}
    for device in devices:
        if device.energy.joules is not None:
            name = clean(device.node, NAME_COLUMNS)
            joules[name] = joules.get(name, 0.0) + device.energy.joules
    kinds = dict.fromkeys(device.energy.kind for device in devices)
    cells = [format_energy(joules.get(node), "-") for node in nodes]
    return Column(label, cells, note=" and ".join(kinds))


def _energy_columns(devices: Sequence[DeviceEnergy], band_rank: int) -> list[Column]:
    """The energy and its kind: once for all where all are of one kind."""
    kinds = [device.energy.kind for device in devices]
    note = kinds[0] if len(set(kinds)) == 1 else ""
    energy = _column("energy", devices, lambda d: format_energy(d.energy.joules, "-"), note=note)
    bands = [band(d.energy) if d.energy.low_joules is not None else "-" for d in devices]
    columns = [energy, Column("band", bands, band_rank)]
    return columns if note else [energy, Column("kind", kinds, is_text=True), *columns[1:]]


def _curves(
    gpus: Sequence[DeviceEnergy], series: Series | None, room: int, glyphs: Glyphs
) -> list[Column]:
    """Each GPU's power over time, all to one scale; none where there is no room."""
    least, most = CURVE_COLUMNS
    if series is None or room < least:
        return []
    found: Mapping[tuple[str, str], GpuSeries] = {(s.node, s.device_id): s for s in series.gpus}
    own = [found.get((gpu.node, gpu.device_id)) for gpu in gpus]
    top = max((known_peak(curve.power_watts) for curve in own if curve), default=0.0)
    cells = [
        spark(curve.power_watts, min(room, most), glyphs, top) if curve else "" for curve in own
    ]
    return [Column("power over time", cells, is_text=True)] if any(cells) else []


def _column(
    title: str, devices: Sequence[DeviceEnergy], cell: _Cell, rank: int = 0, note: str = "",
    styles: Sequence[str] = (),
) -> Column:  # fmt: skip
    return Column(title, [cell(device) for device in devices], rank, note, styles=styles)


def _names(title: str, names: Sequence[str]) -> Column:
    return Column(title, [clean(name, NAME_COLUMNS) for name in names], is_text=True)


def _indexes(devices: Sequence[DeviceEnergy]) -> list[int]:
    """The place of each among the GPUs of its node, as `report` counts them."""
    seen: dict[str, int] = {}
    places = []
    for device in devices:
        places.append(seen.get(device.node, 0))
        seen[device.node] = places[-1] + 1
    return places


def model_name(name: str) -> str:
    """`A100-SXM4-40GB`: all of them are NVIDIA's."""
    return name.removeprefix("NVIDIA ")


def _coverage(device: DeviceEnergy) -> str:
    return "-" if device.coverage is None else format_percent(100 * device.coverage)


def _rounded(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}"
