"""A checkup as JSON: schema version, unit in every key, null for unknown. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from jobwatt import __version__
from jobwatt.checkup.findings import Checkup, DeviceFinding

SCHEMA = 1


def checkup_json(checkup: Checkup) -> str:
    """One object; keys only ever get added within a schema version."""
    document = {
        "schema": SCHEMA,
        "jobwatt": __version__,
        "node": checkup.node,
        "load_seconds": checkup.load_seconds,
        "gpu_rule": checkup.gpu_rule,
        "uses": {use.role.lower(): asdict(use) for use in checkup.uses},
        "sources": [
            {**asdict(finding), "devices": [_device(device) for device in finding.devices]}
            for finding in checkup.sources
        ],
        "checks": {
            check.name.lower().replace("-", "_").replace(" ", "_"): {
                "state": check.state,
                "text": check.text,
                **check.facts,
            }
            for check in checkup.checks
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)


def _device(finding: DeviceFinding) -> dict[str, Any]:
    return {
        **finding.device._asdict(),
        "moved": finding.moved,
        "energy_joules": _finite(finding.energy_joules),
        "power_watts": _finite(finding.power_watts),
        "comparison": asdict(finding.comparison) if finding.comparison else None,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
