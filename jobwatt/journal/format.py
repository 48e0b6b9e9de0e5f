"""The journal's line format, version 1. Shared by the sampler (writes) and the readers.

A file is lines of JSON. The first is the head, an object with `"jobwatt": 1`. Then:

`[…]`  a span: one flat array of numbers, null where unknown. Its columns, in this order:
    TIME_COLUMNS, then GPU_COLUMNS for each GPU and POWER_COLUMNS for each other device (both in the
    order of the head's `devices`), then STEP_COLUMNS, NODE_COLUMNS and SELF_COLUMNS
`{"t": …, "w": …, "event": "…", "device": "…"}`  something noteworthy
`{"t": …, "w": …, "end": "…"}`  the sampler left by itself

`t` is in seconds since the head's `monotonic_seconds`, `w` the wall clock (Unix seconds).
A line stands for itself: a torn one takes no other with it. Flat arrays of nothing but digits are
small, parsed in one go, and checked as text before any of their values is looked at.
"""

from __future__ import annotations

VERSION = 1

TIME_COLUMNS = (
    "time_seconds",  # end of the span, since the head's monotonic_seconds
    "length_seconds",
    "wall_seconds",  # Unix time at its end
)
GPU_COLUMNS = (
    "energy_joules",
    "power_min_watts",
    "power_max_watts",
    "utilization_mean_percent",
    "utilization_min_percent",
    "utilization_max_percent",
    "memory_utilization_mean_percent",
    "memory_used_max_mebibytes",
    "sm_clock_mean_mhz",
    "temperature_max_celsius",
    "event_reasons",  # bitwise or of the span's ticks
    "processes_max",
    "idle_seconds",  # ticks at 0 % utilisation
    "idle_energy_joules",
)
POWER_COLUMNS = ("energy_joules", "power_min_watts", "power_max_watts")
STEP_COLUMNS = ("cpu_seconds", "memory_max_mebibytes", "read_mebibytes", "written_mebibytes")
NODE_COLUMNS = ("cpu_busy_seconds", "cpu_total_seconds")
SELF_COLUMNS = ("cpu_seconds", "missed_ticks")

EVENTS = {
    "wrap": "the counter wrapped; accounted for",
    "reset": "the counter was reset; bridged by polled power where there is one",
    "lost": "the device stopped answering",
    "stuck": "the counter does not move; its energy is unavailable",
    "late": "the sampler was suspended",
}
