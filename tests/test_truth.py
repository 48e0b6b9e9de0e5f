"""Known power times known time is known energy, through the whole of `jobwatt run`.

All scenarios run at once, one process each; the tests look at what they left. The covered time is
held to 0.5 %: the sampler's time stamps are read next to the counters, not with them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED
from jobwatt.sources.base import NODE, PACKAGE
from tests.hardware.build import CompilerMissing
from tests.hardware.nvml import FakeNvml, Gpu, MigInstance, gpus
from tests.hardware.power import Constant, Power, Ramp, Square, idle
from tests.hardware.powercap import (
    MAX_RANGE_UJ,
    Register,
    Zone,
    mirrored_dies,
    mmio_twin,
    package,
    psys,
    subzone,
)
from tests.truth import Result, Scenario, measure

STAGGER_SECONDS = 0.45
"""Between two starts: a start costs a third of a second of CPU time."""
FAULT_SECONDS = 4.0
STOPPED_SECONDS = 3.0
TICK_SECONDS = 0.5
EXACT = 0.005
MIG = MigInstance("MIG-11111111-2222-4333-8444-555555555555", 2, 0, 3, 42)


def set_of(*powers: Power, **fields: object) -> Callable[[float], Sequence[Gpu]]:
    """GPUs of these powers."""
    made = [
        replace(gpu, power=power, **fields)  # type: ignore[arg-type]
        for gpu, power in zip(gpus(len(powers)), powers, strict=True)
    ]
    return lambda now: made


def faulty(field: str) -> Callable[[float], Sequence[Gpu]]:
    """One GPU of 300 W to which something happens in mid-run."""
    one = replace(gpus(1)[0], power=Constant(300.0))
    return lambda now: [replace(one, **{field: now + FAULT_SECONDS})]  # type: ignore[arg-type]


def sockets(*watts: float) -> tuple[Zone, ...]:
    """Packages with 10 W of DRAM each."""
    zones: list[Zone] = []
    for number, power in enumerate(watts):
        one = package(number, Constant(power))
        zones += [one, subzone(one, 0, "dram", Constant(10.0))]
    return tuple(zones)


def slurm(cpus: int) -> dict[str, str]:
    return {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_JOB_CPUS_PER_NODE": str(cpus)}


def stop_a_while(pid: int) -> None:
    time.sleep(2.0)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    time.sleep(FAULT_SECONDS)
    os.kill(pid, signal.SIGKILL)


WRAPPING = Zone(
    "intel-rapl:0", "package-0", Register(Constant(100.0), start_uj=MAX_RANGE_UJ - 400_000_000)
)
DIES = mirrored_dies(Constant(120.0))
CPUS = os.cpu_count() or 1
SCENARIOS = {
    "20 s": Scenario(lambda now: gpus(2), sockets(90.0), seconds=20.0),
    "1 GPU": Scenario(lambda now: gpus(1), sockets(90.0)),
    "2 GPUs": Scenario(lambda now: gpus(2)),
    "4 GPUs, 2 sockets": Scenario(lambda now: gpus(4), sockets(120.0, 70.0), environ=slurm(CPUS)),
    "8 GPUs": Scenario(lambda now: gpus(8)),
    "wrap": Scenario(zones=(WRAPPING,), environ=slurm(CPUS)),
    "reset": Scenario(faulty("reset_at_seconds")),
    "lost": Scenario(faulty("lost_at_seconds")),
    "stuck": Scenario(faulty("stuck_at_seconds")),
    "idle": Scenario(set_of(idle(), utilisation_gpu_percent=0)),
    "polled": Scenario(set_of(Constant(300.0), Ramp(60.0, 400.0, 8.0), has_energy_counter=False)),
    "shapes": Scenario(set_of(Square(400.0, 60.0, 0.7), Ramp(60.0, 400.0, 6.0))),
    "mig": Scenario(
        set_of(Constant(280.0), mig=True, instances=(MIG,)),
        environ={"CUDA_VISIBLE_DEVICES": MIG.uuid},
    ),
    "one register": Scenario(
        zones=(*DIES, *map(mmio_twin, DIES), psys(7, Constant(400.0))), environ=slurm(CPUS)
    ),
    "killed": Scenario(lambda now: gpus(1), disturb=kill),
    "stopped": Scenario(lambda now: gpus(1), sockets(90.0), 10.0, slurm(CPUS), stop_a_while),
    "shared": Scenario(zones=sockets(150.0), environ=slurm(1)),
}
Results = dict[str, Result]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All runs, side by side; started one after the other, so that none starts late."""
    try:
        FakeNvml(tmp_path_factory.mktemp("compiled"))
    except CompilerMissing as error:
        pytest.skip(str(error))

    def one(number: int, name: str) -> Result:
        time.sleep(number * STAGGER_SECONDS)
        return measure(tmp_path_factory.mktemp("run", numbered=True), SCENARIOS[name])

    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        jobs = {name: pool.submit(one, n, name) for n, name in enumerate(SCENARIOS)}
        return {name: job.result() for name, job in jobs.items()}


