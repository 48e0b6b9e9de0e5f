"""What pyslurm knows of a user's jobs: the same `SlurmJob`s as from sacct's and squeue's text.

pyslurm is asked in a child process: its import ends the interpreter where Slurm is not configured,
and a version that does not fit the cluster's may crash. It is never imported here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobwatt.slurm.child import run_all
from jobwatt.slurm.commands import Heard, child_environ
from jobwatt.slurm.fold import Run, fold
from jobwatt.slurm.jobs import PENDING, SlurmJob, outcome
from jobwatt.slurm.parse import gpus_known, with_end
from jobwatt.slurm.rows import MAX_TEXT
from jobwatt.slurm.values import known, state_word

_CHILD = Path(__file__).with_name("pyslurm_child.py")
_MIB = 1 << 20
_NO_VALUE = 1 << 31
"""Slurm's numbers from here on mean "none" (NO_VAL, INFINITE in slurm.h)."""


def installed() -> bool:
    """Whether `import pyslurm` would find one. Does not import it."""
    try:
        return importlib.util.find_spec("pyslurm") is not None
    except (ImportError, ValueError):
        return False


def ask_pyslurm(
    since_wall_seconds: float, user: str, environ: Mapping[str, str], time_limit_seconds: float
) -> tuple[Heard, Heard]:
    """What accounting knows of a user's jobs since a time, and what the controller knows now."""
    command = [sys.executable, str(_CHILD), str(since_wall_seconds), user]
    [said] = run_all([command], child_environ(environ), time_limit_seconds)
    lines = said.text.splitlines()
    try:
        answer = json.loads(lines[-1]) if said.code == 0 and lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        silent = Heard([], why=f"pyslurm: {said.why()}")
        return silent, silent
    reasons = answer.get("problems") or {}
    return (
        _heard(answer.get("db_jobs"), str(reasons.get("db_jobs", ""))),
        _heard(answer.get("jobs"), str(reasons.get("jobs", ""))),
    )


def jobs_of(told: object) -> tuple[list[SlurmJob], int]:
    """Jobs of a list of dicts, from the database's `to_dict()` or the controller's, and how many
    of them could not be read."""
    listed = told if isinstance(told, list) else []
    runs = [_run(one) for one in listed if isinstance(one, dict) and _count(one.get("id"))]
    return fold(gpus_known(runs)), len(listed) - len(runs)


def _heard(told: object, reason: str) -> Heard:
    if not isinstance(told, list):
        return Heard([], why=f"pyslurm: {' '.join(reason.split()) or 'no answer'}"[:200])
    return Heard(*jobs_of(told))


def _run(one: Mapping[str, Any]) -> Run:
    raw = str(one["id"])
    leader = _count(one.get("heterogeneous_id"))
    elapsed = one.get("elapsed_time", one.get("run_time"))  # 0 comes as None
    limit = _count(one.get("time_limit"))
    memory = _count(one.get("memory"))
    job = SlurmJob(
        job=str(leader) if leader else raw,
        cluster=_text(one.get("cluster")),
        array_job=_text(one.get("array_id")),
        array_task=_task(one) if one.get("array_id") else "",
        name=str(one.get("name") or ""),
        user=_text(one.get("user_name")),
        account=_text(one.get("account")),
        partition=_text(one.get("partition")),
        command=str(one.get("submit_command") or one.get("submit_line") or "")[:MAX_TEXT],
        state=_text(one.get("state")),
        # Accounting keeps why a job once waited, in each state.
        reason=known(_text(one.get("state_reason"))) if _tells_reason(one) else "",
        submit_wall_seconds=_seconds(one.get("submit_time")),
        start_wall_seconds=_seconds(one.get("start_time")),
        end_wall_seconds=_seconds(one.get("end_time")),
        elapsed_seconds=float(_count(elapsed) or 0),
        time_limit_seconds=limit * 60.0 if limit else None,
        nodes=_count(one.get("num_nodes")) or None,
        node_list=known(_text(one.get("nodelist") or one.get("allocated_nodes"))),
        cpus=_count(one.get("cpus")) or None,
        gpus=_gpus(one.get("gpus")),
        memory_bytes=memory * _MIB if memory else None,
        restarts=_count(one.get("requeue_count")),
        source="pyslurm",
    )
    ended = (
        f"{_count(one.get(f'{kind}exit_code')) or 0}:"
        f"{_count(one.get(f'{kind}exit_code_signal')) or 0}"
        for kind in ("", "derived_")
    )
    offset = _count(one.get("heterogeneous_offset")) or 0
    return Run(raw, offset if leader else 0, with_end(job, *ended))


def _tells_reason(one: Mapping[str, Any]) -> bool:
    return "nodelist" not in one or outcome(state_word(_text(one.get("state")))) == PENDING


def _task(one: Mapping[str, Any]) -> str:
    """Index in the array, or those that wait, as squeue writes them: `[3-9%2]`."""
    task = _count(one.get("array_task_id"))
    if task is not None:
        return str(task)
    waiting = _text(one.get("array_tasks_waiting"))
    parallel = _count(one.get("array_tasks_parallel"))
    return f"[{waiting}{f'%{parallel}' if parallel else ''}]" if waiting else ""


def _gpus(told: object) -> int | None:
    """`{"gpu": {"count": 2}, "gpu:a100": {"count": 2}}` -> 2: whole count, else the sum by type."""
    if not isinstance(told, dict):
        return None
    counts = {
        name: _count(one.get("count")) for name, one in told.items() if isinstance(one, dict)
    }
    whole = counts.get("gpu")
    if whole is not None:
        return whole
    typed = [count for count in counts.values() if count is not None]
    return sum(typed) if typed else None


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _NO_VALUE else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return float(value) if 0 < value < 1 << 40 else None


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
