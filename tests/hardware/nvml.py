"""Fake NVIDIA GPUs: describe them, write the scenario, know the exact energy.

The library is a real `libnvidia-ml.so.1`, so that the real `pynvml` is what is tested. Every
process of the host that has `FakeNvml.env()` reads the same counters.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hardware.build import LIBRARY, build_library, default_cache
from tests.hardware.power import Constant, Power, Timeline

DRIVER_VERSION = "550.54.15"
ARCHITECTURE_AMPERE = 7
MAX_SEGMENTS = 256
# A change of power takes effect this long after it is written, so that every reader knows of it
# before it happens and no counter ever steps back.
SWITCH_DELAY_SECONDS = 0.05


@dataclass(frozen=True)
class MigInstance:
    """A MIG instance; `device_file` hides it like a GPU's. `slices` of the GPU's `mig_slices`."""

    uuid: str
    gpu_instance_id: int
    compute_instance_id: int = 0
    slices: int = 1
    multiprocessors: int = 14
    memory_bytes: int = 10 << 30
    device_file: Path | None = None


@dataclass(frozen=True)
class GpuProcess:
    """A compute process on a GPU, in a MIG instance if the ids are given."""

    pid: int
    used_bytes: int = 1 << 30
    gpu_instance_id: int | None = None
    compute_instance_id: int = 0


@dataclass(frozen=True)
class Gpu:
    """A GPU and its faults; `*_at_seconds` are absolute CLOCK_MONOTONIC times.

    `device_file`: the GPU is seen only if opening it is not refused (EPERM, EACCES).
    `reset_at_seconds`: the energy counter falls to 0 and goes on. `stuck_at_seconds`: it stands
    still. `lost_at_seconds`: every call answers NVML_ERROR_GPU_IS_LOST. `refresh_seconds`: the
    sensor's refresh (about 0.1 on real GPUs). `power_window_seconds`: power usage is the average
    over this time (1 on Ampere and later, but GA100). `mig` is None for a model without MIG, False
    for MIG off, True for on.
    """

    uuid: str
    power: Power = field(default_factory=lambda: Constant(200.0))
    name: str = "NVIDIA A100-SXM4-40GB"
    minor: int = 0
    architecture: int = ARCHITECTURE_AMPERE
    device_file: Path | None = None
    counter_start_joules: float = 1_000_000.0
    has_energy_counter: bool = True
    has_power: bool = True
    reset_at_seconds: float | None = None
    stuck_at_seconds: float | None = None
    lost_at_seconds: float | None = None
    refresh_seconds: float = 0.0
    power_window_seconds: float = 0.0
    utilisation_gpu_percent: int = 90
    utilisation_memory_percent: int = 40
    memory_total_bytes: int = 40 << 30
    memory_used_bytes: int = 8 << 30
    sm_clock_mhz: int = 1410
    temperature_celsius: int = 50
    power_limit_watts: float = 400.0
    clock_event_reasons: int = 0
    processes: tuple[GpuProcess, ...] = ()
    mig: bool | None = None
    mig_slices: int = 7
    mig_multiprocessors: int = 98
    instances: tuple[MigInstance, ...] = ()


def gpus(
    count: int, watts: float = 200.0, watts_step: float = 50.0, device_dir: Path | None = None
) -> tuple[Gpu, ...]:
    """GPUs of `watts`, `watts + watts_step`, …, with `device_dir`/nvidia<i> as device files."""
    return tuple(
        Gpu(
            uuid=f"GPU-{index:08x}-0000-4000-8000-{index:012x}",
            power=Constant(watts + watts_step * index),
            minor=index,
            device_file=device_dir / f"nvidia{index}" if device_dir else None,
        )
        for index in range(count)
    )


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _lines(gpu: Gpu, timeline: Timeline) -> list[str]:
    """The scenario's lines for one GPU; unset faults are left out."""
    if len(timeline.steps) > MAX_SEGMENTS:
        raise ValueError(f"{gpu.uuid}: more than {MAX_SEGMENTS} changes of power")
    times = {
        "reset_ns": gpu.reset_at_seconds,
        "stuck_ns": gpu.stuck_at_seconds,
        "lost_ns": gpu.lost_at_seconds,
        "refresh_ns": gpu.refresh_seconds,
        "power_window_ns": gpu.power_window_seconds,
    }
    values: dict[str, object] = {
        "uuid": gpu.uuid,
        "name": gpu.name,
        "minor": gpu.minor,
        "architecture": gpu.architecture,
        "sm_clock_mhz": gpu.sm_clock_mhz,
        "temperature_celsius": gpu.temperature_celsius,
        "power_limit_mw": round(gpu.power_limit_watts * 1e3),
        "utilisation_gpu": gpu.utilisation_gpu_percent,
        "utilisation_memory": gpu.utilisation_memory_percent,
        "power_supported": int(gpu.has_power),
        "energy_supported": int(gpu.has_energy_counter),
        "mig_mode": -1 if gpu.mig is None else int(gpu.mig),
        "mig_slices": gpu.mig_slices,
        "mig_multiprocessors": gpu.mig_multiprocessors,
        "memory_total_bytes": gpu.memory_total_bytes,
        "memory_used_bytes": gpu.memory_used_bytes,
        "clock_event_reasons": gpu.clock_event_reasons,
        "base_mj": repr(gpu.counter_start_joules * 1e3),
        **{key: _nanoseconds(value) for key, value in times.items() if value is not None},
    }
    if gpu.device_file is not None:
        values["dev"] = gpu.device_file
    lines = ["gpu", *(f"{key} {value}" for key, value in values.items())]
    lines += [
        f"segment {_nanoseconds(since)} {shape.to_text()}" for since, shape in timeline.steps
    ]
    lines += [
        f"instance {i.uuid} {i.gpu_instance_id} {i.compute_instance_id} {i.slices}"
        f" {i.multiprocessors} {i.memory_bytes} {i.device_file or ''}"
        for i in gpu.instances
    ]
    for process in gpu.processes:
        ids = f" {process.gpu_instance_id} {process.compute_instance_id}"
        where = "" if process.gpu_instance_id is None else ids
        lines.append(f"process {process.pid} {process.used_bytes}{where}")
    return lines


