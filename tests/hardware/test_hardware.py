"""The fake GPUs, read through the real pynvml in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.hardware.build import CompilerMissing
from tests.hardware.nvml import FakeNvml, Gpu, gpus
from tests.hardware.power import Constant, Piecewise, Power, Ramp, Square, Step, Timeline, idle

UNPRIVILEGED = Path(__file__).with_name("unprivileged.py")
PRELUDE = """
import json, time
import pynvml as n
now = time.monotonic
def code(function, *args):
    try:
        return function(*args)
    except n.NVMLError as error:
        return f"{type(error).__name__} {error.value}: {error}"
n.nvmlInit()
every = [n.nvmlDeviceGetHandleByIndex(i) for i in range(n.nvmlDeviceGetCount())]
def energy(h):
    return now(), n.nvmlDeviceGetTotalEnergyConsumption(h), now()
def power(h):
    return now(), n.nvmlDeviceGetPowerUsage(h), now()
"""


@pytest.fixture
def fake(tmp_path: Path) -> FakeNvml:
    try:
        return FakeNvml(tmp_path)
    except CompilerMissing as error:
        pytest.skip(str(error))


def ask(fake: FakeNvml, code: str, prefix: tuple[str, ...] = (), prelude: str = PRELUDE) -> Any:
    """What `code` puts into `out`, run where only the fake driver exists."""
    program = f"{prelude}\n{code}\nprint(json.dumps(out))"
    command = [*prefix, sys.executable, "-c", program]
    run = subprocess.run(
        command, env=dict(fake.env()), capture_output=True, text=True, timeout=15, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def assert_counter(gpu: Gpu, truth: Timeline, reading: tuple[float, int, float]) -> None:
    """The counter lies between the truth just before and just after it was read."""
    before, millijoules, after = reading
    low = (gpu.counter_start_joules + truth.joules_until(before)) * 1e3
    high = (gpu.counter_start_joules + truth.joules_until(after)) * 1e3
    assert low - 1.1 <= millijoules <= high + 0.1


SHAPES: list[Power] = [
    Constant(250.0),
    idle(),
    Square(500.0, 60.0, 0.08, 0.25),
    Ramp(60.0, 400.0, 0.3),
    Ramp(400.0, 60.0, 30.0),
    Piecewise((Step(0.0, Constant(80.0)), Step(0.15, Square(300.0, 0.0, 0.1)))),
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_energy_is_power_times_time(fake: FakeNvml, shape: Power) -> None:
    gpu = Gpu(uuid="GPU-a", power=shape)
    fake.write([gpu])
    readings = ask(fake, "out=[]\nfor _ in range(40): out.append((energy(every[0]), "
                         "power(every[0]))); time.sleep(0.01)")
    truth = fake.timeline("GPU-a")
    assert readings[-1][0][1] > readings[0][0][1]
    agreed = 0
    for counter, (before, milliwatts, after) in readings:
        assert_counter(gpu, truth, counter)
        bounds = [truth.power_watts(before) * 1e3, truth.power_watts(after) * 1e3]
        agreed += min(bounds) - 1 <= milliwatts <= max(bounds) + 1
    # A step between two clock reads may hide one value, never many.
    assert agreed >= len(readings) - 1


@pytest.mark.parametrize(
    ("power", "t1_seconds", "joules"),
    [
        (Constant(200.0), 10.0, 2000.0),
        (Square(400.0, 100.0, 2.0, 0.25), 10.0, 1750.0),
        (Square(400.0, 100.0, 2.0, 0.25), 2.25, 350.0 + 100.0),
        (Square(400.0, 100.0, 2.0, 0.25), 3.0, 350.0 + 200.0 + 50.0),
        (Ramp(0.0, 100.0, 10.0), 5.0, 125.0),
        (Ramp(0.0, 100.0, 10.0), 20.0, 1500.0),
        (Piecewise((Step(1.0, Constant(10.0)), Step(3.0, Constant(100.0)))), 5.0, 220.0),
    ],
)
def test_truth_by_hand(power: Power, t1_seconds: float, joules: float) -> None:
    truth = Timeline(()).changed(1000.0, power)
    assert truth.energy_joules(1000.0, 1000.0 + t1_seconds) == pytest.approx(joules)
    steps = 100_000
    width = t1_seconds / steps
    riemann = sum(truth.power_watts(1000.0 + (i + 0.5) * width) for i in range(steps)) * width
    assert riemann == pytest.approx(joules, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_each_gpu_has_its_own_counter(fake: FakeNvml, count: int) -> None:
    described = gpus(count)
    fake.write(described)
    out = ask(fake, "out=[(n.nvmlDeviceGetUUID(h), n.nvmlDeviceGetPowerUsage(h), energy(h), "
                    "n.nvmlDeviceGetUUID(n.nvmlDeviceGetHandleByUUID("
                    "n.nvmlDeviceGetUUID(h)))) for h in every]")
    assert [uuid for uuid, *_ in out] == [gpu.uuid for gpu in described]
    assert [milliwatts for _, milliwatts, *_ in out] == [200_000 + 50_000 * i for i in range(count)]
    for gpu, (uuid, _, counter, found) in zip(described, out, strict=True):
        assert found == uuid
        assert_counter(gpu, fake.timeline(uuid), counter)


def test_change_in_mid_run_keeps_energy_continuous(fake: FakeNvml) -> None:
    gpu = Gpu(uuid="GPU-a", power=Constant(400.0))
    fake.write([gpu])
    code = "out=[]\nend=now()+1.2\nwhile now()<end: out.append(energy(every[0])); time.sleep(5e-4)"
    program = f"{PRELUDE}\n{code}\nprint(json.dumps(out))"
    with subprocess.Popen(
        [sys.executable, "-c", program], env=dict(fake.env()), stdout=subprocess.PIPE, text=True
    ) as reader:
        switches = []
        for watts in (0.0, 300.0, 20.0, 500.0):
            time.sleep(0.25)
            switches.append(fake.write([replace(gpu, power=Constant(watts))]))
        text, _ = reader.communicate(timeout=15)
    readings = json.loads(text)
    truth = fake.timeline("GPU-a")
    assert readings[0][0] < switches[0] < switches[-1] < readings[-1][0]
    assert [step.since_seconds for step in truth.steps[1:]] == switches
    counters = [counter for _, counter, _ in readings]
    assert counters == sorted(counters)
    for reading in readings:
        assert_counter(gpu, truth, reading)


def test_faults(fake: FakeNvml) -> None:
    now = time.monotonic()
    fake.write([
        Gpu(uuid="GPU-reset", power=Constant(100.0), reset_at_seconds=now + 0.4),
        Gpu(uuid="GPU-stuck", power=Constant(100.0), stuck_at_seconds=now + 0.1),
        Gpu(uuid="GPU-lost", lost_at_seconds=now + 0.6),
        Gpu(uuid="GPU-old", has_energy_counter=False),
        Gpu(uuid="GPU-dark", has_power=False),
    ])
    early, late = ask(fake, f"""out=[]
