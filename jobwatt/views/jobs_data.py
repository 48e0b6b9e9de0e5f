"""`jobwatt jobs` for programs: one JSON document, or CSV. The records are those of `export`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jobwatt.history.rows import JobRow
from jobwatt.views.table_files import csv_lines, json_lines
from jobwatt.views.tables import JOBS, SCHEMA, job_record


def jobs_json(rows: Sequence[JobRow], slurm_source: str) -> str:
    """Schema version, unit in every key, null for unknown; keys only ever get added."""
    lines = b"".join(json_lines(JOBS, map(job_record, rows))).decode().splitlines()
    head = f'"schema": {SCHEMA}, "slurm_source": {json.dumps(slurm_source or None)}'
    body = ",\n".join(lines)
    return f'{{{head}, "jobs": [\n{body}\n]}}\n'


def jobs_csv(rows: Sequence[JobRow]) -> str:
    """Names of the columns, then a line per job."""
    return b"".join(csv_lines(JOBS, map(job_record, rows))).decode()
