"""The devices of this node and their meters, read together once a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jobwatt.energy.counter import Meter, Step, advance
from jobwatt.sampler.condense import DeviceSpan
from jobwatt.sources.allocation import count_allocated
from jobwatt.sources.base import GPU, OK, Device, Probe, Reading, Source
from jobwatt.sources.ladder import CPU_LADDER, NODE_SOURCES
from jobwatt.sources.nvml import Nvml

STUCK_AFTER_SECONDS = 0.4
"""A counter of a device that draws power moves within this time (NVML refreshes every 100 ms).
Below the shortest usual tick, so that one tick's delay does not decide."""


class Wish(NamedTuple):
    """What to measure, and with what."""

    root: Path
    environ: Mapping[str, str]
    nvml_library: str = ""
    disabled: Sequence[str] = ()
    whole_node: bool = False
    gpus_only: bool = False
    """For the second and later device sets of a node, whose CPUs the first sampler measures."""


class DeviceTrack:
    """One device with its meter state and the span under way."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.span = DeviceSpan()
        self._meter = Meter()
        self._moved_seconds = 0.0
        self._trouble = ""

    def tick(self, time_seconds: float, reading: Reading) -> str:
        """Account for one reading; the name of a new event (`wrap`, `stuck`, …), else ''."""
        before = self._meter
        counter = reading.energy_joules
        elapsed = time_seconds - (before.time_seconds or time_seconds)
        if counter is None or counter != before.counter_joules:
            self._moved_seconds = time_seconds
        still_seconds = time_seconds - self._moved_seconds
        stuck = still_seconds >= STUCK_AFTER_SECONDS and reading.power_watts != 0
        if stuck:
            self._meter, step = self._without_counter(before, time_seconds, reading)
        else:
            self._meter, step = advance(
                before,
                time_seconds,
                counter,
                reading.power_watts,
                self.device.range_joules,
                self.device.max_power_watts,
            )
        self.span.add(reading, step.energy_joules, elapsed)
        return self._news("stuck" if stuck else step.event)

    def _without_counter(self, before: Meter, now: float, reading: Reading) -> tuple[Meter, Step]:
        """Polled power instead of a counter that stands still, which is remembered."""
        _, step = advance(before, now, None, reading.power_watts)
        after = Meter(now, before.counter_joules, reading.power_watts)
        return after, Step(step.energy_joules, "stuck")

    def _news(self, event: str) -> str:
        """`lost` and `stuck` last: told once. A wrap or a reset is told each time."""
        if event == self._trouble and event in ("lost", "stuck"):
            return ""
        self._trouble = event
        return event

    def next_span(self) -> DeviceSpan:
        """Take the span under way; a new one begins."""
        done, self.span = self.span, DeviceSpan()
        return done


class Meters:
    """All sources that are read on this node."""

    def __init__(self, wish: Wish) -> None:
        self.rejected: list[Probe] = []
        self.gpus_allocated = count_allocated(wish.environ)
        self._sources: list[tuple[Source, list[DeviceTrack]]] = []
        self._nvml = Nvml(wish.environ, wish.nvml_library, wish.whole_node)
        self._try(self._nvml, wish)
        if not wish.gpus_only:
            self._first([factory(wish.root) for factory in CPU_LADDER], wish)
            self._first([factory(wish.root) for factory in NODE_SOURCES], wish)

    @property
    def gpu_rule(self) -> str:
        """How the job's GPUs were chosen."""
        return self._nvml.choice.rule

    @property
    def tracks(self) -> list[DeviceTrack]:
        """GPUs first, in the journal's order."""
        tracks = [track for _, group in self._sources for track in group]
        return sorted(tracks, key=lambda track: track.device.kind != GPU)

    def tick(self, clock: Callable[[], float]) -> list[tuple[DeviceTrack, str]]:
        """Read every source once, each by its own time stamp; the events, if any."""
        events = []
        for source, tracks in self._sources:
            readings = source.read()
            now = clock()
            for track, reading in zip(tracks, readings, strict=False):
                event = track.tick(now, reading)
                if event:
                    events.append((track, event))
        return events

    def close(self) -> None:
        """Give drivers and descriptors back."""
        for source, _ in self._sources:
            source.close()

    def _first(self, rungs: Sequence[Source], wish: Wish) -> None:
        for source in rungs:
            if self._try(source, wish):
                return

    def _try(self, source: Source, wish: Wish) -> bool:
        if source.name in wish.disabled:
            return False
        probe = source.probe()
        if probe.state != OK:
            self.rejected.append(probe)
            source.close()
            return False
        self._sources.append((source, [DeviceTrack(device) for device in probe.devices]))
        return True
