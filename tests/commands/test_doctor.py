"""`jobwatt doctor` on machines made of fakes, in a process of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobwatt.sampler.meters import Meters, Wish
from tests.commands.machine import Machine, unprivileged
from tests.hardware.nvml import FakeNvml, gpus
from tests.hardware.power import Constant, Piecewise, Square, Step
from tests.hardware.powercap import PowercapTree, Register, package, subzone
from tests.sources.trees import write

LOAD_SECONDS = 1.0


def source(checkup: Any, name: str) -> Any:
    return next(item for item in checkup["sources"] if item["source"] == name)


def power_meter(root: Path, watts: float) -> None:
    folder = root / "sys/class/hwmon/hwmon0"
    write(folder / "name", "power_meter")
    write(folder / "power1_average", round(watts * 1e6))


def test_a_machine_without_meters_is_estimated(machine: Machine) -> None:
    checkup = machine.doctor()
    assert checkup["schema"] == 1
    assert {item["source"]: item["state"] for item in checkup["sources"]} == {
        "nvml": "absent",
        "powercap": "absent",
        "perf": "absent",
        "estimate": "ok",
        "pm_counters": "absent",
        "hwmon": "absent",
    }
    assert checkup["uses"]["cpu"]["source"] == "estimate"
    assert checkup["uses"]["cpu"]["kind"] == "estimated"
    for role in ("gpu", "node"):
        assert checkup["uses"][role]["source"] is None
        assert checkup["uses"][role]["kind"] == "unavailable"


def test_good_meters_move_and_agree(machine: Machine, fake: FakeNvml) -> None:
    """Sensors that refresh every 100 ms and average over 1 s, as real ones, raise no alarm."""
    fake.write([replace(g, refresh_seconds=0.1, power_window_seconds=1.0) for g in gpus(2)])
    machine.add_gpus(fake)
    power_meter(machine.root, 900.0)
    socket = package(0, Constant(90.0))
    with PowercapTree(machine.root, (socket, subzone(socket, 0, "dram", Constant(12.0)))):
        checkup = machine.doctor(2.0)
    nvml = source(checkup, "nvml")
    assert (nvml["state"], nvml["used"]) == ("ok", True)
    assert [device["comparison"]["verdict"] for device in nvml["devices"]] == ["agrees"] * 2
    assert [device["moved"] for device in nvml["devices"]] == [True, True]
    for device, watts in zip(nvml["devices"], (200.0, 250.0), strict=True):
        assert device["energy_joules"] == pytest.approx(watts * 2.0, rel=0.12)
        assert device["power_watts"] == pytest.approx(watts, rel=0.01)
        # Cut at the counter's own steps, so the refresh costs nothing.
        compared = device["comparison"]
        mean_watts = compared["counter_joules"] / compared["time_seconds"]
        assert mean_watts == pytest.approx(watts, rel=0.03)
    powercap = source(checkup, "powercap")
    assert (powercap["state"], powercap["used"]) == ("ok", True)
    assert [device["moved"] for device in powercap["devices"]] == [True, True]
    assert powercap["devices"][0]["power_watts"] == pytest.approx(90.0, rel=0.1)
    assert source(checkup, "estimate")["why"] == "not used: powercap is better"
    assert checkup["uses"]["gpu"]["kind"] == checkup["uses"]["cpu"]["kind"] == "measured"
    assert checkup["uses"]["node"]["source"] == "hwmon"
    assert source(checkup, "hwmon")["devices"][0]["power_watts"] == 900.0
    assert checkup["checks"]["versions"]["nvidia_driver"] == "550.54.15"
    assert checkup["gpu_rule"] == "all GPUs of this machine"


def test_a_swinging_power_is_no_fault(machine: Machine, fake: FakeNvml) -> None:
    """Power averaged over 1 s lags behind a counter: a step up differs by more than 10 %."""
    steps = (Step(0.0, Constant(60.0)), Step(2.0, Constant(400.0)), Step(60.0, Constant(60.0)))
    gpu = replace(gpus(1)[0], power=Piecewise(steps), power_window_seconds=1.0)
    fake.write([gpu])
    machine.add_gpus(fake)
    time.sleep(0.9)
    compared = source(machine.doctor(1.5), "nvml")["devices"][0]["comparison"]
    assert compared["verdict"] == "unsteady"
    assert "too fast" in compared["text"]


def test_a_stuck_counter_beside_a_good_one(machine: Machine, fake: FakeNvml) -> None:
    good, dead, off = gpus(3)
    dead = replace(dead, stuck_at_seconds=time.monotonic())
    fake.write([good, dead, replace(off, power=Constant(0.0))])
    machine.add_gpus(fake)
    checkup = machine.doctor(LOAD_SECONDS)
    nvml = source(checkup, "nvml")
    # A GPU that draws nothing and counts nothing is as it should be.
    assert [device["moved"] for device in nvml["devices"]] == [True, False, None]
    assert nvml["devices"][2]["comparison"]["verdict"] == "agrees"
    assert nvml["state"] == "ok"
    still = nvml["detail"].partition("does not move under load: ")[2]
    assert still == dead.uuid[:12]
    assert f"{dead.uuid[:12]} is stuck" in checkup["uses"]["gpu"]["text"]


def test_a_lone_stuck_counter_makes_its_source_stuck(machine: Machine, fake: FakeNvml) -> None:
    fake.write([replace(gpus(1)[0], stuck_at_seconds=time.monotonic())])
    machine.add_gpus(fake)
    stuck_zone = replace(
        package(0, Constant(90.0)), register=Register(Constant(90.0), 5, stuck=True)
    )
    with PowercapTree(machine.root, (stuck_zone,)):
        checkup = machine.doctor(LOAD_SECONDS)
    assert source(checkup, "nvml")["state"] == "stuck"
    assert "polled power" in checkup["uses"]["gpu"]["text"]
    assert source(checkup, "powercap")["state"] == "stuck"
    # The sampler cannot know: it takes powercap, and the doctor says what ends that.
    assert checkup["uses"]["cpu"]["source"] == "powercap"
    assert "JOBWATT_DISABLED_SOURCES=powercap" in checkup["uses"]["cpu"]["text"]


def test_sensors_that_disagree_are_flagged_in_words(machine: Machine, fake: FakeNvml) -> None:
    """Power averaged over ever so long still tells of a pulse that is over."""
    pulse = Piecewise((Step(0.0, Constant(4000.0)), Step(0.5, Constant(100.0))))
    fake.write([replace(gpus(1)[0], power=pulse, power_window_seconds=1000.0)])
    machine.add_gpus(fake)
    time.sleep(2.0)
    result = machine.run("doctor", "--load-seconds", "1")
    assert result.returncode == 0
    assert "DISAGREE by " in result.stdout
    assert "its two sensors disagree" in result.stdout


def test_fast_load_within_the_refresh_agrees(machine: Machine, fake: FakeNvml) -> None:
    """A square wave faster than the looks at it: the same mean on both sides."""
    gpu = replace(gpus(1)[0], power=Square(400.0, 100.0, 0.3), power_window_seconds=0.3)
    fake.write([replace(gpu, refresh_seconds=0.1)])
    machine.add_gpus(fake)
    compared = source(machine.doctor(2.0), "nvml")["devices"][0]["comparison"]
    assert compared["verdict"] in ("agrees", "unsteady")


def test_polled_power_alone(machine: Machine, fake: FakeNvml) -> None:
    fake.write([replace(gpus(1)[0], has_energy_counter=False)])
    machine.add_gpus(fake)
    device = source(machine.doctor(0.6), "nvml")["devices"][0]
    assert device["method"] == "polled" and device["moved"] is None
    assert device["energy_joules"] is None and device["power_watts"] == 200.0
    assert device["comparison"]["verdict"] == "unknown"


def test_denied_says_how_to_open_it(machine: Machine) -> None:
    closed = replace(package(1, Constant(70.0)), fault="denied")
    PowercapTree(machine.root, (package(0, Constant(90.0)), closed))
    machine.root.parent.chmod(0o755)
    checkup = machine.doctor(prefix=unprivileged())
    powercap = source(checkup, "powercap")
    assert powercap["state"] == "denied"
    assert "udevadm" in powercap["remedy"] and "\n" not in powercap["remedy"]
    assert checkup["uses"]["cpu"]["text"] == "a model; powercap: denied; perf: absent"
    shown = machine.run("doctor", "--load-seconds", "0", prefix=unprivileged()).stdout
    assert powercap["remedy"] in shown.splitlines()


def test_a_counter_that_cannot_be_read(machine: Machine) -> None:
    PowercapTree(machine.root, (replace(package(0, Constant(90.0)), fault="eio"),))
    checkup = machine.doctor()
    assert source(checkup, "powercap")["state"] == "absent"
    assert checkup["uses"]["cpu"]["source"] == "estimate"


def test_a_source_turned_off(machine: Machine) -> None:
    with PowercapTree(machine.root, (package(0, Constant(90.0)),)):
        checkup = machine.doctor(environ={"JOBWATT_DISABLED_SOURCES": "powercap"})
    powercap = source(checkup, "powercap")
    assert (powercap["state"], powercap["used"]) == ("ok", False)
    assert powercap["why"] == "not used: turned off by sources.disabled"
    assert "powercap: turned off" in checkup["uses"]["cpu"]["text"]


@pytest.mark.parametrize("disabled", ["", "powercap", "hwmon powercap", "powercap estimate perf"])
def test_it_says_what_the_sampler_takes(machine: Machine, disabled: str) -> None:
    power_meter(machine.root, 500.0)
    with PowercapTree(machine.root, (package(0, Constant(90.0)),)):
        checkup = machine.doctor(environ={"JOBWATT_DISABLED_SOURCES": disabled})
        wish = Wish(machine.root, {}, "/nonexistent", disabled=[*disabled.split(), "nvml"])
        meters = Meters(wish)
        taken = {track.device.source for track in meters.tracks}
        meters.close()
    assert {item["source"] for item in checkup["sources"] if item["used"]} == taken


def test_the_gpus_of_a_job(machine: Machine, fake: FakeNvml) -> None:
    fake.write(gpus(4))
    machine.add_gpus(fake)
    checkup = machine.doctor(environ={"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "1,2"})
    assert checkup["gpu_rule"] == "SLURM_JOB_GPUS"
    chosen = [device["id"] for device in source(checkup, "nvml")["devices"]]
    assert chosen == [gpu.uuid for gpu in gpus(4)[1:3]]


def test_nothing_at_all_ends_in_1(machine: Machine) -> None:
    (machine.root / "proc/stat").unlink()
    result = machine.run("doctor", "--load-seconds", "0")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("jobwatt: nothing can be measured on this machine")
    assert "Power sources" in result.stdout
