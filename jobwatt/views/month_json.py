"""A month as JSON: schema version, unit in every key, null for unknown. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from jobwatt import __version__
from jobwatt.history.month_model import Breakdown, Large, Month, Slice, Totals
from jobwatt.history.month_sums import share
from jobwatt.history.periods import Period
from jobwatt.model import Energy
from jobwatt.views.json import finite

SCHEMA = 1


def month_json(month: Month) -> str:
    """One object; keys only ever get added within a schema version. Shares are 0 to 1."""
    now, before = month.totals, month.totals_before
    document = {
        "schema": SCHEMA,
        "jobwatt": __version__,
        "period": _period(month.period),
        "before": _period(month.before),
        "totals": _totals(now),
        "totals_before": _totals(before),
        "change_ratio": {
            "metered": _ratio(now.metered.joules, before.metered.joules),
            "gpu_held": _ratio(now.gpu_held_seconds, before.gpu_held_seconds),
            "gpu_idle": _ratio(now.gpu_idle_joules, before.gpu_idle_joules),
            "no_result": _ratio(now.no_result_joules, before.no_result_joules),
            "cancelled": _ratio(now.cancelled_joules, before.cancelled_joules),
        },
        "days": _days(month.period, month.day_joules),
        "days_before": _days(month.before, month.day_joules_before),
        "by_outcome": _breakdown(month.outcomes),
        "by_name": _breakdown(month.names),
        "by_account": _breakdown(month.accounts),
        "by_partition": _breakdown(month.partitions),
        "by_gpu_model": _breakdown(month.gpu_models),
        "largest_jobs": [_large(one) for one in month.largest],
    }
    return json.dumps(finite(document), indent=2, ensure_ascii=True, allow_nan=False)


def _period(period: Period) -> dict[str, Any]:
    return {
        "label": period.label,
        "first_day": period.days[0],
        "last_day": period.days[-1],
        "start_wall_seconds": period.start_wall_seconds,
        "end_wall_seconds": period.end_wall_seconds,
        "under_way": period.under_way,
    }


def _totals(totals: Totals) -> dict[str, Any]:
    total = totals.metered.joules
    return {
        "jobs": totals.jobs,
        "jobs_measured": totals.jobs_measured,
        "jobs_told_by_slurm": totals.jobs_told_by_slurm,
        "coverage": totals.coverage,
        "metered_energy": _energy(totals.metered),
        "estimated_joules": totals.estimated_joules,
        "imported_joules": totals.imported_joules,
        "imported_estimated_joules": totals.imported_estimated_joules,
        "jobs_imported": totals.jobs_imported,
        "power_mean_watts": totals.power_mean_watts,
        "gpu_joules": totals.gpu_joules,
        "gpu_held_seconds": totals.gpu_held_seconds,
        "gpu_held_measured_seconds": totals.gpu_held_measured_seconds,
        "gpu_utilization_mean_percent": totals.gpu_utilization_mean_percent,
        "gpu_idle_joules": totals.gpu_idle_joules,
        "gpu_idle_share": share(totals.gpu_idle_joules, total),
        "gpu_idle_seconds": totals.gpu_idle_seconds,
        "no_result_joules": totals.no_result_joules,
        "no_result_share": share(totals.no_result_joules, total),
        "no_result_jobs": totals.no_result_jobs,
        "cancelled_joules": totals.cancelled_joules,
        "cancelled_share": share(totals.cancelled_joules, total),
        "cancelled_jobs": totals.cancelled_jobs,
    }


def _energy(energy: Energy) -> dict[str, Any]:
    return {
        "joules": energy.joules,
        "kind": energy.kind,
        "low_joules": energy.low_joules,
        "high_joules": energy.high_joules,
    }


def _days(period: Period, joules: Sequence[float | None]) -> list[dict[str, Any]]:
    """Null: jobs ran on that day and none of them was measured."""
    return [
        {"day": day, "metered_joules": value}
        for day, value in zip(period.days, joules, strict=True)
    ]


def _breakdown(breakdown: Breakdown) -> dict[str, Any]:
    others = breakdown.others
    return {
        "largest": [{"label": one.label or None, **_slice(one)} for one in breakdown.slices],
        "others": {"labels": breakdown.others_labels, **_slice(others)} if others else None,
    }


def _slice(one: Slice) -> dict[str, Any]:
    return {"metered_joules": one.energy_joules, "share": one.share, "jobs": one.jobs}


def _large(one: Large) -> dict[str, Any]:
    row = one.row
    return {
        "job": row.job,
        "shown_id": row.shown_id,
        "cluster": row.cluster or None,
        "name": row.name or None,
        "outcome": row.outcome,
        "state": row.state or None,
        "account": row.account or None,
        "partition": row.partition or None,
        "start_wall_seconds": row.start_wall_seconds,
        "elapsed_seconds": row.elapsed_seconds,
        "nodes": row.nodes,
        "gpus": row.gpus,
        "metered_energy": _energy(one.energy),
        "share": one.share,
        "whole_job_in_period": one.whole,
    }


def _ratio(now: float | None, before: float | None) -> float | None:
    """How much more than before: 0.12 is 12 % more. None where there is no base."""
    return now / before - 1 if now is not None and before is not None and before > 0 else None
