"""CPU time and memory of jobwatt's sampler, CodeCarbon and perun at 1 Hz, in the same minute."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.bench.overhead_process import Usage, maps_nvml, matching, tree, usage
from tests.bench.overhead_row import Row, times, wanted

WARM_UP_SECONDS = 15.0
WINDOW_SECONDS = 60.0
LIFE_SECONDS = WARM_UP_SECONDS + WINDOW_SECONDS + 8.0
CPU_LIMIT_SECONDS = 0.05
RSS_LIMIT_BYTES = 20e6
PSS_LIMIT_BYTES = 12e6

IN_STEP = "jobwatt: sampler of srun-green, 4 GPUs"
IN_RUN = "jobwatt: sampler of jobwatt run, 8 GPUs"
WITH_WRAPPER = "jobwatt: the same with jobwatt run itself"
CODECARBON = "CodeCarbon in a sleeping Python, 8 GPUs"
PERUN = "perun monitor of a sleeping Python, 8 GPUs"
IDLE = "a sleeping Python alone"

_TRACKER = """
import time
from codecarbon import EmissionsTracker
tracker = EmissionsTracker(measure_power_secs=1, save_to_file=False, log_level="error")
tracker.start()
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
    sleep = f"import time\ntime.sleep({LIFE_SECONDS})\n"
    script = scratch / "sleep.py"
    script.write_text(sleep, encoding="utf-8")
    base = dict(os.environ)
    others = {**base, "PYTHONPATH": str(customised)}
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


def subjects(started: Mapping[str, subprocess.Popen[bytes]], scratch: Path) -> list[Subject]:
    """What is watched. Raises RuntimeError where a meter does not run, or knows no GPU."""

    def sampler(mode: str) -> tuple[int, ...]:
        variable = b"JOBWATT_DIR=" + os.fsencode(scratch / mode)
        found = matching((b"sampler/__main__.py", mode.encode()), variable)
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} samplers of {mode}, not one")
        return found

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


def rows_of(used: Mapping[str, tuple[float, Usage, int]]) -> list[Row]:
    """`used`: CPU seconds in the window, usage at its end and number of processes, by subject."""
    rows = []
    for quantity, limit, text, unit, digits in (
        ("CPU seconds a minute", CPU_LIMIT_SECONDS, "< 0.05 s", "s", 4),
        ("resident memory (RSS)", RSS_LIMIT_BYTES, "<= 20 MB", "MB", 1),
        ("proportional memory (PSS)", PSS_LIMIT_BYTES, "<= 12 MB", "MB", 1),
    ):
        values = {
            name: {"CPU": seconds, "res": usage.rss_bytes, "pro": usage.pss_bytes}[quantity[:3]]
            for name, (seconds, usage, _) in used.items()
        }
        for name, value in values.items():
            shown = value if unit == "s" else value / 1e6
            ours = name in (IN_STEP, IN_RUN)
            count = used[name][2]
            rows.append(
                Row(quantity, name if count == 1 else f"{name} ({count} processes)",
                    f"{shown:.{digits}f} {unit}", times(value, values[IN_RUN]),
                    wanted(value, limit, text) if ours else "")
            )  # fmt: skip
    return rows


def measure(cache: Path, scratch: Path) -> list[Row]:
    """CPU time, RSS and PSS of everybody over the same minute."""
    started = start_all(cache, scratch)
    try:
        time.sleep(WARM_UP_SECONDS)
        watched = subjects(started, scratch)
        before = {subject.name: usage(subject.pids) for subject in watched}
        began = time.monotonic()
        time.sleep(WINDOW_SECONDS)
        after = {subject.name: usage(subject.pids) for subject in watched}
        minutes = (time.monotonic() - began) / 60
        used = {}
        for name, pids in watched:
            seconds = (after[name].cpu_seconds - before[name].cpu_seconds) / minutes
            used[name] = (seconds, after[name], len(pids))
        return rows_of(used)
    finally:
        # The step ends by itself: its srun cleans up.
        for name, process in started.items():
            if name != IN_STEP:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
