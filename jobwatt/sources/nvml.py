"""NVIDIA GPUs through NVML: the only module that imports `pynvml`.

Energy comes from the driver's counter (`nvmlDeviceGetTotalEnergyConsumption`, mJ since driver
load, Volta and later, refreshed about every 100 ms: NVML API reference); older GPUs give polled
power. Error band: 5 % (NVML states +/- 5 %); 10 % where the power sensor is on for part of the
time only (A100, H100: 25 ms of each 100 ms, Yang et al., arXiv 2312.02741).
"""

from __future__ import annotations

import ctypes
import struct
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jobwatt.sources.allocation import Choice, MigInstance, VisibleGpu, choose_gpus
from jobwatt.sources.base import (
    ABSENT,
    COUNTER,
    DENIED,
    GPU,
    NO_READING,
    OK,
    POLLED,
    Device,
    Probe,
    Reading,
)

PART_TIME_SENSORS = ("A100", "H100", "H200", "GH200", "A30")
"""Chips of the GA100 and GH100 families, whose sensor averages a quarter of the time."""

_COMPUTE_SLICES = 7
"""Compute slices of a GPU whose full-size profile cannot be read (A100, H100 and later: 7)."""


class _Answers(ctypes.Structure):
    """Where NVML writes what it says of one GPU: allocated once, so that a tick only calls."""

    _fields_ = (
        ("energy_millijoules", ctypes.c_ulonglong),
        ("event_reasons", ctypes.c_ulonglong),
        ("memory", ctypes.c_ulonglong * 3),  # nvmlMemory_t: total, free, used
        ("power_milliwatts", ctypes.c_uint),
        ("utilization", ctypes.c_uint * 2),  # nvmlUtilization_t: gpu, memory
        ("sm_clock_mhz", ctypes.c_uint),
        ("temperature_celsius", ctypes.c_uint),
        ("processes", ctypes.c_uint),
    )


_LAYOUT = struct.Struct("@5Q6I")
"""All of `_Answers` in one step."""


class _Call(NamedTuple):
    """One NVML function: `name(gpu, *before, &answer, *after)`."""

    fields: tuple[str, ...]
    """What it gives of `Reading`."""
    name: str
    answer: str
    """Field of `_Answers` that it writes."""
    before: tuple[int, ...] = ()
    after: tuple[None, ...] = ()


_CALLS = (
    _Call(("energy_joules",), "nvmlDeviceGetTotalEnergyConsumption", "energy_millijoules"),
    _Call(("power_watts",), "nvmlDeviceGetPowerUsage", "power_milliwatts"),
    _Call(
        ("utilization_percent", "memory_utilization_percent"),
        "nvmlDeviceGetUtilizationRates",
        "utilization",
    ),
    _Call(("memory_used_bytes",), "nvmlDeviceGetMemoryInfo", "memory"),
    _Call(("sm_clock_mhz",), "nvmlDeviceGetClockInfo", "sm_clock_mhz", (1,)),  # NVML_CLOCK_SM
    # NVML_TEMPERATURE_GPU
    _Call(("temperature_celsius",), "nvmlDeviceGetTemperature", "temperature_celsius", (0,)),
    _Call(("event_reasons",), "nvmlDeviceGetCurrentClocksThrottleReasons", "event_reasons"),
    # Without room for a list it counts. Drivers before R510 have version 2 alone.
    _Call(
        ("processes",), "nvmlDeviceGetComputeRunningProcesses_v3", "processes", after=(None,)
    ),
    _Call(
        ("processes",), "nvmlDeviceGetComputeRunningProcesses_v2", "processes", after=(None,)
    ),
)
_ENERGY_FIELDS = ("energy_joules", "power_watts")


class _Gpu(NamedTuple):
    answers: _Answers
    calls: Sequence[tuple[Callable[..., int], tuple[Any, ...], tuple[str, ...]]]
    """Functions, their arguments, and the fields of `Reading` that each gives."""
    unsupported: tuple[str, ...]
    """Fields of `Reading` that no call gives."""


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
        self._gpus: list[_Gpu] = []
        self._good: tuple[int, ...] = ()
        """Codes of a call that answered; a count of processes answers by the second."""
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
        self._good = (nvml.NVML_SUCCESS, nvml.NVML_ERROR_INSUFFICIENT_SIZE)
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
        return [self._read(gpu) for gpu in self._gpus]

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
        gpu = self._prepared(handle, Reading._fields if parent is None else _ENERGY_FIELDS)
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

    def _prepared(self, handle: Any, wanted: Sequence[str]) -> _Gpu:
        """The calls that this device supports. A lost GPU supports them and fails for now."""
        # pynvml has loaded it: found again by its name.
        library = ctypes.CDLL("libnvidia-ml.so.1")
        nvml, answers, calls, given = self._nvml, _Answers(), [], set[str]()
        for call in _CALLS:
            function = getattr(library, call.name, None)
            if function is None or not given.isdisjoint(call.fields) or call.fields[0] not in wanted:
                continue
            pointer = ctypes.byref(answers, getattr(_Answers, call.answer).offset)
            arguments = (handle, *call.before, pointer, *call.after)
            answers.processes = 0
            if function(*arguments) not in (
                nvml.NVML_ERROR_NOT_SUPPORTED,
                nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
            ):
                calls.append((function, arguments, call.fields))
                given.update(call.fields)
        return _Gpu(answers, calls, tuple(field for field in Reading._fields if field not in given))

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

    def _read(self, gpu: _Gpu) -> Reading:
        unknown = gpu.unsupported
        gpu.answers.processes = 0  # room for none: see _CALLS
        for function, arguments, fields in gpu.calls:
            if function(*arguments) not in self._good:
                unknown += fields
        energy, reasons, _, _, memory, power, *counts = _LAYOUT.unpack_from(gpu.answers)
        busy, memory_busy, clock, temperature, processes = counts
        reading = Reading(
            energy / 1000,
            power / 1000,
            busy,
            memory_busy,
            memory,
            clock,
            temperature,
            reasons,
            processes,
        )
        return reading._replace(**dict.fromkeys(unknown)) if unknown else reading

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
