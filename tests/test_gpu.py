"""A real NVIDIA GPU, measured through the real driver. Selected where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobwatt.energy.counter import Meter, advance
from jobwatt.sources.base import COUNTER, OK
from jobwatt.sources.nvml import Nvml

pytestmark = pytest.mark.gpu

AGREEMENT = 0.15
"""Counter against polled power over 5 s: the sensor averages, and looks part of the time."""


def jobwatt(directory: Path, *arguments: str) -> str:
    environ = {**os.environ, "JOBWATT_DIR": str(directory)}
    command = [sys.executable, "-m", "jobwatt.cli", *arguments]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout


def test_every_visible_gpu_is_measured(tmp_path: Path) -> None:
    source = Nvml(os.environ)
    expected = {device.id for device in source.probe().devices}
    source.close()
    jobwatt(tmp_path, "run", "--", "sleep", "8")
    devices = json.loads(jobwatt(tmp_path, "show", "--json"))["devices"]
    gpus = {device["device_id"]: device for device in devices if device["device_kind"] == "gpu"}
    assert set(gpus) == expected
    for device in gpus.values():
        assert device["energy"]["kind"] in ("measured", "estimated")
        assert 1.0 < device["power_mean_watts"] < 2000.0
        assert device["coverage"] > 0.95
        assert device["method"] != COUNTER or device["energy"]["joules"] > 0


def test_the_counter_agrees_with_polled_power() -> None:
    source = Nvml(os.environ)
    probe = source.probe()
    assert probe.state == OK
    counters = [index for index, device in enumerate(probe.devices) if device.method == COUNTER]
    first = source.read()
    meters = [Meter() for _ in probe.devices]
    polled = [0.0 for _ in probe.devices]
    start = time.monotonic()
    while time.monotonic() < start + 5.0:
        now, readings = time.monotonic(), source.read()
        for index, reading in enumerate(readings):
            meters[index], step = advance(meters[index], now, None, reading.power_watts)
            polled[index] += step.energy_joules or 0.0
        time.sleep(0.05)
    last = source.read()
    source.close()
    for index in counters:
        before, after = first[index].energy_joules, last[index].energy_joules
        assert before is not None and after is not None
        assert after - before == pytest.approx(polled[index], rel=AGREEMENT)
