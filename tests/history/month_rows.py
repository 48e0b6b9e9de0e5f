"""Rows of two months of jobs, the same on every run. Local time is UTC."""

from __future__ import annotations

import calendar
import json
import time
from typing import Any

from jobwatt.history.rows import MEASURED_HERE, JobRow

DAY = 86400.0
HOSTILE = '\x1b[31m</td><script>document.title="owned"</script>\u202e<img src=x onerror=alert(1)>'


def wall(text: str) -> float:
    """Unix seconds of `2026-11-25 13:47` in UTC."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M")))


NOW = wall("2026-11-25 13:47")


def row(job: str, start: float, seconds: float = 3600.0, **changes: Any) -> JobRow:
    """A completed job of Slurm's that nobody measured."""
    known: dict[str, Any] = {
        "name": "train", "account": "ml", "partition": "gpu", "state": "COMPLETED",
        "start_wall_seconds": start, "end_wall_seconds": start + seconds,
        "elapsed_seconds": seconds, "nodes": 1, "gpus": 1, "source": "sacct",
    }  # fmt: skip
    return JobRow(job)._replace(**(known | changes))


def measured(
    job: str, start: float, joules: float, seconds: float = 3600.0, **changes: Any
) -> JobRow:
    """A job of one H100, three quarters of its joules the GPU's; a tenth of those at 0 % use."""
    end = start + seconds
    days: dict[str, float] = {}
    at = start
    while at < end:
        until = min(end, (at // DAY + 1) * DAY)
        days[time.strftime("%Y-%m-%d", time.gmtime(at))] = joules * (until - at) / seconds
        at = until
    known: dict[str, Any] = {
        "origin": MEASURED_HERE, "measured_start_wall_seconds": start,
        "measured_seconds": seconds, "coverage": 0.98, "metered_joules": joules,
        "metered_low_joules": 0.9 * joules, "metered_high_joules": 1.1 * joules,
        "metered_kind": "measured", "gpu_joules": 0.75 * joules,
        "gpu_idle_joules": 0.075 * joules, "gpu_idle_seconds": 0.2 * seconds,
        "utilization_mean_percent": 80.0, "days": json.dumps(days),
        "gpu_models": json.dumps({"NVIDIA H100 80GB HBM3": 0.75 * joules}),
    }  # fmt: skip
    return row(job, start, seconds)._replace(**(known | changes))


def two_months() -> list[JobRow]:
    """From 26 September to now, with all that a month may hold."""
    rows = []
    names = ("train-llama", "finetune", "eval", "sweep", "preprocess", "nccl-test", "render")
    states = ("COMPLETED",) * 8 + ("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "CANCELLED")
    for number in range(240):
        start = wall("2026-09-27 00:10") + number * 21_500.0
        seconds = 1800.0 + number * 7919 % 17_000
        gpus = (1, 2, 4, 8)[number * 13 % 4]
        joules = seconds * (90.0 + gpus * (150.0 + number * 37 % 300))
        model = "NVIDIA A100-SXM4-80GB" if number % 3 else "NVIDIA H100 80GB HBM3"
        one = measured(
            str(4000 + number), start, joules, seconds, gpus=gpus, coverage=0.96,
            name=names[number * 5 % len(names)], account="ml" if number % 5 else "physics",
            partition="gpu-long" if number % 4 == 0 else "gpu",
            state=states[number * 7 % len(states)], metered_kind="attributed",
            utilization_mean_percent=40.0 + number % 50,
            gpu_models=json.dumps({model: 0.75 * joules}),
            estimated_joules=0.05 * joules if number % 20 == 0 else None,
        )  # fmt: skip
        if start + seconds < NOW:
            rows.append(one)
    # 24 Nov has a job that nobody measured, and no other.
    rows = [one for one in rows if not _touches(one, "2026-11-24")]
    rows.append(row("4900", wall("2026-11-24 10:00"), name="by-hand", gpus=2))
    rows.append(row("4901", wall("2026-11-20 10:00"), state="FAILED", account="", gpus=0))
    rows.append(measured("4902", wall("2026-10-26 18:00"), 2.0e7, 12 * 3600.0, name="across"))
    rows.append(measured("4903", NOW - 7200, 3.0e6, 7200.0, state="RUNNING", name=HOSTILE)
                ._replace(end_wall_seconds=None, account=HOSTILE))  # fmt: skip
    rows.append(row("77", wall("2026-11-02 10:00"), origin="imported: CodeCarbon 3.0",
                    estimated_joules=7.2e6, source=""))  # fmt: skip
    return rows


def _touches(one: JobRow, day: str) -> bool:
    return day in one.joules_by_day()
