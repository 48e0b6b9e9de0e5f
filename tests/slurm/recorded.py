"""Answers recorded from real clusters (data/README.md), in the form in which jobwatt asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobwatt.slurm.jobs import SlurmJob
from jobwatt.slurm.parse import parse_sacct, parse_squeue

DATA = Path(__file__).parent / "data"
DELIMITER = "\x1f"
VERSIONS = ("22.05", "25.11")

_SQUEUE = {
    "A": "JobID", "i": "JobArrayID", "j": "Name", "u": "UserName", "a": "Account",
    "P": "Partition", "T": "State", "M": "TimeUsed", "l": "TimeLimit", "D": "NumNodes",
    "N": "NodeList", "C": "NumCPUs", "m": "MinMemory", "b": "tres-per-node", "r": "Reason",
    "V": "SubmitTime", "S": "StartTime", "L": "TimeLeft",
}  # fmt: skip


def moved(fields: list[str], parts: list[str], name: str, first: str) -> tuple[list[str], str]:
    """Fields and a row in our order: the id first, the name last, pieces of the name joined."""
    at = fields.index(name)
    extra = len(parts) - len(fields)
    joined = [*parts[:at], "|".join(parts[at : at + extra + 1]), *parts[at + extra + 1 :]]
    row = dict(zip(fields, joined, strict=True))
    order = [first, *(field for field in fields if field not in (first, name)), name]
    return order, DELIMITER.join(row[field] for field in order)


def sacct_jobs(version: str) -> list[SlurmJob]:
    """Jobs of the recorded sacct."""
    head, *rows = (DATA / version / "sacct.txt").read_text().splitlines()
    fields = head.split("|")
    lines = [moved(fields, row.split("|"), "JobName", "JobIDRaw") for row in rows]
    jobs, bad = parse_sacct("".join(f"{line}\n" for _, line in lines), lines[0][0], DELIMITER)
    assert bad == 0
    return jobs


def squeue_jobs(version: str) -> list[SlurmJob]:
    """Jobs of the recorded squeue."""
    fields = list(_SQUEUE.values())
    rows = (DATA / version / "squeue.txt").read_text().splitlines()
    lines = [moved(fields, row.split("|"), "Name", "JobID") for row in rows]
    text = "".join(f"{line}{DELIMITER}\n" for _, line in lines)
    jobs, bad = parse_squeue(text, lines[0][0], DELIMITER)
    assert bad == 0
    return jobs


def pyslurm_answer() -> dict[str, Any]:
    """What pyslurm 25.11 told, as its child would print it."""
    told = json.loads((DATA / "25.11" / "pyslurm.json").read_text())
    return {**told, "jobs": list(told["jobs"].values()), "problems": {}}
