"""A program of its own: what pyslurm knows of a user's jobs, as JSON on standard output.

`python pyslurm_child.py SECONDS USER`. Importing pyslurm ends the interpreter where Slurm is not
configured, without an exception, so nothing of jobwatt imports this file: `pyslurm_api` starts it.
Written for pyslurm 25.11: `Jobs.load()`, `db.Jobs.load(db.JobFilter(users, start_time))`, whose
jobs have `to_dict()` (https://pyslurm.github.io/25.11).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

NAMES = (
    "account", "allocated_nodes", "array_id", "array_task_id", "array_tasks_parallel",
    "array_tasks_waiting", "cluster", "cpus", "derived_exit_code", "derived_exit_code_signal",
    "elapsed_time", "end_time", "exit_code", "exit_code_signal", "gpus", "heterogeneous_id",
    "heterogeneous_offset", "id", "memory", "name", "nodelist", "num_nodes", "partition",
    "requeue_count", "run_time", "start_time", "state", "state_reason", "submit_command",
    "submit_line", "submit_time", "time_limit", "user_name",
)  # fmt: skip


def main(since_wall_seconds: float, user: str) -> None:
    """Print `{"version", "jobs", "db_jobs", "problems"}`; a part that failed is null."""
    # Our own modules beside this file must not stand in the way of pyslurm's imports.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != Path(__file__).parent]
    pyslurm: Any = importlib.import_module("pyslurm")
    answer: dict[str, Any] = {
        "version": str(getattr(pyslurm, "__version__", "")), "jobs": None, "db_jobs": None,
        "problems": {},
    }  # fmt: skip
    try:
        live = pyslurm.Jobs.load()
        answer["jobs"] = _dicts(job for job in _each(live) if job.user_name == user)
    except Exception as error:
        answer["problems"]["jobs"] = f"{type(error).__name__}: {error}"
    try:
        wanted = pyslurm.db.JobFilter(users=[user], start_time=int(since_wall_seconds))
        answer["db_jobs"] = _dicts(_each(pyslurm.db.Jobs.load(wanted)))
    except Exception as error:
        answer["problems"]["db_jobs"] = f"{type(error).__name__}: {error}"
    print(json.dumps(answer, default=_plain))


def _each(jobs: Any) -> Iterable[Any]:
    """The jobs of a mapping by id, as 25.11 returns them, or of a list."""
    return cast("Iterable[Any]", jobs.values() if hasattr(jobs, "values") else jobs)


def _dicts(jobs: Iterable[Any]) -> list[dict[str, Any]]:
    known = (job.to_dict() for job in jobs)
    return [{name: one[name] for name in NAMES if name in one} for one in known]


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else str(value)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
