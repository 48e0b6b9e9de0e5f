"""Measures all that tests/bench/overhead says; prints the table and writes it to results/."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import overhead_meters, overhead_packages, overhead_steps
from tests.bench.overhead_row import Row, markdown

RESULTS = Path(__file__).resolve().parent / "results"

NOTES = """\
Times of steps: median (quartiles), ways interleaved. "compared" is the ratio to plain srun for
launch and end, to the sampler of `jobwatt run` for CPU and memory, to jobwatt for size and
distributions, to `jobwatt.cli` for import time. Start of the task includes the start of its Python.

Each meter ran at 1 Hz (jobwatt at 2 Hz for its first 25 s) in the same minutes, after 15 s of
warm-up, on the same fake hardware: NVML with 8 GPUs (4 of them in the step), powercap with 2
packages and 2 DRAM domains. A call of the fake NVML is cheaper than a driver's. It lacks a few
functions that CodeCarbon and perun call; they got constants for those. CodeCarbon ends the run
if it finds no GPU, the journals of jobwatt are counted, and perun has to load NVML. CodeCarbon
measures every
15 s by default. It and perun write when they end, jobwatt at first a line a second, and later
one in 10 s. CPU time is that of all threads and processes of a meter; the rows of
CodeCarbon and perun include the Python that they measure. PSS counts shared pages in parts, and
several Pythons ran: alone on a node it is a little higher, at most RSS.

An end above 0.9 s: a process was left when the last task had ended, and slurmstepd slept for 1 s.
"""


def cpu_model() -> str:
    """As /proc/cpuinfo has it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def debian() -> str:
    """Name and version of the system."""
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def environment(cache: Path, load: float) -> str:
    """Where this was measured, without names of hosts or paths."""
    slurm = subprocess.run(["srun", "--version"], capture_output=True, text=True, check=True)
    tools = []
    for tool in overhead_packages.TOOLS:
        versions = overhead_packages.package(cache / tool).versions
        tools.append(f"{tool} {versions[tool]}")
        if "nvidia_ml_py" in versions:
            tools[-1] += f" (nvidia-ml-py {versions['nvidia_ml_py']})"
    return (
        f"{time.strftime('%Y-%m-%d')}; {cpu_model()}, {os.cpu_count()} CPUs; {debian()}, "
        f"Linux {platform.release()}; Python {platform.python_version()}; "
        f"{slurm.stdout.strip()}; {', '.join(tools)}; load at the start {load:.2f}.\n"
    )


def say(text: str) -> None:
    """Progress."""
    print(f"overhead: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """`CACHE SCRATCH`: the virtual environments, and a folder with the fake hardware."""
    cache, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    load = os.getloadavg()[0]
    if load > 1:
        say(f"the load is {load:.2f}: the figures will be worse than on a quiet machine")
    rows: list[Row] = []
    say("launch and end of steps, about 70 s")
    rows += overhead_steps.measure(cache / "jobwatt" / "bin", scratch)
    say("samplers, about 150 s")
    rows += overhead_meters.measure(cache, scratch)
    say("sizes and imports, about 20 s")
    rows += overhead_packages.measure(cache)
    text = f"# What jobwatt costs\n\n{environment(cache, load)}\n{markdown(rows)}\n{NOTES}"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"overhead-{time.strftime('%Y-%m-%d')}.md"
    path.write_text(text, encoding="utf-8")
    print(text)
    say(f"written: tests/bench/results/{path.name}")


if __name__ == "__main__":
    main()
