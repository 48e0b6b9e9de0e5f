"""The NVML source through the real pynvml, on the fake driver, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.hardware.build import CompilerMissing
from tests.hardware.nvml import FakeNvml, Gpu, GpuProcess, MigInstance, gpus
from tests.hardware.power import Constant

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import json, sys, time
from jobwatt.sources.nvml import Nvml
out = []
for environ in json.loads(sys.argv[1]):
    source = Nvml(environ, sys.argv[2])
    probe = source.probe()
    first, began = source.read(), time.monotonic()
    time.sleep(float(sys.argv[3]))
    second, ended = source.read(), time.monotonic()
    source.close()
    out.append({
        "state": probe.state, "detail": probe.detail, "remedy": probe.remedy,
        "resolution": probe.resolution, "rule": source.choice.rule,
        "devices": [device._asdict() for device in probe.devices],
        "first": [reading._asdict() for reading in first],
        "second": [reading._asdict() for reading in second],
        "seconds": ended - began,
    })
print(json.dumps(out))
"""
MIG = MigInstance("MIG-11111111-2222-4333-8444-555555555555", 2, 0, 3, 42)


@pytest.fixture
def fake(tmp_path: Path) -> FakeNvml:
    try:
        return FakeNvml(tmp_path)
    except CompilerMissing as error:
        pytest.skip(str(error))


