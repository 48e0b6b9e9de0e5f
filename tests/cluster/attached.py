"""Batch jobs that know nothing of jobwatt, for `jobwatt attach` to measure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.journals import Journal
from tests.cluster.lab import TIME_LIMIT_SECONDS, Finished, Lab, Running


class BatchJob:
    """A script under way; what it prints is in `out`. `wait_for_go` in it waits for `proceed`.

    `head`: lines for sbatch.
    """

    def __init__(
        self, lab: Lab, scratch: Path, script: str, *options: str, user: str, head: str = ""
    ) -> None:
        self._lab = lab
        self.out = scratch / f"out{time.monotonic_ns()}"
        self.go = self.out.with_suffix(".go")
        wait = f"wait_for_go() {{ while [ ! -e {self.go} ]; do sleep 0.05; done; }}\n"
        path = self.out.with_suffix(".job")
        path.write_text(f"#!/bin/bash\n{head}\n{wait}{script}\n")
        submitted = lab.start(
            "sbatch", "--parsable", "--time=2", "-o", self.out, *options, path,
            journal=scratch / "none", user=user,
        ).finish()  # fmt: skip
        assert submitted.code == 0, submitted.stderr
        self.id = submitted.lines[0]

    def squeue(self, form: str = "%T") -> str:
        """A field of it, in all states; empty once it is forgotten."""
        return self._lab.cluster.run(
            "squeue", "-h", "-t", "all", "-j", self.id, "-o", form
        ).stdout.strip()

    def running(self) -> BatchJob:
        """Wait until it runs."""
        return self.wait_for("RUNNING")

    def wait_for(self, state: str) -> BatchJob:
        """Wait for a state."""
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while (now := self.squeue()) != state:
            assert time.monotonic() < deadline, f"job {self.id} is {now}, not {state}"
            time.sleep(0.1)
        return self

    def gpus(self) -> dict[str, int]:
        """How many GPUs Slurm gave it on each node."""
        said = self._lab.cluster.run("scontrol", "show", "job", "-d", self.id).stdout
        found: dict[str, int] = {}
        for nodes, count in re.findall(r"Nodes=(\S+) CPU_IDs=\S+ Mem=\d+ GRES=(?:gpu:(\d))?", said):
            for node in ("n1", "n2") if nodes == "n[1-2]" else (nodes,):
                found[node] = int(count or 0)
        return found

    def proceed(self) -> None:
        """Let the script go on."""
        self.go.touch()

    def outcome(self) -> tuple[str, str]:
        """State and exit code, as accounting keeps them, once it has ended."""
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while True:
            said = self._lab.cluster.run(
                "sacct", "-n", "-P", "-X", "-j", self.id, "-o", "State,ExitCode,End"
            ).stdout.split("|")
            if len(said) == 3 and said[2].strip() not in ("", "Unknown"):
                return said[0], said[1]
            assert time.monotonic() < deadline, f"job {self.id} does not end: {said}"
            time.sleep(0.1)


Submit = Callable[..., BatchJob]


def attach(lab: Lab, job: str, **options: Any) -> Running:
    """`jobwatt attach`, started."""
    return lab.start(lab.installed.jobwatt, "attach", job, **options)


def measuring(running: Running) -> Running:
    """Wait until it says that it measures."""
    assert running.process.stderr is not None
    line = running.process.stderr.readline().decode()
    assert line.startswith("jobwatt: measuring job "), line
    return running


def attached(lab: Lab, job: str, **options: Any) -> Finished:
    """To its end."""
    return attach(lab, job, **options).finish()


def cpu_seconds(journal: Journal) -> float:
    """CPU time of the job that the spans hold: the first of the last eight columns."""
    return sum(span[-8] for span in journal.spans)
