"""Accounts as JSON: schema version, unit in every key, null for unknown. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from jobwatt.views.report import Report

SCHEMA = 1


def report_json(report: Report) -> str:
    """One object; keys only ever get added within a schema version."""
    account = asdict(report.account)
    account["details"] = dict(report.account.details)
    document = {
        "schema": SCHEMA,
        "metered_energy": asdict(report.metered) if report.metered else None,
        "whole_time_estimate_joules": report.whole_time_joules,
        "estimated_energy": asdict(report.estimated) if report.estimated else None,
        **account,
    }
    return json.dumps(_finite(document), indent=2, ensure_ascii=True)


def _finite(value: Any) -> Any:
    """NaN and infinity are no JSON: null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
