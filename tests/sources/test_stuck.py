from __future__ import annotations

import time
from pathlib import Path

import pytest

from jobwatt.sources.base import OK, STUCK
from jobwatt.sources.hwmon import Hwmon
from jobwatt.sources.powercap import Powercap
from jobwatt.sources.stuck import Watch, burn, is_stuck, judged, moves, watch
from tests.sources.trees import Zones, write


def watched(counters: list[float | None]) -> Watch:
    state = Watch()
    for second, counter in enumerate(counters):
        state = watch(state, float(second), counter)
    return state


@pytest.mark.parametrize(
    ("counters", "busy_fraction", "stuck"),
    [
        ([5, 5, 5, 5], 0.0, True),
        ([5, 5, 5], 0.0, False),
        ([5, 5], 0.5, True),
        ([5, 5], 0.05, False),
        ([5, 5], None, False),
        ([5, 5, 5, 5], None, True),
        ([5, 6, 7, 8], 1.0, False),
        ([5, 5, 5, 6], 1.0, False),
        ([None, None, None, None, None], 1.0, False),
        ([5, None, None, 5], 0.0, True),
    ],
)
def test_a_counter_that_stands_still(
    counters: list[float | None], busy_fraction: float | None, stuck: bool
) -> None:
    assert is_stuck(watched(counters), len(counters) - 1.0, busy_fraction) is stuck


@pytest.mark.parametrize(
    ("watts", "moved", "state"),
    [([50, 40], [True, True], OK), ([50, 0], [True, False], OK), ([0, 0], [False, False], STUCK)],
)
def test_moves_says_it_of_each_device(
    tmp_path: Path, watts: list[float], moved: list[bool], state: str
) -> None:
    zones = Zones(tmp_path)
    for index, power in enumerate(watts):
        zones.add(f"intel-rapl:{index}", f"package-{index}", power)
    source = Powercap(tmp_path)
    probe = source.probe()
    seen = moves(source, 0.3, load=zones.elapse)
    source.close()
    assert seen == moved
    verdict = judged(probe, seen)
    assert verdict.state == state
    dead = [f"package-{index}" for index, power in enumerate(watts) if power == 0]
    assert all(name in verdict.detail.partition("under load")[2] for name in dead)
    assert ("under load" in verdict.detail) is bool(dead)


def test_polled_power_cannot_be_judged(tmp_path: Path) -> None:
    write(tmp_path / "sys/class/hwmon/hwmon0/name", "power_meter")
    write(tmp_path / "sys/class/hwmon/hwmon0/power1_average", 250_000_000)
    source = Hwmon(tmp_path)
    probe = source.probe()
    assert probe.state == OK
    seen = moves(source, 0.01, load=lambda _: None)
    assert seen == [None] and judged(probe, seen) == probe


def test_burn_uses_one_cpu() -> None:
    before = time.process_time()
    burn(0.1)
    assert time.process_time() - before > 0.03
