"""A history of many jobs, as compaction leaves it: `python -m … DIR --jobs 100000`.

The lines are made by the program's own encoder and read by its own reader; only the jobs are
invented: two years of a group that trains models, with the outcomes, sizes and names of such.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

from jobwatt.history.figures import Kept, encoded, figures_path
from jobwatt.history.measured import row_of, with_slurm
from jobwatt.history.rows import JobRow
from jobwatt.model import ATTRIBUTED, MEASURED, Account, DeviceEnergy, Energy, NodeUse
from jobwatt.slurm.jobs import SlurmJob
from jobwatt.sources.base import DRAM, GPU, PACKAGE

MODELS = ("NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-32GB")
NAMES = ("train", "finetune", "eval", "sweep-lr", "preprocess", "notebook", "ablation", "infer")
STATES = ("COMPLETED",) * 14 + ("FAILED",) * 3 + ("CANCELLED",) * 2 + ("TIMEOUT", "OUT_OF_MEMORY")
DAYS = 730


def device(node: str, kind: str, number: int, model: str, watts: float, seconds: float,
           dice: random.Random) -> DeviceEnergy:  # fmt: skip
    """One device under a load of `watts`."""
    joules = watts * seconds
    is_gpu = kind == GPU
    return DeviceEnergy(
        node=node, device_kind=kind,
        device_id=f"GPU-{dice.getrandbits(32):08x}-5ac2-4c1e-9d0b-{number:012x}" if is_gpu
        else f"{kind}-{number}",
        name=model if is_gpu else f"{kind}-{number}",
        source="nvml" if is_gpu else "powercap", method="counter",
        energy=Energy(joules, MEASURED if is_gpu else ATTRIBUTED, 0.9 * joules, 1.1 * joules),
        rule="" if is_gpu else "busy part by CPU time, idle part by allocated cores",
        coverage=0.99, covered_seconds=0.99 * seconds, held_seconds=seconds,
        power_mean_watts=watts, power_peak_watts=1.2 * watts,
        utilization_mean_percent=dice.uniform(20, 99) if is_gpu else None,
        idle_seconds=0.1 * seconds if is_gpu else None,
        idle_energy_joules=0.03 * joules if is_gpu else None,
    )  # fmt: skip


def job(number: int, start: float, dice: random.Random) -> tuple[JobRow, Account]:
    """One job, measured, with what Slurm says of it."""
    nodes = dice.choice((1, 1, 1, 1, 1, 2, 4))
    gpus = dice.choice((1, 1, 2, 4))
    seconds = min(86400.0, dice.lognormvariate(7.5, 1.5) + 5)
    model, watts = dice.choice(MODELS), dice.uniform(90, 500)
    names = [f"node{dice.randrange(12):02d}-{index}" for index in range(nodes)]
    devices = [
        device(node, kind, index, model, power, seconds, dice)
        for node in names
        for kind, count, power in ((GPU, gpus, watts), (PACKAGE, 1, 60.0), (DRAM, 1, 9.0))
        for index in range(count)
    ]
    account = Account(
        str(number), "0", 0, "lab", start, seconds, False, 0.99,
        tuple(NodeUse(n, seconds, 8, 1 << 33, 1e9, 1e8, 0.1, 0, 0) for n in names),
        tuple(devices), steps=("0",), details=(("SLURM_JOB_NAME", "x"),),
    )  # fmt: skip
    joules = sum(d.energy.joules or 0.0 for d in devices)
    day = time.strftime("%Y-%m-%d", time.localtime(start))
    state = dice.choice(STATES)
    array = (str(number - number % 20), str(number % 20)) if number // 20 % 10 == 0 else ("", "")
    told = SlurmJob(
        str(number), "lab", *array, name=dice.choice(NAMES), user="ada", account="nlp",
        partition=dice.choice(("gpu", "gpu_long", "prepost")), state=state,
        exit_code=int(state == "FAILED"), submit_wall_seconds=start - 60,
        start_wall_seconds=start, end_wall_seconds=start + seconds, elapsed_seconds=seconds,
        time_limit_seconds=86400.0, nodes=nodes, node_list=",".join(names), cpus=8 * nodes,
        gpus=gpus * nodes, memory_bytes=nodes << 36, source="sacct",
    )  # fmt: skip
    return with_slurm(row_of(account, {day: joules}, start + seconds), told), account


def write_history(directory: Path, jobs: int, now_wall_seconds: float, seed: int = 1) -> None:
    """Figures files of so many jobs, the last of which ended an hour ago."""
    dice = random.Random(seed)
    step = DAYS * 86400.0 / max(1, jobs)
    files: dict[str, list[bytes]] = {}
    for number in range(jobs):
        start = now_wall_seconds - 90000.0 - (jobs - number - 1) * step
        row, account = job(1000 + number, start, dice)
        month = time.strftime("%Y-%m", time.localtime(start))
        line = encoded(Kept(row, account, ()), row.end_wall_seconds or start)
        files.setdefault(month, []).append(line)
    for month, lines in files.items():
        path = figures_path(directory, month, "login1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(lines))


def sizes(directory: Path) -> Iterator[int]:
    """Bytes of each figures file."""
    for path in (directory / "history").iterdir():
        yield path.stat().st_size


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.history_generator")
    parser.add_argument("directory", type=Path, metavar="DIR", help="as JOBWATT_DIR")
    parser.add_argument("--jobs", type=int, default=100_000)
    options = parser.parse_args()
    write_history(options.directory, options.jobs, time.time())
    print(f"{sum(sizes(options.directory)) / 1e6:.1f} MB of figures")


if __name__ == "__main__":
    main()
