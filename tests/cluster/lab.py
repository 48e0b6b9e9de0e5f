"""Steps on the test cluster with plain srun and with srun-green, over hardware of known power."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.install import Installation
from tests.cluster.journals import Journal, read_journals
from tests.hardware.nvml import FakeNvml
from tests.hardware.powercap import PowercapTree

TIME_LIMIT_SECONDS = 60.0
SRUN = "srun"
_SUMMARY = re.compile(r"jobwatt[ :]|  (GPU|CPU|memory|total|idle|note|event|more) ")

_WAITING = re.compile(r"srun: job \d+ (queued|has been allocated)|srun: Job \d+ step creation")


@dataclass(frozen=True)
class Finished:
    """What a client command did; the times are CLOCK_MONOTONIC's."""

    code: int
    stdout: bytes
    stderr: str
    start_seconds: float
    end_seconds: float
    journals: tuple[Journal, ...]

    @property
    def lines(self) -> list[str]:
        """Standard output's."""
        return self.stdout.decode().splitlines()

    @property
    def summary(self) -> list[str]:
        """The lines of stderr that are jobwatt's."""
        return [line for line in self.stderr.splitlines() if _SUMMARY.match(line)]

    @property
    def slurms(self) -> list[str]:
        """The other lines of stderr, sorted: the order of two nodes' lines is chance.

        Without those on waiting for resources, which depend on what else the cluster does.
        """
        lines = self.stderr.splitlines()
        return sorted(line for line in lines if not (_SUMMARY.match(line) or _WAITING.match(line)))

    @property
    def journal(self) -> Journal:
        """The only one."""
        assert len(self.journals) == 1, f"{len(self.journals)} journals, not one:\n{self.stderr}"
        return self.journals[0]


def without_numbers(lines: Sequence[str]) -> list[str]:
    """Slurm's messages without job ids and times."""
    return sorted(re.sub(r"\d+", "N", line) for line in lines)


@dataclass(frozen=True)
class Running:
    """A client command under way."""

    process: subprocess.Popen[bytes]
    start_seconds: float
    directory: Path

    @property
    def pid(self) -> int:
        """Of the client; srun-green becomes srun."""
        return self.process.pid

    def first_line(self) -> str:
        """Wait for the first line of output: what it says is not in `finish`."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def finish(self, stdin: bytes | None = None) -> Finished:
        """Wait for the end. Raises TimeoutExpired and kills the command."""
        try:
            out, err = self.process.communicate(stdin, timeout=TIME_LIMIT_SECONDS)
        finally:
            self.process.kill()
        end_seconds = time.monotonic()
        return Finished(
            self.process.returncode,
            out,
            err.decode(),
            self.start_seconds,
            end_seconds,
            read_journals(self.directory),
        )


@dataclass(frozen=True)
class Lab:
    """The cluster, an installed jobwatt, GPUs and CPUs of known power."""

    cluster: Cluster
    installed: Installation
    nvml: FakeNvml
    tree: PowercapTree

    def environ(
        self, journal: Path, user: str = "root", extra: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The environment of a client: the caller's without Slurm's and jobwatt's, and ours."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM", "SBATCH", "SRUN", "JOBWATT", "LC_", "XDG_"))
        }
        home = pwd.getpwnam(user).pw_dir
        return {
            **kept,
            "HOME": home,
            "USER": user,
            "LOGNAME": user,
            **self.cluster.env,
            **self.nvml.env(),
            "JOBWATT_SYS_ROOT": str(self.tree.root),
            "JOBWATT_SHARED_INSTALL": "1",
            "JOBWATT_DIR": str(journal),
            # Others' is made where it is by default: only root may write beside the journals.
            **({"JOBWATT_INDEX_DIR": f"{journal}.index"} if user == "root" else {}),
            **(extra or {}),
        }

    def start(
        self,
        program: str | Path,
        *arguments: str | Path,
        journal: Path,
        user: str = "root",
        env: Mapping[str, str] | None = None,
        has_stdin: bool = False,
    ) -> Running:
        """Start a client command as a user, with `journal` as JOBWATT_DIR."""
        account = pwd.getpwnam(user)
        start_seconds = time.monotonic()
        process = subprocess.Popen(
            [str(program), *map(str, arguments)],
            env=self.environ(journal, user, env),
            stdin=subprocess.PIPE if has_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=os.getgrouplist(user, account.pw_gid),
        )
        return Running(process, start_seconds, journal)

    def green(self, *arguments: str | Path, journal: Path, **options: Any) -> Finished:
        """A measured step."""
        running = self.start(self.installed.srun_green, *arguments, journal=journal, **options)
        return running.finish()

    def both(
        self,
        *arguments: str | Path,
        journal: Path,
        stdin: bytes | None = None,
        **options: Any,
    ) -> Finished:
        """The same step with plain srun and measured, at once; output and code must be the same.

        Returns the measured one.
        """

        def one(program: str | Path) -> Finished:
            running = self.start(
                program, *arguments, journal=journal, has_stdin=stdin is not None, **options
            )
            return running.finish(stdin)

        with ThreadPoolExecutor(2) as pool:
            plain, green = pool.map(one, (SRUN, self.installed.srun_green))
        same(plain, green)
        return green

    def batch(
        self, script: str, *arguments: str | Path, journal: Path, scratch: Path
    ) -> tuple[str, int]:
        """Submit a batch script and wait for its end: the job's id and the script's exit code.

        Its output is in `scratch`/out and err. Not `sbatch --wait`, which asks every 10 s.
        """
        path, done = scratch / "job", scratch / "done"
        path.write_text(f"#!/bin/bash\n(\n{script}\n)\necho $? >{done}.new\nmv {done}.new {done}\n")
        submitted = self.start(
            "sbatch", "--parsable", *arguments, "-o", scratch / "out", "-e", scratch / "err", path,
            journal=journal,
        ).finish()  # fmt: skip
        assert submitted.code == 0, submitted.stderr
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while not done.exists():
            assert time.monotonic() < deadline, f"batch job {submitted.lines[0]} does not end"
            time.sleep(0.1)
        return submitted.lines[0], int(done.read_text())

    def check_energy(self, journal: Journal, tolerance: float = 0.005) -> None:
        """Each GPU's joules are its known watts over the time that the journal covers."""
        for uuid, joules in journal.gpu_energies_joules.items():
            true = self.nvml.energy_joules(uuid, journal.start_seconds, journal.end_seconds)
            assert abs(joules - true) <= tolerance * true, (
                f"{uuid}: {joules} J in the journal, {true} J used"
            )


def same(plain: Finished, green: Finished) -> None:
    """The job did the same; what Slurm said is the same but for ids and times."""
    assert not plain.summary
    assert green.stdout == plain.stdout
    assert green.code == plain.code
    assert without_numbers(green.slurms) == without_numbers(plain.slurms)