def joules(result: Result, device: str) -> float:
    value = result.device(device).energy.joules
    assert value is not None
    return value


@pytest.mark.parametrize("name", ["20 s", "1 GPU", "2 GPUs", "4 GPUs, 2 sockets", "8 GPUs"])
def test_every_gpu_has_its_own_energy(results: Results, name: str) -> None:
    result = results[name]
    known = SCENARIOS[name].gpus(0.0)
    assert [d.device_id for d in result.account.devices if d.device_kind == "gpu"] == [
        gpu.uuid for gpu in known
    ]
    for gpu in known:
        device = result.device(gpu.uuid)
        assert device.energy.kind == MEASURED
        assert device.energy.joules == pytest.approx(result.gpu_truth(gpu.uuid), rel=EXACT)
        assert isinstance(gpu.power, Constant)
        assert device.power_mean_watts == pytest.approx(gpu.power.watts, rel=EXACT)
        assert device.idle_seconds == 0
        assert device.utilization_mean_percent == pytest.approx(90)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in ("lost", "killed")])
def test_nearly_all_of_the_time_is_covered(results: Results, name: str) -> None:
    result = results[name]
    assert result.account.coverage is not None
    assert result.account.coverage > 0.95
    assert SCENARIOS[name].seconds * 0.95 < result.account.duration_seconds
    assert result.account.duration_seconds < SCENARIOS[name].seconds + 0.3
    assert result.journal.bad_lines == 0
    assert result.journal.end is not None


def test_each_socket_and_its_memory(results: Results) -> None:
    result = results["4 GPUs, 2 sockets"]
    for number in (0, 1):
        zone = f"intel-rapl:{number}"
        assert joules(result, f"package-{number}") == pytest.approx(
            result.zone_truth(zone), rel=EXACT
        )
        assert joules(result, f"dram-{number}") == pytest.approx(
            result.zone_truth(f"{zone}:0"), rel=EXACT
        )
    assert result.device("package-0").energy.kind == MEASURED  # the job holds every CPU


def test_a_wrap_in_mid_run_costs_nothing(results: Results) -> None:
    result = results["wrap"]
    assert [event["event"] for event in result.journal.events] == ["wrap"]
    assert joules(result, "package-0") == pytest.approx(
        result.zone_truth("intel-rapl:0"), rel=EXACT
    )


def test_a_reset_is_bridged_by_power(results: Results) -> None:
    result = results["reset"]
    assert [event["event"] for event in result.journal.events] == ["reset"]
    uuid = gpus(1)[0].uuid
    assert joules(result, uuid) == pytest.approx(result.gpu_truth(uuid), rel=EXACT)


def test_a_lost_gpu_keeps_what_it_used_and_says_so(results: Results) -> None:
    result = results["lost"]
    uuid = gpus(1)[0].uuid
    device = result.device(uuid)
    assert [event["event"] for event in result.journal.events] == ["lost"]
    lost = float(result.journal.events[0]["t"])
    assert joules(result, uuid) == pytest.approx(300.0 * (lost - TICK_SECONDS), rel=0.02)
    assert device.coverage is not None
    assert device.coverage < 0.75
    assert device.coverage == pytest.approx(
        (lost - TICK_SECONDS) / result.account.duration_seconds, abs=0.02
    )


