"""A month in short: measured jobs of every outcome, one after the other and side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.journals import Journal, read_journals
from tests.cluster.lab import Lab

TIME_LIMIT_SECONDS = 150.0
EATS_MEMORY = "python3 -c 'import time; time.sleep(3); x = bytearray(300 << 20); time.sleep(60)'"
OR_FAIL_LATER = " || {{ sleep 1; exit 1; }}"

SCRIPTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "completes": (("--gres=gpu:1",), "{green} sleep 4"),
    "two nodes": (("-N2", "--gres=gpu:2"), "{green} --ntasks-per-node=1 sleep 4"),
    "two steps": (("--gres=gpu:1",), "{green} sleep 3; {green} sleep 2"),
    "fails": (("--gres=gpu:1",), "{green} bash -c 'sleep 3; exit 3'"),
    # The controller hears of the step's end before it hears of the script's.
    "eats": (("--gres=gpu:1", "--mem=120"), "{green} " + EATS_MEMORY + OR_FAIL_LATER),
    "sweep": (("--array=1-3", "--gres=gpu:1"), "{green} sleep 3"),
    "cancelled": (("--gres=gpu:1",), "{green} sleep 300"),
    "too slow": (("--gres=gpu:1", "-t", "5"), "{green} sleep 300"),
    "unmeasured": ((), "srun sleep 1"),
}
"""Options of sbatch and the script of each job."""

OUTCOMES = {
    "completes": "completed", "two nodes": "completed", "two steps": "completed",
    "fails": "failed", "eats": "out of memory", "sweep": "completed", "cancelled": "cancelled",
    "too slow": "timed out", "unmeasured": "completed",
}  # fmt: skip
NO_RESULT = ("fails", "eats", "too slow")


@dataclass(frozen=True)
class Month:
    """The jobs' ids by name (of the sweep: its array's), and their journals."""

    lab: Lab
    directory: Path
    ids: Mapping[str, str]

    def jobs(self, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
        """What `jobwatt jobs --json` says, by name; of the sweep a list."""
        document = self.ask("jobs", "--json", *arguments, env=env)
        found: dict[str, Any] = {"sweep": []}
        names = {job: name for name, job in self.ids.items()}
        for job in document["jobs"]:
            if job["array_job"] == self.ids["sweep"]:
                found["sweep"].append(job)
            elif job["job"] in names:
                found[names[job["job"]]] = job
        return found

    def ask(self, *command: str, env: Mapping[str, str] | None = None) -> Any:
        """A command's JSON."""
        finished = self.lab.start(
            self.lab.installed.jobwatt, *command, journal=self.directory, env=env
        ).finish()
        assert finished.code == 0, finished.stderr
        return json.loads(finished.stdout)

    def journals(self) -> dict[str, list[Journal]]:
        """By the raw id of their job."""
        found: dict[str, list[Journal]] = {}
        for journal in read_journals(self.directory):
            found.setdefault(str(journal.head["job"]), []).append(journal)
        return found

    def gpu_joules(self, job: str) -> float:
        """Known watts over the time that the job's journals cover, over all its GPUs."""
        return sum(
            self.lab.nvml.energy_joules(uuid, journal.start_seconds, journal.end_seconds)
            for journal in self.journals()[job]
            for uuid in journal.gpu_energies_joules
        )


def live(lab: Lab, directory: Path, scratch: Path) -> Month:
    """Submit all, end those that would not end, wait until Slurm has booked the last one."""
    ids = {}
    for name, (options, script) in SCRIPTS.items():
        text = script.format(green=lab.installed.srun_green)
        path = scratch / name.replace(" ", "-")
        path.write_text(f"#!/bin/bash\n{text}\n")
        submitted = lab.start(
            "sbatch", "--parsable", "-J", name, "-o", scratch / "out-%j", *options, path,
            journal=directory,
        ).finish()  # fmt: skip
        assert submitted.code == 0, submitted.stderr
        ids[name] = submitted.lines[0]
    month = Month(lab, directory, ids)
    _wait(lab, [ids["cancelled"], ids["too slow"]], "R", directory)
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    while not {ids["cancelled"], ids["too slow"]} <= month.journals().keys():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(3)
    _client(lab, directory, "scancel", ids["cancelled"])
    # Ended at the next look at time limits (each 30 s), without the minute that is the least.
    _client(lab, directory, "scontrol", "update", f"JobId={ids['too slow']}", "EndTime=now")
    _wait(lab, list(ids.values()), "CA,CD,F,NF,OOM,TO", directory)
    return month


def _client(lab: Lab, directory: Path, *command: str) -> list[str]:
    finished = lab.start(*command, journal=directory).finish()
    assert finished.code == 0, finished.stderr
    return finished.lines


def _wait(lab: Lab, jobs: list[str], states: str, directory: Path) -> None:
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    while True:
        lines = _client(
            lab, directory, "squeue", "-h", "-j", ",".join(jobs), "-t", "all", "-o", "%i %t"
        )
        rest = [line for line in lines if line.split()[1] not in states.split(",")]
        if not rest:
            return
        assert time.monotonic() < deadline, f"not {states}: {rest}"
        time.sleep(0.3)
