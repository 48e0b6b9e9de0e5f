"""What a tick asks of one NVIDIA GPU: NVML's functions, called with prepared arguments.

A binding that makes new objects for each answer costs three times as much, every second, for as
long as the job runs. Signatures and units: NVML API reference.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any, NamedTuple

from jobwatt.sources.base import Reading

_SUCCESS = 0
_NOT_SUPPORTED = 3
_INSUFFICIENT_SIZE = 7
_FUNCTION_NOT_FOUND = 13
_ANSWERED = (_SUCCESS, _INSUFFICIENT_SIZE)
"""A count of processes answers by the second."""
_ENERGY_FIELDS = ("energy_joules", "power_watts")


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
    _Call(("processes",), "nvmlDeviceGetComputeRunningProcesses_v3", "processes", after=(None,)),
    _Call(("processes",), "nvmlDeviceGetComputeRunningProcesses_v2", "processes", after=(None,)),
)


class Gpu:
    """One GPU whose driver library is loaded. `unsupported`: fields of `Reading` it never gives."""

    def __init__(self, handle: Any, energy_only: bool) -> None:
        """Keep the calls that it answers. A lost GPU supports them and fails for now.

        `energy_only`: for a MIG instance; utilisation, memory and processes of the whole GPU say
        nothing of it.
        """
        library = ctypes.CDLL("libnvidia-ml.so.1")
        wanted = _ENERGY_FIELDS if energy_only else Reading._fields
        self._answers = _Answers()
        self._calls = []
        given: set[str] = set()
        for call in _CALLS:
            function = getattr(library, call.name, None)
            if function is None or call.fields[0] in given or call.fields[0] not in wanted:
                continue
            pointer = ctypes.byref(self._answers, getattr(_Answers, call.answer).offset)
            arguments = (handle, *call.before, pointer, *call.after)
            self._answers.processes = 0
            if function(*arguments) not in (_NOT_SUPPORTED, _FUNCTION_NOT_FOUND):
                self._calls.append((function, arguments, call.fields))
                given.update(call.fields)
        self.unsupported = tuple(field for field in Reading._fields if field not in given)

    def read(self) -> Reading:
        """All that it answers now; a call that fails leaves its fields unknown."""
        unknown = self.unsupported
        self._answers.processes = 0  # no room for a list
        for function, arguments, fields in self._calls:
            if function(*arguments) not in _ANSWERED:
                unknown += fields
        energy, reasons, _, _, memory, power, *counts = _LAYOUT.unpack_from(self._answers)
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