def test_a_stuck_counter_gives_way_to_power(results: Results) -> None:
    result = results["stuck"]
    assert [event["event"] for event in result.journal.events] == ["stuck"]
    uuid = gpus(1)[0].uuid
    truth = result.gpu_truth(uuid)
    # The interval in which it stopped is short of what the counter no longer showed.
    assert truth - 300.0 * TICK_SECONDS * 1.1 <= joules(result, uuid) <= truth * 1.001


def test_an_idle_gpu_is_seen(results: Results) -> None:
    result = results["idle"]
    device = result.device(gpus(1)[0].uuid)
    start, end = result.covered
    assert device.idle_seconds == pytest.approx(end - start, rel=0.02)
    assert device.idle_energy_joules == pytest.approx(55.0 * (end - start), rel=0.02)
    assert device.utilization_mean_percent == 0


def test_polled_power_where_there_is_no_counter(results: Results) -> None:
    result = results["polled"]
    for gpu in gpus(2):
        assert joules(result, gpu.uuid) == pytest.approx(result.gpu_truth(gpu.uuid), rel=0.02)
        assert result.device(gpu.uuid).method == "polled"


def test_power_that_changes(results: Results) -> None:
    result = results["shapes"]
    square, ramp = gpus(2)
    # The square's edge moves up to 5 ms of 340 W; the ramp's end weighs most.
    assert joules(result, square.uuid) == pytest.approx(result.gpu_truth(square.uuid), rel=0.01)
    assert joules(result, ramp.uuid) == pytest.approx(result.gpu_truth(ramp.uuid), rel=0.01)


def test_a_mig_instance_has_its_share(results: Results) -> None:
    result = results["mig"]
    device = result.device(MIG.uuid)
    parent = result.gpu_truth(gpus(1)[0].uuid)
    assert device.whole_joules == pytest.approx(parent, rel=EXACT)
    assert device.energy.joules == pytest.approx(parent * 42 / 98, rel=EXACT)
    assert device.energy.kind == ESTIMATED
    assert device.utilization_mean_percent is None


def test_one_register_seen_often_counts_once(results: Results) -> None:
    result = results["one register"]
    packages = [d for d in result.account.devices if d.device_kind == PACKAGE]
    assert len(packages) == 1
    assert packages[0].energy.joules == pytest.approx(result.zone_truth("intel-rapl:0"), rel=EXACT)
    assert {d.device_kind for d in result.account.devices} <= {PACKAGE, NODE}


def test_a_killed_sampler_leaves_all_but_the_last_tick(results: Results) -> None:
    result = results["killed"]
    uuid = gpus(1)[0].uuid
    assert result.journal.end is None
    assert result.journal.bad_lines == 0
    assert FAULT_SECONDS - 2 * TICK_SECONDS < result.journal.last_seconds < FAULT_SECONDS + 0.1
    assert joules(result, uuid) == pytest.approx(result.gpu_truth(uuid), rel=EXACT)


def test_a_stopped_sampler_loses_nothing(results: Results) -> None:
    result = results["stopped"]
    uuid = gpus(1)[0].uuid
    assert joules(result, uuid) == pytest.approx(result.gpu_truth(uuid), rel=EXACT)
    assert joules(result, "package-0") == pytest.approx(
        result.zone_truth("intel-rapl:0"), rel=EXACT
    )
    assert [event["event"] for event in result.journal.events] == ["late"]
    assert result.account.nodes[0].missed_ticks >= 4


@pytest.mark.skipif(CPUS < 2, reason="needs a node that can be shared")
def test_a_shared_node_is_attributed(results: Results) -> None:
    device = results["shared"].device("package-0")
    assert device.energy.kind == ATTRIBUTED
    assert device.whole_joules == pytest.approx(
        results["shared"].zone_truth("intel-rapl:0"), rel=EXACT
    )
    share, low, high = device.energy.joules, device.energy.low_joules, device.energy.high_joules
    assert share is not None and low is not None and high is not None
    # `sleep` uses no CPU time: only the idle part of its one CPU is its own.
    assert device.whole_joules is not None
    by_cores = device.whole_joules / CPUS
    assert low <= share <= by_cores <= high <= by_cores * 1.2


def test_the_summary_is_printed(results: Results) -> None:
    assert "measured" in results["2 GPUs"].stderr
    assert "2 GPUs" in results["2 GPUs"].stderr.splitlines()[0]


def test_directories_stay_private(results: Results) -> None:
    path: Path = results["1 GPU"].journal.path
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