def ask(
    fake: FakeNvml,
    *environs: Mapping[str, str],
    seconds: float = 0.0,
    library: str = "",
    process: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """What the source says in each of these job environments."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(environs), library, str(seconds)]
    run = subprocess.run(
        command, env=dict(fake.env() if process is None else process), cwd=REPOSITORY,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def ids(answer: Mapping[str, Any]) -> list[str]:
    return [device["id"] for device in answer["devices"]]


def one(fake: FakeNvml, gpu: Gpu, **options: Any) -> dict[str, Any]:
    fake.write([gpu])
    return ask(fake, {}, **options)[0]


GPU = replace(gpus(1)[0], power=Constant(250.0))


def test_all_that_a_gpu_says(fake: FakeNvml) -> None:
    gpu = replace(GPU, clock_event_reasons=0x4, processes=(GpuProcess(os.getpid()), GpuProcess(1)))
    answer = one(fake, gpu, seconds=0.5)
    (device,), (first,), (second,) = answer["devices"], answer["first"], answer["second"]
    assert (answer["state"], answer["rule"]) == ("ok", "all GPUs of this machine")
    assert device == {
        "kind": "gpu", "id": gpu.uuid, "name": gpu.name, "source": "nvml", "method": "counter",
        "range_joules": None, "max_power_watts": 600.0, "error_fraction": 0.10, "share": 1.0,
        "parent": None,
    }  # fmt: skip
    rise = second.pop("energy_joules") - first.pop("energy_joules")
    assert rise == pytest.approx(250.0 * answer["seconds"], rel=0.02)
    assert first == second == {
        "power_watts": 250.0, "utilization_percent": 90, "memory_utilization_percent": 40,
        "memory_used_bytes": 8 << 30, "sm_clock_mhz": 1410, "temperature_celsius": 50,
        "event_reasons": 4, "processes": 2,
    }  # fmt: skip


def test_every_form_of_cuda_visible_devices(fake: FakeNvml) -> None:
    node = [replace(gpu, minor=3 - gpu.minor) for gpu in gpus(4)]
    fake.write(node)
    uuids = [gpu.uuid for gpu in node]
    expected: dict[str, list[str]] = {
        "0": uuids[:1],
        "3,1": [uuids[3], uuids[1]],
        f"{uuids[2]},{uuids[0]}": [uuids[2], uuids[0]],
        "GPU-00000001": uuids[1:2],
        "GPU-0000": [],
        "-1": [],
        "": [],
        "NoDevFiles": [],
        "GPU-99999999": [],
        "0,7,1": uuids[:1],
    }
    answers = ask(fake, *({"CUDA_VISIBLE_DEVICES": text} for text in expected))
    assert dict(zip(expected, map(ids, answers), strict=True)) == expected
    assert [answer["state"] for answer in answers] == [
        "ok" if found else "absent" for found in expected.values()
    ]


def test_slurms_numbers_are_device_files(fake: FakeNvml) -> None:
    node = [replace(gpu, minor=3 - gpu.minor) for gpu in gpus(4)]
    fake.write(node)
    job = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0"}
    answers = ask(fake, {**job, "SLURM_STEP_GPUS": "0"}, {**job, "SLURM_JOB_GPUS": "1,3"})
    assert ids(answers[0]) == [node[3].uuid]
    assert set(ids(answers[1])) == {node[2].uuid, node[0].uuid}


def test_the_device_cgroup_hides_the_others(fake: FakeNvml, tmp_path: Path) -> None:
    """A GPU whose device file may not be opened is not listed; the rest is counted from 0."""
    node = gpus(4, device_dir=tmp_path)
    fake.write(node)
    unprivileged = REPOSITORY / "tests/hardware/unprivileged.py"
    for index in range(4):
        (tmp_path / f"nvidia{index}").touch(mode=0o666 if index in (1, 2) else 0o000)
    environ = {"SLURM_JOB_ID": "7", "SLURM_STEP_GPUS": "1,2", "CUDA_VISIBLE_DEVICES": "0,1"}
    command = [sys.executable, str(unprivileged), sys.executable, "-c", PROGRAM]
    run = subprocess.run(
        [*command, json.dumps([environ]), "", "0"], env=dict(fake.env()), cwd=REPOSITORY,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (answer,) = json.loads(run.stdout)
    assert ids(answer) == [node[1].uuid, node[2].uuid]
    assert answer["rule"] == "SLURM_STEP_GPUS (device cgroup)"


@pytest.mark.parametrize("form", [MIG.uuid, MIG.uuid[:12], f"MIG-{GPU.uuid}/2/0", "0"])
def test_a_mig_instance_is_a_share_of_its_gpu(fake: FakeNvml, form: str) -> None:
    fake.write([replace(GPU, mig=True, instances=(MIG,))])
    (answer,) = ask(fake, {"CUDA_VISIBLE_DEVICES": form}, seconds=0.3)
    (device,), (first,), (second,) = answer["devices"], answer["first"], answer["second"]
    assert device["id"] == MIG.uuid
    assert device["parent"] == GPU.uuid
    assert device["share"] == pytest.approx(42 / 98)
    rise = second["energy_joules"] - first["energy_joules"]
    assert rise == pytest.approx(250.0 * answer["seconds"], rel=0.03)  # the whole GPU's
    assert {field for field, value in second.items() if value is not None} == {
        "energy_joules",
        "power_watts",
    }


def test_a_gpu_without_an_energy_counter(fake: FakeNvml) -> None:
    answer = one(fake, replace(GPU, has_energy_counter=False))
    assert answer["devices"][0]["method"] == "polled"
    assert answer["resolution"] == "power polled, 1 mW"
    assert answer["second"][0]["energy_joules"] is None
    assert answer["second"][0]["power_watts"] == 250.0


def test_a_gpu_without_power(fake: FakeNvml) -> None:
    answer = one(fake, replace(GPU, has_power=False, has_energy_counter=False))
    (reading,) = answer["second"]
    assert reading["energy_joules"] is None
    assert reading["power_watts"] is None
    assert reading["utilization_percent"] == 90


def test_a_gpu_that_is_lost_gives_nothing_and_the_others_go_on(fake: FakeNvml) -> None:
    first, second = gpus(2)
    fake.write([replace(first, lost_at_seconds=time.monotonic() + 1.0), second])
    (answer,) = ask(fake, {}, seconds=1.5)
    assert answer["first"][0]["energy_joules"] is not None
    assert set(answer["second"][0].values()) == {None}
    assert answer["second"][1]["power_watts"] == 250.0


def test_no_library_is_absent(fake: FakeNvml, tmp_path: Path) -> None:
    empty = {"LD_LIBRARY_PATH": str(tmp_path / "empty")}
    (answer,) = ask(fake, {}, process=empty)
    if "driver" in answer["detail"].lower() or answer["devices"]:
        pytest.skip("this machine has an NVIDIA driver")
    assert (answer["state"], answer["devices"]) == ("absent", [])
    assert answer["detail"]


def test_a_library_by_its_full_path(fake: FakeNvml) -> None:
    fake.write([GPU])
    process = {"FAKE_NVML_SCENARIO": str(fake.scenario_path)}
    (answer,) = ask(fake, {}, library=str(fake.library_path), process=process)
    assert ids(answer) == [GPU.uuid]
    (answer,) = ask(fake, {}, library="/no/such/library.so", process=process)
    assert answer["state"] == "absent"


@pytest.mark.parametrize(("code", "state"), [(4, "denied"), (9, "absent"), (18, "absent")])
def test_a_driver_that_refuses(fake: FakeNvml, code: int, state: str) -> None:
    """NVML_ERROR_NO_PERMISSION, _DRIVER_NOT_LOADED, _LIB_RM_VERSION_MISMATCH."""
    fake.write([GPU], init_error=code)
    (answer,) = ask(fake, {})
    assert answer["state"] == state
    assert answer["detail"].startswith("NVML: ")
    assert bool(answer["remedy"]) == (state == "denied")


def test_no_gpu_in_the_machine(fake: FakeNvml) -> None:
    nothing: Sequence[Gpu] = ()
    fake.write(nothing)
    assert ask(fake, {})[0]["state"] == "absent"


def test_the_error_band_follows_the_sensor(fake: FakeNvml) -> None:
    names = ("NVIDIA A100-SXM4-40GB", "NVIDIA H100 PCIe", "Tesla V100-SXM2-16GB", "NVIDIA L40S")
    fake.write([replace(gpu, name=name) for gpu, name in zip(gpus(4), names, strict=True)])
    (answer,) = ask(fake, {})
    assert [device["error_fraction"] for device in answer["devices"]] == [0.1, 0.1, 0.05, 0.05]
