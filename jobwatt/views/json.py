"""Accounts as JSON: schema version, unit in every key, null for unknown. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from jobwatt.energy.series import Series
from jobwatt.history.measured import JOURNAL
from jobwatt.history.rows import JobRow
from jobwatt.slurm.jobs import SlurmJob
from jobwatt.views.report import Report

SCHEMA = 1


def report_json(
    report: Report, row: JobRow | None = None, series: Series | None = None
) -> str:
    """One object; keys only ever get added within a schema version.

    `slurm` is what Slurm says of the job, null where it does not know it; `series` the power and
    the utilisation over time, null where the journals are gone.
    """
    account = asdict(report.account)
    account["details"] = dict(report.account.details)
    document = {
        "schema": SCHEMA,
        "metered_energy": asdict(report.metered) if report.metered else None,
        "whole_time_estimate_joules": report.whole_time_joules,
        "estimated_energy": asdict(report.estimated) if report.estimated else None,
        **account,
    }
    return _text(document, row, series)


def not_measured_json(row: JobRow) -> str:
    """A job that only Slurm knows: the same keys, without a figure."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "metered_energy": None,
        "whole_time_estimate_joules": None,
        "estimated_energy": None,
        "job": row.job,
        "step": "",
        "cluster": row.cluster,
        "nodes": [],
        "devices": [],
        "details": {},
    }
    return _text(document, row, None)


def _text(document: dict[str, Any], row: JobRow | None, series: Series | None) -> str:
    """Indented, but for the series: a number a line would be thousands of lines."""
    text = json.dumps(finite({**document, "slurm": _slurm(row)}), indent=2, ensure_ascii=True)
    compact = json.dumps(finite(_series(series)), ensure_ascii=True)
    return f'{text[:-2]},\n  "series": {compact}\n}}'


def _slurm(row: JobRow | None) -> dict[str, Any] | None:
    """The fields of `jobwatt.slurm.jobs.SlurmJob`; an unknown text is null too."""
    if row is None or row.source in ("", JOURNAL):
        return None
    said = {name: getattr(row, name) for name in SlurmJob._fields}
    known = {name: None if value == "" else value for name, value in said.items()}
    return known | {"outcome": row.outcome}


def _series(series: Series | None) -> dict[str, Any] | None:
    if series is None:
        return None
    return {
        "start_wall_seconds": series.start_wall_seconds,
        "bin_seconds": series.bin_seconds,
        "gpu_power_kind": series.gpu_kind or None,
        "gpu_power_watts": _rounded(series.gpu_power_watts),
        "gpu_utilization_percent": _rounded(series.gpu_utilization_percent),
        "cpu_power_kind": series.cpu_kind or None,
        "cpu_power_watts": _rounded(series.cpu_power_watts),
        "gpus": [
            {
                "node": gpu.node,
                "device_id": gpu.device_id,
                "power_watts": _rounded(gpu.power_watts),
                "utilization_percent": _rounded(gpu.utilization_percent),
            }
            for gpu in series.gpus
        ],
    }


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    """To a milliwatt: finer than any meter."""
    return [None if value is None else round(value, 3) for value in values]


def finite(value: Any) -> Any:
    """NaN and infinity are no JSON: null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
