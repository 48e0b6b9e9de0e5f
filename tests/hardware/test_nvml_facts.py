"""What the fake driver says of a GPU and its MIG instances besides power, through pynvml."""

from __future__ import annotations

from pathlib import Path

from tests.hardware.nvml import DRIVER_VERSION, FakeNvml, Gpu, GpuProcess, MigInstance
from tests.hardware.test_hardware import ask, fake

__all__ = ["fake"]  # the fixture


def test_described_values(fake: FakeNvml) -> None:
    fake.write([Gpu(
        uuid="GPU-a", name="NVIDIA H100 80GB HBM3", minor=3, temperature_celsius=71,
        sm_clock_mhz=1980, power_limit_watts=700.0, clock_event_reasons=0x24,
        utilisation_gpu_percent=97, utilisation_memory_percent=33,
        memory_total_bytes=80 << 30, memory_used_bytes=5 << 30,
        processes=(GpuProcess(4242, 3 << 30), GpuProcess(4243, 2 << 30)),
    )])
    out = ask(fake, """h=every[0]
used=n.nvmlDeviceGetUtilizationRates(h)
first, second=n.nvmlDeviceGetMemoryInfo(h), n.nvmlDeviceGetMemoryInfo(h, n.nvmlMemory_v2)
out={
 "driver": n.nvmlSystemGetDriverVersion(), "name": n.nvmlDeviceGetName(h),
 "minor": n.nvmlDeviceGetMinorNumber(h), "bus": n.nvmlDeviceGetPciInfo(h).busId,
 "persistence": n.nvmlDeviceGetPersistenceMode(h),
 "utilisation": [used.gpu, used.memory],
 "memory": [first.total, first.used, first.free, second.total, second.used, second.free],
 "clock": n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_SM),
 "temperature": [n.nvmlDeviceGetTemperature(h, 0), n.nvmlDeviceGetTemperatureV(h, 0)],
 "reasons": [n.nvmlDeviceGetCurrentClocksEventReasons(h),
             n.nvmlDeviceGetCurrentClocksThrottleReasons(h)],
 "limits": [n.nvmlDeviceGetEnforcedPowerLimit(h), n.nvmlDeviceGetPowerManagementLimit(h)],
 "processes": [[(p.pid, p.usedGpuMemory) for p in ask(h)] for ask in (
     n.nvmlDeviceGetComputeRunningProcesses_v2, n.nvmlDeviceGetComputeRunningProcesses_v3)],
 "mig": code(n.nvmlDeviceGetMigMode, h),
}""")
    memory = [80 << 30, 5 << 30, 75 << 30]
    processes = [[4242, 3 << 30], [4243, 2 << 30]]
    assert out == {
        "driver": DRIVER_VERSION, "name": "NVIDIA H100 80GB HBM3", "minor": 3,
        "bus": "00000000:13:00.0", "persistence": 1, "utilisation": [97, 33],
        "memory": memory + memory, "clock": 1980, "temperature": [71, 71],
        "reasons": [0x24, 0x24], "limits": [700_000, 700_000],
        "processes": [processes, processes], "mig": "NVMLError_NotSupported 3: Not Supported",
    }


def test_mig(fake: FakeNvml) -> None:
    instances = (
        MigInstance("MIG-one", gpu_instance_id=9, slices=1, multiprocessors=14),
        MigInstance("MIG-three", gpu_instance_id=2, slices=3, multiprocessors=42,
                    memory_bytes=20 << 30),
    )
    processes = (GpuProcess(7, 1 << 30, gpu_instance_id=9), GpuProcess(8, 2 << 30, 2))
    fake.write([Gpu(uuid="GPU-a", mig=True, instances=instances, processes=processes),
                Gpu(uuid="GPU-b", mig=False)])
    out = ask(fake, """h=every[0]
out={
 "modes": [n.nvmlDeviceGetMigMode(e) for e in every],
 "most": n.nvmlDeviceGetMaxMigDeviceCount(h),
 "power": n.nvmlDeviceGetPowerUsage(h),
 "profiles": [(i.sliceCount, i.multiprocessorCount) for v in (1, 2) for p in (0, 2, 4)
              for i in [n.nvmlDeviceGetGpuInstanceProfileInfo(h, p, v)]],
 "used": code(n.nvmlDeviceGetUtilizationRates, h),
 "pids": [p.pid for p in n.nvmlDeviceGetComputeRunningProcesses(h)],
 "end": [code(n.nvmlDeviceGetMigDeviceHandleByIndex, h, 2),
         code(n.nvmlDeviceGetMigDeviceHandleByIndex, every[1], 0),
         code(n.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, h)],
 "instances": [],
}
for i in range(2):
    m=n.nvmlDeviceGetMigDeviceHandleByIndex(h, i)
    same=n.nvmlDeviceGetHandleByUUID(n.nvmlDeviceGetUUID(m).encode())
    a=n.nvmlDeviceGetAttributes(m)
    out["instances"].append([
        n.nvmlDeviceGetUUID(same), n.nvmlDeviceGetGpuInstanceId(m),
        n.nvmlDeviceGetComputeInstanceId(m), a.gpuInstanceSliceCount, a.multiprocessorCount,
        n.nvmlDeviceGetUUID(n.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(m)),
        [p.pid for p in n.nvmlDeviceGetComputeRunningProcesses(m)],
        n.nvmlDeviceGetMemoryInfo(m).used, n.nvmlDeviceGetName(m),
        [code(f, m)[:22] for f in (n.nvmlDeviceGetPowerUsage,
         n.nvmlDeviceGetTotalEnergyConsumption, n.nvmlDeviceGetUtilizationRates)]])""")
    refused = ["NVMLError_NotSupported"] * 3
    model = "NVIDIA A100-SXM4-40GB MIG"
    assert out.pop("instances") == [
        ["MIG-one", 9, 0, 1, 14, "GPU-a", [7], 1 << 30, f"{model} 1g.10gb", refused],
        ["MIG-three", 2, 0, 3, 42, "GPU-a", [8], 2 << 30, f"{model} 3g.20gb", refused],
    ]
    assert [text.split()[0] for text in out.pop("end")] == [
        "NVMLError_NotFound", "NVMLError_NotFound", "NVMLError_InvalidArgument"
    ]
    assert out == {
        "modes": [[1, 1], [0, 0]], "most": 7, "power": 200_000, "pids": [7, 8],
        "profiles": [[1, 14], [3, 42], [7, 98]] * 2,
        "used": "NVMLError_NotSupported 3: Not Supported",
    }


def test_a_scenario_with_an_unknown_word_is_refused(fake: FakeNvml) -> None:
    fake.write([Gpu(uuid="GPU-a")])
    text = fake.scenario_path.read_text(encoding="utf-8")
    fake.scenario_path.write_text(text.replace("base_mj", "base_kj"), encoding="utf-8")
    prelude = "import json\nimport pynvml as n"
    code = "try: n.nvmlInit(); out=0\nexcept n.NVMLError as error: out=error.value"
    assert ask(fake, code, prelude=prelude) == 999


def test_library_is_built_once(fake: FakeNvml, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    FakeNvml(tmp_path / "one", cache)
    (built,) = cache.glob("*/libnvidia-ml.so.1")
    before = built.stat().st_mtime_ns
    FakeNvml(tmp_path / "two", cache)
    assert built.stat().st_mtime_ns == before
