"""CPU time and memory of jobwatt's sampler, CodeCarbon and perun at 1 Hz, in the same minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.bench.overhead_process import maps_nvml, matching, tree, usage
from tests.bench.overhead_row import Row, times, wanted

WARM_UP_SECONDS = 15.0
WINDOW_SECONDS = 60.0
WINDOWS = 2
"""jobwatt's sampler writes fewer lines as a step grows older, so one minute does not tell."""
LIFE_SECONDS = WARM_UP_SECONDS + WINDOWS * WINDOW_SECONDS + 8.0
CPU_LIMIT_SECONDS = 0.05
RSS_LIMIT_BYTES = 20e6
PSS_LIMIT_BYTES = 12e6

IN_STEP = "jobwatt: sampler of srun-green, 4 GPUs"
IN_RUN = "jobwatt: sampler of jobwatt run, 8 GPUs"
WITH_WRAPPER = "jobwatt: the same with jobwatt run itself"
CODECARBON = "CodeCarbon in a sleeping Python, 8 GPUs"
PERUN = "perun monitor of a sleeping Python, 8 GPUs"
IDLE = "a sleeping Python alone"
GPUS = {"step": 4, "run": 8}

_TRACKER = """
import time
from codecarbon import EmissionsTracker
tracker = EmissionsTracker(measure_power_secs=1, log_level="error")
tracker.start()
if not any(type(part).__name__ == "GPU" for part in tracker._hardware):
    raise SystemExit("no GPU")
"""
# What these two ask of NVML and the fake one does not have, in constant time. CodeCarbon and perun
# would otherwise go on without GPUs.
_NVML_REST = """
import pynvml
pynvml.nvmlSystemGetCudaDriverVersion = lambda: 12040
pynvml.nvmlDeviceGetComputeMode = lambda handle: 0
pynvml.nvmlDeviceGetPowerManagementDefaultLimit = lambda handle: 700000
pynvml.nvmlDeviceGetMaxClockInfo = lambda handle, kind: 1980
"""
# They look for CPU counters in /sys only, so each gets a /sys of its own.
_MOUNT = """
mount --make-rprivate / && mount --bind "$0/sys/devices/virtual" /sys/devices/virtual &&
    mount --bind "$0/sys/class" /sys/class && exec "$@"
"""


class Subject(NamedTuple):
    """Processes to watch."""

    name: str
    pids: tuple[int, ...]


def complete_powercap(hardware: Path) -> None:
    """The two links by which CodeCarbon looks for counters, as the kernel has them."""
    for link, target in (
        ("class/powercap/intel-rapl", "../../devices/virtual/powercap/intel-rapl"),
        ("devices/virtual/powercap/intel-rapl/subsystem", "../../../../class/powercap"),
    ):
        path = hardware / "sys" / link
        if not path.is_symlink():
            path.symlink_to(target)


