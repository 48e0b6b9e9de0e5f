"""A user with a history of their own: commands run as a shell runs them, journals as real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobwatt.config import load
from jobwatt.history.history import History, open_history
from jobwatt.paths import journal_path
from tests.journal.journals import head, span, write
from tests.truth import REPOSITORY, environment

JOB = (sys.executable, "-m", "jobwatt.cli")


@dataclass
class Home:
    """Below one folder, without Slurm."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **environment(self.folder),
            "JOBWATT_INDEX_DIR": str(self.folder / "index"),
            "JOBWATT_SLURM_API": "none",
            **self.more,
        }

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`jobwatt ARGUMENT…`."""
        return subprocess.run(
            [*JOB, *arguments], env=self.environ, cwd=REPOSITORY, text=True, timeout=60,
            check=False, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )  # fmt: skip

    def history(self) -> History:
        """What the commands ask."""
        return open_history(load(self.environ), self.environ, 0.0)

    def journal(self, job: str, seconds: int = 10, **changes: Any) -> Path:
        """A step of a GPU of 300 W and a package of 100 W, which has ended."""
        step, node = changes.get("step", "0"), changes.get("node", "n1")
        path = journal_path(self.folder / "state", "2023-11", job, None, step, 0, node, 0)
        lines: list[Any] = [span(float(second)) for second in range(1, seconds + 1)]
        end = {"t": seconds, "w": 1_700_000_000.0 + seconds, "end": "tasks"}
        write(path, head(job=job, **changes), *lines, end)
        os.utime(path, (1_700_000_000.0 + seconds,) * 2)
        return path

    def exported(self, *arguments: str) -> list[Mapping[str, Any]]:
        """Records of `jobwatt export`, which must not complain."""
        run = self.run("export", *arguments)
        assert (run.returncode, run.stderr) == (0, "")
        return [json.loads(line) for line in run.stdout.splitlines()]
