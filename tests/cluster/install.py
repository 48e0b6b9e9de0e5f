"""An installed jobwatt for the cluster: the checkout in a virtual environment, as users have it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TIME_LIMIT_SECONDS = 300.0


class InstallError(Exception):
    """pip or venv failed; the message is what it said."""


@dataclass(frozen=True)
class Installation:
    """A virtual environment with jobwatt in it, not editable; any user may run it."""

    prefix: Path

    @property
    def programs(self) -> Path:
        """The folder of the four programs."""
        return self.prefix / "bin"

    @property
    def jobwatt(self) -> Path:
        """The command line."""
        return self.programs / "jobwatt"

    @property
    def srun_green(self) -> Path:
        """The wrapper."""
        return self.programs / "srun-green"


def install(prefix: Path) -> Installation:
    """Make the virtual environment and install the checkout into it. Raises InstallError."""
    # The system's Python where it will do: another one may lie in a folder that only root may read.
    check = "import ensurepip, sys, venv; assert sys.version_info >= (3, 10)"
    system = "/usr/bin/python3"
    usable = subprocess.run([system, "-c", check], capture_output=True, check=False).returncode == 0
    _run(system if usable else sys.executable, "-m", "venv", str(prefix))
    python = str(prefix / "bin" / "python")
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(REPOSITORY))
    return Installation(prefix)


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command[1:4])}: {done.stderr.strip()[-2000:]}")