def start(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own, without output."""
    return subprocess.Popen(
        command, env=environ, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def start_all(cache: Path, scratch: Path) -> dict[str, subprocess.Popen[bytes]]:
    """All at once. `cache`: the virtual environments; `scratch`: holds the fake hardware."""
    complete_powercap(scratch / "hardware")
    customised = scratch / "customised"
    customised.mkdir()
    (customised / "sitecustomize.py").write_text(_NVML_REST, encoding="utf-8")
    # CodeCarbon takes GPUs for absent where this program does not run.
    (customised / "nvidia-smi").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (customised / "nvidia-smi").chmod(0o755)
    sleep = f"import time\ntime.sleep({LIFE_SECONDS})\n"
    script = scratch / "sleep.py"
    script.write_text(sleep, encoding="utf-8")
    base = dict(os.environ)
    others = {**base, "PYTHONPATH": str(customised), "CODECARBON_OUTPUT_DIR": str(scratch)}
    others["PATH"] = f"{customised}:{base['PATH']}"
    mounted = ["unshare", "-m", "bash", "-c", _MOUNT, str(scratch / "hardware")]
    python = str(cache / "jobwatt/bin/python")
    seconds = f"{LIFE_SECONDS:g}"
    return {
        IDLE: start([python, "-c", sleep], base),
        IN_STEP: start(
            [str(cache / "jobwatt/bin/srun-green"), "-n1", "-wn1", "--mem=200", "--gres=gpu:4",
             "sleep", seconds],
            {**base, "JOBWATT_DIR": str(scratch / "step")},
        ),
        WITH_WRAPPER: start(
            [str(cache / "jobwatt/bin/jobwatt"), "run", "--", "sleep", seconds],
            {**base, "JOBWATT_DIR": str(scratch / "run")},
        ),
        CODECARBON: start(
            [*mounted, str(cache / "codecarbon/bin/python"), "-c", _TRACKER + sleep], others
        ),
        PERUN: start(
            [*mounted, str(cache / "perun/bin/perun"), "monitor", "--sampling-period", "1",
             "--data-out", str(scratch / "perun"), str(script)],
            others,
        ),
    }  # fmt: skip


def gpus_in_journals(directory: Path) -> int:
    """How many GPUs the journals of a JOBWATT_DIR have, by their heads."""
    count = 0
    for path in directory.glob("journal/*/*/*.jsonl"):
        head = json.loads(path.read_text(encoding="utf-8").partition("\n")[0])
        count += sum(device["kind"] == "gpu" for device in head["devices"])
    return count


def subjects(started: Mapping[str, subprocess.Popen[bytes]], scratch: Path) -> list[Subject]:
    """What is watched. Raises RuntimeError where a meter does not run, or knows no GPU."""

    def sampler(mode: str) -> tuple[int, ...]:
        variable = b"JOBWATT_DIR=" + os.fsencode(scratch / mode)
        found = matching((b"sampler/__main__.py", mode.encode()), variable)
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} samplers of {mode}, not one")
        if gpus_in_journals(scratch / mode) != GPUS[mode]:
            raise RuntimeError(f"the sampler of {mode} has other GPUs than the table says")
        return found

    ended = [name for name, process in started.items() if process.poll() is not None]
    if ended:  # CodeCarbon ends where it finds no GPU
        raise RuntimeError(f"ended too early: {', '.join(ended)}")
    wrapper = started[WITH_WRAPPER].pid
    found = [
        Subject(IN_STEP, sampler("step")),
        Subject(IN_RUN, sampler("run")),
        Subject(WITH_WRAPPER, (wrapper, *sampler("run"))),
        Subject(CODECARBON, tree(started[CODECARBON].pid)),
        Subject(PERUN, tree(started[PERUN].pid)),
        Subject(IDLE, (started[IDLE].pid,)),
    ]
    for subject in found[:-1]:
        if not maps_nvml(subject.pids):
            raise RuntimeError(f"{subject.name}: does not read the GPUs")
    return found


def cpu_rows(minute: int, seconds: Mapping[str, float]) -> list[Row]:
    """CPU time of the subjects in one of the minutes."""
    first = WARM_UP_SECONDS + minute * WINDOW_SECONDS
    quantity = f"CPU time, {first:g} s to {first + WINDOW_SECONDS:g} s after the start"
    return [
        Row(quantity, name, f"{value:.4f} s", times(value, seconds[IN_RUN]),
            wanted(value, CPU_LIMIT_SECONDS, "< 0.05 s") if name in (IN_STEP, IN_RUN) else "")
        for name, value in seconds.items()
    ]  # fmt: skip


def memory_rows(quantity: str, bytes_of: Mapping[str, int], limit: float) -> list[Row]:
    """RSS or PSS of the subjects at the end."""
    return [
        Row(quantity, name, f"{value / 1e6:.1f} MB", times(value, bytes_of[IN_RUN]),
            wanted(value, limit, f"<= {limit / 1e6:g} MB") if name in (IN_STEP, IN_RUN) else "")
        for name, value in bytes_of.items()
    ]  # fmt: skip


def measure(cache: Path, scratch: Path) -> list[Row]:
    """CPU time, RSS and PSS of everybody over the same minutes."""
    started = start_all(cache, scratch)
    try:
        time.sleep(WARM_UP_SECONDS)
        watched = subjects(started, scratch)
        rows: list[Row] = []
        last = {name: usage(pids) for name, pids in watched}
        for minute in range(WINDOWS):
            began = time.monotonic()
            time.sleep(WINDOW_SECONDS)
            now = {name: usage(pids) for name, pids in watched}
            minutes = (time.monotonic() - began) / 60
            rows += cpu_rows(
                minute,
                {name: (now[name].cpu_seconds - last[name].cpu_seconds) / minutes for name in now},
            )
            last = now
        rss = {name: used.rss_bytes for name, used in last.items()}
        pss = {name: used.pss_bytes for name, used in last.items()}
        rows += memory_rows("resident memory (RSS)", rss, RSS_LIMIT_BYTES)
        return rows + memory_rows("proportional memory (PSS)", pss, PSS_LIMIT_BYTES)
    finally:
        # The step ends by itself: its srun cleans up.
        for name, process in started.items():
            if name != IN_STEP:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
