"""A machine made of fakes, and the real command line run on it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.hardware.nvml import FakeNvml

REPOSITORY = Path(__file__).resolve().parents[2]


class Machine:
    """`root` is where /proc and /sys lie; nothing of the real environment comes in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "host"
        self.home = folder / "home"
        self.bin = folder / "bin"
        for path in (self.root / "proc", self.home, self.bin):
            path.mkdir(parents=True)
        shutil.copy("/proc/stat", self.root / "proc/stat")
        self.variables: dict[str, str] = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/nonexistent",
            "JOBWATT_SYS_ROOT": str(self.root),
            "PYTHONPATH": str(REPOSITORY),
            "LANG": "C.UTF-8",
            # The real machine's driver, if there is one, is not asked.
            "JOBWATT_NVML_LIBRARY": str(folder / "libnvidia-ml.so.1"),
        }

    def add_gpus(self, fake: FakeNvml) -> None:
        self.variables.update(fake.env())
        self.variables["JOBWATT_NVML_LIBRARY"] = str(fake.library_path)

    def add_srun(self) -> None:
        """An srun that must never be run, and the tools that srun-green needs."""
        srun = self.bin / "srun"
        srun.write_text("#!/bin/sh\necho ran >&2\nexit 9\n")
        srun.chmod(0o755)
        for tool in ("readlink", "stat"):
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")

    def add_srun_green(self) -> None:
        """The three scripts side by side, as an installation lays them."""
        for name, source in (
            ("srun-green", "srun-green"),
            ("jobwatt-task-prolog", "task-prolog"),
            ("jobwatt-srun-epilog", "srun-epilog"),
        ):
            shutil.copy(REPOSITORY / "shell" / source, self.bin / name)
            (self.bin / name).chmod(0o755)

    def run(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, "-m", "jobwatt.cli", *arguments],
            env={**self.variables, **(environ or {})},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def doctor(
        self,
        load_seconds: float = 0.0,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Any:
        """The checkup as JSON; it must have ended well and said nothing else."""
        result = self.run(
            "doctor",
            "--json",
            "--load-seconds",
            str(load_seconds),
            environ=environ,
            prefix=prefix,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return json.loads(result.stdout, parse_constant=_no_such_number)


def _no_such_number(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def unprivileged() -> list[str]:
    """Prefix that makes file modes bind root too."""
    return [sys.executable, str(REPOSITORY / "tests/hardware/unprivileged.py")]


def is_root() -> bool:
    return os.geteuid() == 0


def on_terminal(machine: Machine, columns: int, *arguments: str, **variables: str) -> str:
    """What a terminal of this width is sent."""
    master, slave = pty.openpty()
    environ = {**machine.variables, "TERM": "xterm", "COLUMNS": str(columns), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "jobwatt.cli", *arguments],
        env=environ,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        close_fds=True,
    )
    os.close(slave)
    sent = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # EIO: the last writer has gone
            break
        if not part:
            break
        sent += part
    os.close(master)
    assert process.wait(30) == 0
    return sent.decode().replace("\r\n", "\n")
