"""The loop on a clock of the test's own, with real meters and a real journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from jobwatt.journal.reader import Journal, read_journal
from jobwatt.sampler.condense import AGE_FRACTION, EARLY_SPAN_SECONDS, Totals
from jobwatt.sampler.loop import EARLY_SECONDS, EARLY_TICK_SECONDS, Clocks, Sampling, sample
from jobwatt.sampler.meters import Meters, Wish
from jobwatt.sampler.tasks import DYING, GONE, RUNNING, Tasks
from jobwatt.sampler.writer import Place, Writer
from tests.hardware.power import Constant
from tests.hardware.powercap import MAX_RANGE_UJ, PowercapTree, package
from tests.journal.journals import head

WATTS = 100.0
START_SECONDS = 5000.0


class Machine:
    """One package of 100 W and a clock; stands in for the tasks, too, which only wait."""

    def __init__(self, folder: Path, end_seconds: float, state: str = GONE) -> None:
        self.now = START_SECONDS
        self.end = START_SECONDS + end_seconds
        self.pauses: dict[float, float] = {}
        """At this time a wait (or a stop of the process) takes so many seconds longer."""
        self.state = state
        self.watts: float | None = WATTS
        self._used_joules = 0.0
        self.tree = PowercapTree(folder, (package(0, Constant(WATTS)),))
        self.path = folder / "journal/2026-01/7/0.0.n1.0.jsonl"
        self.writer = Writer([Place(folder, self.path)], lambda path: False)
        clocks = Clocks(lambda: self.now, lambda: 1.7e9 + self.now)
        meters = Meters(Wish(folder, {}, disabled=("nvml", "perf", "estimate", "hwmon")))
        self.sampling = Sampling(meters, self.totals, self.writer, clocks, 1.0, 10.0)
        devices = [track.device for track in meters.tracks]
        self.writer.start(json.dumps(head(devices)).encode() + b"\n")

    def totals(self) -> Totals:
        return Totals(cpu_seconds=self.now * 2, own_cpu_seconds=self.now / 1000)

    def wait(self, seconds: float) -> str:
        """As `Tasks.wait`; time passes, and energy with it."""
        assert self.writer.flush(5)
        due = self.now + max(seconds, 0.0)
        for moment in [moment for moment in self.pauses if moment <= due]:
            due += self.pauses.pop(moment)
        ended = due >= self.end
        self.pass_to(self.end if ended else due)
        return self.state if ended else RUNNING

    def pass_to(self, moment: float) -> None:
        self._used_joules += WATTS * (moment - self.now)
        self.now = moment
        path = self.tree.energy_path("intel-rapl:0")
        microjoules = 7_000_000_000 + round(self._used_joules * 1e6)
        path.write_text(f"{microjoules % MAX_RANGE_UJ}\n")

    def run(self, is_step: bool = True) -> Journal:
        sample(self.sampling, cast(Tasks, self), is_step)
        assert self.writer.flush(5)
        return read_journal(self.path)


def joules(journal: Journal) -> float:
    return sum(value or 0.0 for value in journal.other_columns[0]["energy_joules"])


@pytest.mark.parametrize("seconds", [0.3, 1.0, 7.3, 60.0, 3600.0])
def test_a_dying_step_has_all_its_energy(tmp_path: Path, seconds: float) -> None:
    journal = Machine(tmp_path, seconds, DYING).run()
    assert joules(journal) == pytest.approx(WATTS * seconds, abs=0.1)
    assert journal.last_seconds == pytest.approx(seconds, abs=1e-3)
    assert journal.end == DYING
    lengths = [length or 0.0 for length in journal.length_seconds]
    assert sum(lengths) == pytest.approx(journal.last_seconds, abs=0.01)


@pytest.mark.parametrize("seconds", [10.3, 300.7, 3600.2])
def test_a_gone_step_loses_two_percent_at_most(tmp_path: Path, seconds: float) -> None:
    """Nothing is written once the tasks are gone: it would cost the step a second."""
    journal = Machine(tmp_path, seconds, GONE).run()
    assert journal.end is None
    lost = seconds - journal.last_seconds
    assert 0 < lost <= max(EARLY_SPAN_SECONDS, AGE_FRACTION * seconds) + 1.0
    assert joules(journal) == pytest.approx(WATTS * journal.last_seconds, abs=0.1)


def test_a_command_of_our_own_loses_nothing(tmp_path: Path) -> None:
    journal = Machine(tmp_path, 33.3, GONE).run(is_step=False)
    assert journal.end == GONE
    assert joules(journal) == pytest.approx(3330.0, abs=0.1)


def test_lines_grow_with_the_step(tmp_path: Path) -> None:
    journal = Machine(tmp_path, 3600.0, DYING).run()
    spans = list(zip(journal.time_seconds, journal.length_seconds, strict=True))
    for end, length in spans:
        assert end is not None and length is not None
        limit = max(EARLY_SPAN_SECONDS, AGE_FRACTION * end)
        tick = EARLY_TICK_SECONDS if end <= EARLY_SECONDS + 1 else 1.0
        assert length < min(10.0, limit) + tick
    assert len(spans) < 700  # one a second would be 3600
    assert [length for _, length in spans[:10]] == [0.5] * 10


def test_ticks_that_were_late_are_counted_and_bridged(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 60.0, DYING)
    machine.pauses = {START_SECONDS + 30.0: 8.25, START_SECONDS + 50.0: 0.4}
    journal = machine.run()
    assert joules(journal) == pytest.approx(6000.0, abs=0.1)
    assert [event["event"] for event in journal.events] == ["late"]
    assert sum(journal.self_columns["missed_ticks"]) == 8  # type: ignore[arg-type]


def test_a_short_delay_is_no_event(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 60.0, DYING)
    machine.pauses = {START_SECONDS + 30.0: 0.9}
    journal = machine.run()
    assert not journal.events
    assert sum(journal.self_columns["missed_ticks"]) == 0  # type: ignore[arg-type]


def test_the_counter_wraps_in_a_long_step(tmp_path: Path) -> None:
    journal = Machine(tmp_path, 3000.0, DYING).run()
    wraps = (7_000_000_000 + 3000 * WATTS * 1e6) // MAX_RANGE_UJ
    assert [event["event"] for event in journal.events] == ["wrap"] * int(wraps)
    assert wraps == 1
    assert joules(journal) == pytest.approx(300_000.0, abs=0.1)


def test_what_the_step_and_the_sampler_used(tmp_path: Path) -> None:
    journal = Machine(tmp_path, 20.0, DYING).run()
    assert sum(journal.step_columns["cpu_seconds"]) == pytest.approx(40.0)  # type: ignore[arg-type]
    own = sum(journal.self_columns["cpu_seconds"])  # type: ignore[arg-type]
    assert own == pytest.approx(0.02, abs=0.003)