class FakeNvml:
    """A fake driver in a folder: `lib/libnvidia-ml.so.1` and a scenario file.

    Raises CompilerMissing if the library is not in `cache` and there is no C compiler.
    """

    def __init__(self, directory: Path, cache: Path | None = None) -> None:
        self.library_path = directory / "lib" / LIBRARY
        self.scenario_path = directory / "nvml.scenario"
        self._timelines: dict[str, tuple[Power, Timeline]] = {}
        self.library_path.parent.mkdir(parents=True, exist_ok=True)
        # A copy, because other users of a cluster cannot read this user's cache; renamed into
        # place, because a process may have the one before it open.
        fresh = self.library_path.with_suffix(f".{os.getpid()}")
        shutil.copy(build_library(cache or default_cache()), fresh)
        fresh.replace(self.library_path)

    def write(self, gpus: Sequence[Gpu], init_error: int = 0) -> float:
        """Replace the scenario and say at which CLOCK_MONOTONIC second new powers begin.

        The first power of a GPU begins at once, a changed one after `SWITCH_DELAY_SECONDS`; its
        energy stays continuous. `init_error` is the NVML code that nvmlInit answers.
        """
        now_seconds = time.monotonic()
        switch_seconds = now_seconds + SWITCH_DELAY_SECONDS
        for gpu in gpus:
            power, timeline = self._timelines.get(gpu.uuid, (None, None))
            if timeline is None:
                timeline = Timeline(()).changed(now_seconds, gpu.power)
            elif power != gpu.power:
                timeline = timeline.changed(switch_seconds, gpu.power)
            self._timelines[gpu.uuid] = (gpu.power, timeline)
        lines = [f"driver {DRIVER_VERSION}", f"init_error {init_error}"]
        for gpu in gpus:
            lines += _lines(gpu, self._timelines[gpu.uuid][1])
        fresh = self.scenario_path.with_suffix(f".{os.getpid()}")
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
        fresh.replace(self.scenario_path)
        return switch_seconds

    def timeline(self, uuid: str) -> Timeline:
        """The power of a GPU at all times, through every scenario written."""
        return self._timelines[uuid][1]

    def energy_joules(self, uuid: str, t0_seconds: float, t1_seconds: float) -> float:
        """The energy that a GPU truly used between two CLOCK_MONOTONIC times."""
        return self.timeline(uuid).energy_joules(t0_seconds, t1_seconds)

    def env(self) -> Mapping[str, str]:
        """The variables that make a process find these GPUs."""
        return {
            "LD_LIBRARY_PATH": str(self.library_path.parent),
            "FAKE_NVML_SCENARIO": str(self.scenario_path),
        }
