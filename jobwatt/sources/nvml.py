"""NVIDIA GPUs through NVML: the only module that imports `pynvml`.

Energy comes from the driver's counter (`nvmlDeviceGetTotalEnergyConsumption`, mJ since driver
load, Volta and later, refreshed about every 100 ms: NVML API reference); older GPUs give polled
power. Error band: 5 % (NVML states +/- 5 %); 10 % where the power sensor is on for part of the
time only (A100, H100: 25 ms of each 100 ms, Yang et al., arXiv 2312.02741).
"""

from __future__ import annotations

import ctypes
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobwatt.sources.allocation import Choice, MigInstance, VisibleGpu, choose_gpus
from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    GPU,
    OK,
    POLLED,
    Device,
    Probe,
    Reading,
)
from jobwatt.sources.nvml_calls import Gpu

PART_TIME_SENSORS = ("A100", "H100", "H200", "GH200", "A30")
"""Chips of the GA100 and GH100 families, whose sensor averages a quarter of the time."""

_COMPUTE_SLICES = 7
"""Compute slices of a GPU whose full-size profile cannot be read (A100, H100 and later: 7)."""


class Nvml:
    """The job's NVIDIA GPUs. `choice` says which were taken, and by which rule, after `probe`."""

    name = "nvml"

    def __init__(
        self, environ: Mapping[str, str], library_path: str = "", whole_node: bool = False
    ) -> None:
        self._environ = environ
        self._library_path = library_path
        self._whole_node = whole_node
        self._nvml: Any = None
        self._gpus: list[Gpu] = []
        self.choice = Choice((), "")

    def probe(self) -> Probe:
        """Start the driver's library and pick the job's GPUs."""
        try:
            self._nvml = nvml = _import_pynvml(self._library_path)
            nvml.nvmlInit()
            visible = [
                nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
            ]
        except ImportError:
            return Probe(self.name, ABSENT, detail="the nvidia-ml-py package is not installed")
        except OSError as error:
            return Probe(self.name, ABSENT, detail=f"libnvidia-ml.so.1: {error}")
        except nvml.NVMLError as error:
            return self._refused(error)
        handles: dict[str, Any] = {}
        parents: dict[str, str] = {}
        described = [self._describe(handle, handles, parents) for handle in visible]
        self.choice = choose_gpus(described, self._environ, self._whole_node)
        devices = [self._open(uuid, handles, parents) for uuid in self.choice.uuids]
        detail = f"{len(devices)} of {len(visible)} visible GPUs: {self.choice.rule}"
        if self.choice.problems:
            detail = "; ".join((detail, *self.choice.problems))
        return Probe(
            self.name,
            OK if devices else ABSENT,
            devices,
            detail,
            resolution="1 mJ, refreshed about every 100 ms"
            if all(device.method == COUNTER for device in devices)
            else "power polled, 1 mW",
            covers="each GPU's board: chip, memory, regulators",
        )

    def read(self) -> Sequence[Reading]:
        """One reading per GPU; a call that fails leaves its field unknown."""
        return [gpu.read() for gpu in self._gpus]

    def close(self) -> None:
        """Give the driver back, so that nothing keeps the GPU in use."""
        if self._nvml is not None and self._gpus:
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError:
                pass
            self._gpus = []

    def _refused(self, error: Any) -> Probe:
        if error.value == self._nvml.NVML_ERROR_NO_PERMISSION:
            return Probe(
                self.name,
                DENIED,
                detail=f"NVML: {error}",
                remedy="chmod 666 /dev/nvidiactl /dev/nvidia[0-9]*",
            )
        return Probe(self.name, ABSENT, detail=f"NVML: {error}")

    def _describe(
        self, handle: Any, handles: dict[str, Any], parents: dict[str, str]
    ) -> VisibleGpu:
        nvml = self._nvml
        uuid = str(self._try(nvml.nvmlDeviceGetUUID, handle) or f"GPU-unknown-{len(handles)}")
        handles[uuid] = handle
        instances: list[MigInstance] = []
        mode = self._try(nvml.nvmlDeviceGetMigMode, handle)
        if mode and mode[0]:
            for index in range(self._try(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
                mig = self._try(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
                mig_uuid = mig and self._try(nvml.nvmlDeviceGetUUID, mig)
                if not mig_uuid:
                    continue
                handles[mig_uuid], parents[mig_uuid] = mig, uuid
                instances.append(
                    MigInstance(
                        mig_uuid,
                        self._try(nvml.nvmlDeviceGetGpuInstanceId, mig),
                        self._try(nvml.nvmlDeviceGetComputeInstanceId, mig),
                    )
                )
        return VisibleGpu(uuid, self._try(nvml.nvmlDeviceGetMinorNumber, handle), instances)

    def _open(self, uuid: str, handles: dict[str, Any], parents: dict[str, str]) -> Device:
        """Keep what this GPU answers, so that no tick asks for what it never gives."""
        nvml = self._nvml
        parent = parents.get(uuid)
        handle = handles[parent or uuid]
        gpu = Gpu(handle, energy_only=parent is not None)
        name = str(self._try(nvml.nvmlDeviceGetName, handle) or "NVIDIA GPU")
        limit_milliwatts = self._try(nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        share = 1.0
        if parent:
            share = self._mig_share(handles[uuid], handle)
            name = f"{name} MIG {share:.0%}"
        self._gpus.append(gpu)
        return Device(
            GPU,
            uuid,
            name,
            self.name,
            POLLED if "energy_joules" in gpu.unsupported else COUNTER,
            max_power_watts=limit_milliwatts / 1000 * 1.5 if limit_milliwatts else None,
            error_fraction=0.10 if any(chip in name for chip in PART_TIME_SENSORS) else 0.05,
            share=share,
            parent=parent,
        )

    def _mig_share(self, instance: Any, parent: Any) -> float:
        """Part of the parent's multiprocessors (else compute slices) that the instance holds."""
        nvml = self._nvml
        attributes = self._try(nvml.nvmlDeviceGetAttributes, instance)
        if attributes is None:
            return 1.0 / _COMPUTE_SLICES
        for profile in (
            nvml.NVML_GPU_INSTANCE_PROFILE_7_SLICE,
            nvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE,
        ):
            whole = self._try(nvml.nvmlDeviceGetGpuInstanceProfileInfo, parent, profile)
            if whole is not None and whole.multiprocessorCount > 0:
                return min(1.0, float(attributes.multiprocessorCount / whole.multiprocessorCount))
        return min(1.0, float(attributes.gpuInstanceSliceCount) / _COMPUTE_SLICES)

    def _try(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._nvml.NVMLError:
            return None


def _import_pynvml(library_path: str) -> Any:
    """`pynvml` without the 2 MB and the `subprocess` that `ctypes.util` drags in.

    It looks a library up by `find_library` on Windows alone. A library that was loaded by its
    full path first is found again by its soname.
    """
    if library_path:
        ctypes.CDLL(library_path)
    if "ctypes.util" not in sys.modules:
        stand_in = types.ModuleType("ctypes.util")
        stand_in.find_library = lambda name: None  # type: ignore[attr-defined]
        sys.modules["ctypes.util"] = stand_in
        try:
            import pynvml
        finally:
            del sys.modules["ctypes.util"]
        return pynvml
    import pynvml

    return pynvml
