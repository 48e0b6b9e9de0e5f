"""Journals of a long job, as a sampler would have written them: `python -m … DIR --hours 24`.

Time runs on a clock of its own, and the lines are the sampler's own: its loop, its meters, its
encoder. Only the devices are made up, so size and content are those of a real journal.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from jobwatt.journal.format import VERSION
from jobwatt.paths import journal_path
from jobwatt.sampler.condense import Totals, encode
from jobwatt.sampler.loop import Clocks, Sampling
from jobwatt.sampler.meters import DeviceTrack, Meters
from jobwatt.sampler.tasks import DYING, RUNNING, Tasks
from jobwatt.sampler.writer import Writer
from jobwatt.sources.base import COUNTER, DRAM, GPU, PACKAGE, Device, Reading

MONOTONIC_SECONDS = 4_000_000.0
WALL_SECONDS = 1_767_225_600.0
CPUS = 128
_UUID = "GPU-{:08x}-5ac2-4c1e-9d0b-{:012x}"


def node_devices(node: int, gpus: int, sockets: int) -> list[Device]:
    """A node of H100s and two-domain sockets."""
    found = [
        Device(GPU, _UUID.format(node, index), "NVIDIA H100 80GB HBM3", "nvml", COUNTER,
               max_power_watts=1050.0, error_fraction=0.1)
        for index in range(gpus)
    ]  # fmt: skip
    for socket in range(sockets):
        for kind in (PACKAGE, DRAM):
            name = f"{kind}-{socket}"
            found.append(Device(kind, name, name, "powercap", COUNTER, 262143.32885, None, 0.03))
    return found


class Node:
    """A node under a load that changes: meters, clock and tasks in one."""

    def __init__(self, devices: Sequence[Device], seconds: float, seed: int) -> None:
        self.now = MONOTONIC_SECONDS
        self.tracks = [DeviceTrack(device) for device in devices]
        self.lines: list[bytes] = []
        self.watched = False
        self._end = self.now + seconds
        self._random = random.Random(seed)
        self._joules = [self._random.uniform(0, 2e5) for _ in devices]
        self._read_at = self.now
        self._cpu_seconds = 0.0

    def totals(self) -> Totals:
        """The step uses 80 % of the CPUs."""
        busy = self._cpu_seconds
        own = (self.now - MONOTONIC_SECONDS) * 8e-4
        memory = int(2e11 + 1e9 * math.sin(self.now / 500))
        return Totals(busy * 0.98, memory, int(busy * 4e6), int(busy * 1e6), busy,
                      (self.now - MONOTONIC_SECONDS) * CPUS, own)  # fmt: skip

    def tick(self, clock: object) -> list[tuple[DeviceTrack, str]]:
        """As `Meters.tick`."""
        elapsed, self._read_at = self.now - self._read_at, self.now
        self._cpu_seconds += elapsed * CPUS * self._random.uniform(0.7, 0.9)
        for index, track in enumerate(self.tracks):
            is_gpu = track.device.kind == GPU
            watts = round(self._random.gauss(620, 40) if is_gpu else self._random.gauss(180, 9), 3)
            self._joules[index] += watts * elapsed
            counter = round(self._joules[index] % (track.device.range_joules or 1e12), 3)
            reading = Reading(counter)
            if is_gpu:
                busy = self._random.choice((0, 93, 97, 99, 100))
                reading = Reading(counter, watts, busy, busy // 2, 61 << 30, 1980, 61, 4, 1)
            track.tick(self.now, reading)
        return []

    def put(self, line: bytes) -> None:
        """As `Writer.put`."""
        self.lines.append(line)

    def flush(self, timeout_seconds: float) -> bool:
        """As `Writer.flush`."""
        return True

    def wait(self, seconds: float) -> str:
        """As `Tasks.wait`; ticks are up to a millisecond late."""
        self.now += max(0.0, seconds) + self._random.uniform(0.0, 1e-3)
        return RUNNING if self.now < self._end else DYING


def node_journal(
    job: str, step: str, node: int, nodes: int, seconds: float, gpus: int, sockets: int
) -> bytes:
    """All of one file."""
    devices = node_devices(node, gpus, sockets)
    machine = Node(devices, seconds, node)
    clocks = Clocks(
        lambda: machine.now, lambda: WALL_SECONDS + machine.now - MONOTONIC_SECONDS, lambda: 0.0
    )
    sampling = Sampling(
        cast(Meters, machine), machine.totals, cast(Writer, machine), clocks, 1.0, 10.0
    )
    head = {
        "jobwatt": VERSION, "version": "0", "kind": "step", "job": job, "cluster": "",
        "step": step, "restart": 0, "node": f"node{node:04d}", "rank": node, "step_nodes": nodes,
        "user_id": 1000, "wall_seconds": WALL_SECONDS, "monotonic_seconds": MONOTONIC_SECONDS,
        "age_seconds": 0.25, "tick_seconds": 1.0, "cpus_total": CPUS, "cpus_allocated": CPUS // 2,
        "whole_node": False, "gpu_rule": "SLURM_STEP_GPUS (device cgroup)",
        "devices": [device._asdict() for device in devices], "rejected": [], "problems": [],
        "details": {"SLURM_JOB_NAME": "train"},
    }  # fmt: skip
    state = sampling.run(cast(Tasks, machine))
    sampling.finish(state, 0.0)
    return encode(head) + b"".join(machine.lines)


def write_job(
    directory: Path, job: str, hours: float, nodes: int, gpus: int, sockets: int = 2, steps: int = 1
) -> list[Path]:
    """A job's journals below a journal directory; `steps` of them, all at the same time."""
    paths = []
    for step in map(str, range(steps)):
        for node in range(nodes):
            path = journal_path(
                directory, "2026-01", job, None, step, 0, f"node{node:04d}", node
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(node_journal(job, step, node, nodes, hours * 3600, gpus, sockets))
            paths.append(path)
    return paths


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.journal_generator")
    parser.add_argument("directory", type=Path, metavar="DIR", help="as JOBWATT_DIR")
    parser.add_argument("--job", default="1000")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--sockets", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1, help="at the same time")
    options = parser.parse_args()
    for path in write_job(
        options.directory, options.job, options.hours, options.nodes, options.gpus,
        options.sockets, options.steps,
    ):  # fmt: skip
        print(f"{path.stat().st_size / 1e6:.2f} MB {path}")


if __name__ == "__main__":
    main()
