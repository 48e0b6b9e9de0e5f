"""The sampling loop: a tick a second on the monotonic clock, condensed into journal lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from jobwatt.sampler.condense import Totals, encode, rounded, span_limit_seconds, span_line
from jobwatt.sampler.meters import Meters
from jobwatt.sampler.tasks import GONE, RUNNING
from jobwatt.sampler.writer import Writer
from jobwatt.sources.base import GPU

EARLY_SECONDS = 25.0
EARLY_TICK_SECONDS = 0.5
"""A kill takes what came after the last tick: in a short step that weighs more."""


class Clocks(NamedTuple):
    """Where time comes from."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    own_cpu: Callable[[], float] = time.process_time


class Watch(Protocol):
    """Says when to stop."""

    def wait(self, seconds: float) -> str:
        """Sleep for this long, or less if it is over: `running`, or how it ended."""
        ...


class Sampling:
    """State of one sampler: what was read, and what of it is not yet in the journal."""

    def __init__(
        self,
        meters: Meters,
        read_totals: Callable[[], Totals],
        writer: Writer,
        clocks: Clocks,
        tick_seconds: float,
        line_seconds: float,
    ) -> None:
        self._meters = meters
        self._gpus = [track for track in meters.tracks if track.device.kind == GPU]
        self._others = [track for track in meters.tracks if track.device.kind != GPU]
        self._read_totals = read_totals
        self._writer = writer
        self._clocks = clocks
        self._tick_seconds = tick_seconds
        self._line_seconds = line_seconds
        self._start_seconds = self._span_start = self._last_tick = clocks.monotonic()
        self._totals = read_totals()
        self._missed_ticks = 0
        meters.tick(clocks.monotonic)

    @property
    def start_seconds(self) -> float:
        """Monotonic time of the first reading: the journal's zero."""
        return self._start_seconds

    def run(self, tasks: Watch) -> str:
        """Tick until it is over; how it ended."""
        due = self._start_seconds
        interval = min(EARLY_TICK_SECONDS, self._tick_seconds)
        while True:
            due += interval
            state = tasks.wait(due - self._clocks.monotonic())
            if state != RUNNING:
                return state
            self.tick()
            late = int((self._clocks.monotonic() - due) / interval)
            self._missed_ticks += late
            due += late * interval
            if due - self._start_seconds >= EARLY_SECONDS:
                interval = self._tick_seconds

    def tick(self) -> None:
        """Read everything once; write a line when the span is long enough."""
        events = self._meters.tick(self._clocks.monotonic)
        now = self._clocks.monotonic()
        if now - self._last_tick > 3 * self._tick_seconds:
            self._event("late", "")
        self._last_tick = now
        for track, event in events:
            self._event(event, track.device.id)
        limit = span_limit_seconds(
            now - self._start_seconds, self._line_seconds, self._writer.watched
        )
        # Some tolerance: ticks never fall on the limit exactly.
        if now - self._span_start >= limit - EARLY_TICK_SECONDS / 4:
            self._close_span(now)

    def finish(self, state: str, flush_seconds: float) -> None:
        """The last reading, the span under way and the end line."""
        self._meters.tick(self._clocks.monotonic)
        now = self._clocks.monotonic()
        self._close_span(now)
        self._put({"end": state}, now)
        self._writer.flush(flush_seconds)

    def _close_span(self, now: float) -> None:
        totals = self._read_totals()
        self._writer.put(
            span_line(
                now - self._start_seconds,
                now - self._span_start,
                self._clocks.wall(),
                [track.next_span() for track in self._gpus],
                [track.next_span() for track in self._others],
                self._totals,
                totals,
                self._missed_ticks,
            )
        )
        self._totals, self._span_start, self._missed_ticks = totals, now, 0

    def _event(self, name: str, device: str) -> None:
        self._put({"event": name, "device": device}, self._clocks.monotonic())

    def _put(self, fields: dict[str, Any], now: float) -> None:
        stamp = {
            "t": rounded(now - self._start_seconds, 3),
            "w": rounded(self._clocks.wall(), 1),
        }
        self._writer.put(encode({**stamp, **fields}))


def sample(sampling: Sampling, tasks: Watch, is_step: bool) -> None:
    """From the first reading to the end of the node's tasks.

    In a Slurm step nothing may be done once the tasks are gone: every millisecond counts
    towards the second that a late process costs. A dying task leaves time for a last reading.
    """
    state = sampling.run(tasks)
    if state != GONE or not is_step:
        sampling.finish(state, flush_seconds=0.02 if is_step else 0.5)
