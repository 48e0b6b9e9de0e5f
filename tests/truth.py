"""Runs `jobwatt run` on fake hardware of known power and reads back what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobwatt.energy.account import account_step
from jobwatt.journal.reader import Journal, read_journal
from jobwatt.model import Account, DeviceEnergy
from tests.hardware.nvml import FakeNvml, Gpu
from tests.hardware.powercap import PowercapTree, Zone

REPOSITORY = Path(__file__).parents[1]
RUN = (sys.executable, "-m", "jobwatt.cli", "run", "--")


@dataclass(frozen=True)
class Scenario:
    """Hardware, the command's length, the job's environment, and what happens to the sampler.

    `gpus` gets the CLOCK_MONOTONIC time at which the run begins, for faults in mid-run.
    `disturb` gets the process id of the sampler, once it runs.
    """

    gpus: Callable[[float], Sequence[Gpu]] = lambda now: ()
    zones: tuple[Zone, ...] = ()
    seconds: float = 7.0
    environ: Mapping[str, str] = field(default_factory=dict)
    disturb: Callable[[int], None] = lambda pid: None


@dataclass(frozen=True)
class Result:
    """One finished run: what was written, and the hardware that knows the truth."""

    account: Account
    journal: Journal
    fake: FakeNvml
    tree: PowercapTree
    stderr: str
    command_seconds: float

    @property
    def covered(self) -> tuple[float, float]:
        """CLOCK_MONOTONIC times of the first reading and of the last line."""
        start = float(self.journal.head["monotonic_seconds"])
        return start, start + self.journal.last_seconds

    def device(self, device_id: str) -> DeviceEnergy:
        """One device of the account."""
        return next(d for d in self.account.devices if d.device_id == device_id)

    def gpu_truth(self, uuid: str) -> float:
        """Joules that a GPU used in the covered time."""
        return self.fake.energy_joules(uuid, *self.covered)

    def zone_truth(self, zone: str) -> float:
        """Joules that a zone used in the covered time."""
        return self.tree.energy_joules(zone, *self.covered)


def environment(directory: Path) -> dict[str, str]:
    """What every run needs; nothing of this shell's jobs, settings or GPUs."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "JOBWATT_DIR": str(directory / "state"),
        "JOBWATT_SYS_ROOT": str(directory),
    }


def sampler_of(pid: int, patience_seconds: float = 10.0) -> int:
    """Process id of the sampler that a `jobwatt run` started."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        for child in children.read_text().split() if children.exists() else ():
            if b"jobwatt.sampler" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        time.sleep(0.02)
    raise AssertionError(f"process {pid} has no sampler")


def journals_below(directory: Path) -> list[Path]:
    """Every journal that a run wrote."""
    return sorted((directory / "state/journal").glob("*/*/*.jsonl"))


def measure(directory: Path, scenario: Scenario) -> Result:
    """Run it to its end."""
    fake = FakeNvml(directory)
    fake.write(scenario.gpus(time.monotonic()))
    tree = PowercapTree(directory, scenario.zones)
    environ = {**environment(directory), **fake.env(), **scenario.environ}
    with tree:
        began = time.monotonic()
        process = subprocess.Popen(
            [*RUN, "sleep", str(scenario.seconds)],
            env=environ,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        scenario.disturb(sampler_of(process.pid))
        _, said = process.communicate(timeout=60)
        took = time.monotonic() - began
    assert process.returncode == 0, said
    (path,) = journals_below(directory)
    journal = read_journal(path)
    account = account_step([journal], None, time.time())
    return Result(account, journal, fake, tree, said, took)
