"""Stands in for pyslurm 25.11, which builds against Slurm 25.11 alone: tells recorded answers.

`STAND_IN` in the environment says how it behaves: `answers`, `fatal` (as the real one where Slurm
is not configured: the interpreter ends), `hangs`, `no database`, `other words` (an API of another
version), `noisy`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import db

__version__ = "25.11.2"

_TOLD = json.loads((Path(__file__).parents[2] / "data" / "25.11" / "pyslurm.json").read_text())
_MODE = os.environ.get("STAND_IN", "answers")


class RPCError(Exception):
    """As the real one's."""


class GPU:
    """An object in a job's dict, as the real one's."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told

    def to_dict(self, recursive: bool = False) -> dict[str, Any]:
        return self._told


class Job:
    """A job of either interface."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self.id = told["id"]
        self.user_name = told["user_name"]

    def to_dict(self, recursive: bool = False) -> dict[str, Any]:
        gpus = {name: GPU(one) for name, one in self._told["gpus"].items()}
        return {**self._told, "gpus": gpus, "stats": object(), "steps": {}}


class Jobs(dict[int, Job]):
    """Jobs by id."""

    @staticmethod
    def load() -> Jobs:
        other = Job({**_TOLD["jobs"]["1"], "id": 99, "user_name": "bob"})
        return Jobs({job.id: job for job in (*map(Job, _TOLD["jobs"].values()), other)})


def _load_db(wanted: db.JobFilter) -> dict[int, Job]:
    if _MODE == "no database":
        raise RPCError("Failed to open\na connection to the database")
    return {
        one["id"]: Job(one)
        for one in _TOLD["db_jobs"]
        if one["user_name"] in wanted.users and (one["end_time"] or 1e99) >= wanted.start_time
    }


db.Jobs.load = staticmethod(_load_db)

if _MODE == "fatal":
    sys.stderr.write("fatal: Could not establish a configuration source\n")
    sys.stderr.flush()
    os._exit(1)
if _MODE == "hangs":
    time.sleep(300)
if _MODE == "other words":
    del db.JobFilter, Jobs
if _MODE == "noisy":
    print("pyslurm: a greeting")