for moment in ({now} + 0.3, {now} + 0.8):
    time.sleep(max(0, moment - now()))
    out.append([(now(), code(n.nvmlDeviceGetTotalEnergyConsumption, h),
                 code(n.nvmlDeviceGetPowerUsage, h)) for h in every])
out[1].append(code(n.nvmlDeviceGetHandleByIndex, 2))""")
    assert early[0][1] >= 1_000_000_000 + 100 * 295
    at, counter, _ = late[0]
    assert counter == pytest.approx((at - now - 0.4) * 100e3, abs=200)
    assert early[1][1] == late[1][1] == pytest.approx(1_000_000_000 + 10_000, abs=200)
    assert late[1][2] == 100_000
    assert early[2][2] == 200_000
    assert late[2][1] == late[2][2] == late[5] == "NVMLError_GpuIsLost 15: GPU is lost"
    assert late[3][1] == "NVMLError_NotSupported 3: Not Supported"
    assert late[3][2] == 200_000
    assert late[4][2] == "NVMLError_NotSupported 3: Not Supported"


def test_sensor_refresh_and_averaging(fake: FakeNvml) -> None:
    power = Square(400.0, 0.0, 0.1, 0.5)
    fake.write([Gpu(uuid="GPU-a", power=power, refresh_seconds=0.1),
                Gpu(uuid="GPU-b", power=Square(400.0, 0.0, 0.002), power_window_seconds=0.1),
                Gpu(uuid="GPU-c", power=Constant(300.0))])
    counters, smooth, fields = ask(fake, """
counters=set(); end=now()+0.45
while now()<end: counters.add(n.nvmlDeviceGetTotalEnergyConsumption(every[0])); time.sleep(1e-3)
values=n.nvmlDeviceGetFieldValues(every[2], [83, 185, 186, 1])
out=[len(counters), n.nvmlDeviceGetPowerUsage(every[1]), [
    values[0].value.ullVal, values[1].value.uiVal, values[2].value.uiVal, values[3].nvmlReturn]]""")
    assert 4 <= counters <= 6
    assert smooth == pytest.approx(200_000, rel=0.02)
    assert fields[0] > 1_000_000_000
    assert fields[1:] == [300_000, 300_000, 3]


def test_device_files_hide_gpus(fake: FakeNvml, tmp_path: Path) -> None:
    described = gpus(4, device_dir=tmp_path)
    for index in (0, 1, 3):  # 2 has no file: visible, as NVML's own answer to ENOENT
        (tmp_path / f"nvidia{index}").touch(mode=0o600 if index else 0)
    fake.write(described)
    out = ask(fake, """out=[(n.nvmlDeviceGetIndex(h), n.nvmlDeviceGetMinorNumber(h),
n.nvmlDeviceGetPowerUsage(h)) for h in every]
out.append(code(n.nvmlDeviceGetHandleByIndex, 3))
out.append(code(n.nvmlDeviceGetHandleByUUID, b"GPU-00000000-0000-4000-8000-000000000000"))""",
              prefix=(sys.executable, str(UNPRIVILEGED)))
    assert out[:3] == [[0, 1, 250_000], [1, 2, 300_000], [2, 3, 350_000]]
    assert out[3].startswith("NVMLError_InvalidArgument")
    assert out[4].startswith("NVMLError_NotFound")


def test_init_errors(fake: FakeNvml) -> None:
    prelude = "import json\nimport pynvml as n"
    code = """
try: n.nvmlInit(); out = "ok"
except n.NVMLError as error: out = error.value
try: n.nvmlDeviceGetCount(); later = "ok"
except n.NVMLError as error: later = error.value
out = [out, later]"""
    assert ask(fake, code, prelude=prelude) == [9, 1]
    fake.write(gpus(1), init_error=18)
    assert ask(fake, code, prelude=prelude) == [18, 1]
    fake.write(gpus(1))
    assert ask(fake, code, prelude=prelude) == ["ok", "ok"]
