"""Launch and end of a step with plain srun, with a no-op task prolog, and with srun-green."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.overhead_row import Row, spread, times, wanted

LATE_SECONDS = 0.9
"""A step that ends this late lost the second that slurmstepd sleeps when anybody is left."""
LAUNCH_LIMIT_SECONDS = 0.015
EPILOG_REPEATS = 10
PLAIN = "plain srun"
NO_OP = "srun, no-op task prolog"
GREEN = "srun-green"


class Kind(NamedTuple):
    """A task to end, and how often."""

    name: str
    body: str
    repeats: int
    ways: tuple[str, ...]


TRIVIAL = Kind("ends at once", "", 20, (PLAIN, NO_OP, GREEN))
SLEEP = Kind("sleeps 2 s", "time.sleep(2); ", 8, (PLAIN, GREEN))
HEAVY = Kind(
    "dies slowly (1.5 GB)",
    "b = bytearray(3 << 29); b[::4096] = b'x' * len(b[::4096]); ",
    8,
    (PLAIN, GREEN),
)


class Step(NamedTuple):
    """One step, seen from srun's caller."""

    launch_seconds: float
    """From the call of srun to the task's first statement."""
    end_seconds: float
    """From the task's last statement to srun's return."""
    job: str
    step: str


def run_step(command: Sequence[str], environ: Mapping[str, str], body: str) -> Step:
    """Run it; the memory is left to the kernel, as by a task that is done."""
    code = (
        "import time; first = time.monotonic(); import os; " + body + "e = os.environ; "
        "print(first, e['SLURM_JOB_ID'], e['SLURM_STEP_ID'], time.monotonic(), flush=True); "
        "os._exit(0)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [*command, sys.executable, "-I", "-S", "-c", code],
        env=environ, capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    ended = time.monotonic()
    first, job, step, last = done.stdout.split()
    return Step(float(first) - began, ended - float(last), job, step)


def interleaved(
    kind: Kind, ways: Mapping[str, tuple[list[str], dict[str, str]]]
) -> dict[str, list[Step]]:
    """Every way in turn, in an order that rotates; the first round warms up and is left out."""
    found: dict[str, list[Step]] = {way: [] for way in kind.ways}
    for repeat in range(-1, kind.repeats):
        shift = repeat % len(kind.ways)
        for way in kind.ways[shift:] + kind.ways[:shift]:
            step = run_step(*ways[way], kind.body)
            if repeat >= 0:
                found[way].append(step)
    return found


def launch_rows(found: Mapping[str, Sequence[Step]]) -> list[Row]:
    """Launch of the trivial step, and what srun-green adds to it."""
    seconds = {way: [step.launch_seconds for step in steps] for way, steps in found.items()}
    plain = statistics.median(seconds[PLAIN])
    rows = [
        Row(f"launch: call of srun to start of task, {len(values)} steps", way, spread(values),
            times(statistics.median(values), plain))
        for way, values in seconds.items()
    ]  # fmt: skip
    for way in (NO_OP, PLAIN):
        added = [green - other for green, other in zip(seconds[GREEN], seconds[way], strict=True)]
        limit = wanted(statistics.median(added), LAUNCH_LIMIT_SECONDS, "<= 15 ms")
        rows.append(
            Row("launch time added, in pairs", f"{GREEN} over {way}", spread(added), "",
                limit if way == NO_OP else "")
        )  # fmt: skip
    return rows


def end_rows(kind: Kind, found: Mapping[str, Sequence[Step]]) -> list[Row]:
    """End of a step, and the share that took Slurm's second more."""
    plain = statistics.median(step.end_seconds for step in found[PLAIN])
    rows = []
    for way, steps in found.items():
        seconds = [step.end_seconds for step in steps]
        late = sum(value > LATE_SECONDS for value in seconds)
        rows.append(
            Row(f"end: last statement of task to return of srun, {kind.name}", way,
                f"{spread(seconds)}; {late} of {len(seconds)} above {LATE_SECONDS:g} s",
                times(statistics.median(seconds), plain))
        )  # fmt: skip
    return rows


def epilog_row(programs: Path, environ: Mapping[str, str], step: Step) -> Row:
    """The part of an end that is `jobwatt-srun-epilog`, for a step that was measured."""
    inside = {**environ, "SLURM_JOB_ID": step.job, "SLURM_STEP_ID": step.step}
    seconds = []
    for _ in range(EPILOG_REPEATS):
        began = time.monotonic()
        done = subprocess.run(
            [programs / "jobwatt-srun-epilog"], env=inside, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        seconds.append(time.monotonic() - began)
        if "GPU" not in done.stderr and "CPU" not in done.stderr:
            raise RuntimeError(f"the epilog has no summary to print: {done.stderr}")
    return Row("of that, the epilog (prints the summary)", "jobwatt-srun-epilog", spread(seconds))


def measure(programs: Path, scratch: Path) -> list[Row]:
    """All rows of launch and end. `programs`: jobwatt's, installed; `scratch`: for a prolog."""
    prolog = scratch / "prolog"
    prolog.write_text("#!/bin/bash\nexit 0\n", encoding="utf-8")
    prolog.chmod(0o755)
    base = dict(os.environ)
    options = ["-n1", "--mem=3000"]
    ways = {
        PLAIN: (["srun", *options], base),
        NO_OP: (["srun", *options], base | {"SLURM_TASK_PROLOG": str(prolog)}),
        GREEN: ([str(programs / "srun-green"), *options], base),
    }
    trivial = interleaved(TRIVIAL, ways)
    rows = launch_rows(trivial) + end_rows(TRIVIAL, trivial)
    sleeps = interleaved(SLEEP, ways)
    rows += end_rows(SLEEP, sleeps) + end_rows(HEAVY, interleaved(HEAVY, ways))
    return [*rows, epilog_row(programs, base, sleeps[GREEN][-1])]
