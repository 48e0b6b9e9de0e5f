"""One job as the index keeps it: flat, so that a table of thousands is read in one go. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from jobwatt.slurm.jobs import NO_RESULT, outcome

MEASURED_HERE = "measured"
"""`JobRow.origin` of a job with journals of our own."""
IMPORTED = "imported"
"""`JobRow.origin` of another tool's figures begins so: `imported: CodeCarbon 3.0`."""

MAX_WALL_SECONDS = 253_402_300_800.0
"""The end of the year 9999: no time of a job is later."""
MAX_JOULES = 1e18


class JobRow(NamedTuple):
    """What Slurm says of a job and what was measured of it.

    None and the empty text are unknown. Joules are those of the whole job; an estimate is in
    `estimated_joules` and never in `metered_joules`. Times are Unix seconds.
    """

    job: str
    cluster: str = ""
    # What Slurm says (jobwatt.slurm.jobs.SlurmJob), else what the journal's head knows.
    array_job: str = ""
    array_task: str = ""
    name: str = ""
    user: str = ""
    account: str = ""
    partition: str = ""
    command: str = ""
    state: str = ""
    reason: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None
    submit_wall_seconds: float | None = None
    start_wall_seconds: float | None = None
    end_wall_seconds: float | None = None
    elapsed_seconds: float | None = None
    time_limit_seconds: float | None = None
    nodes: int | None = None
    node_list: str = ""
    cpus: int | None = None
    gpus: int | None = None
    memory_bytes: int | None = None
    components: int | None = None
    restarts: int | None = None
    source: str = ""
    """Who told the state: `sacct`, `squeue`, `pyslurm`, or `journal`."""
    # What was measured
    origin: str = ""
    """`measured`, `imported: …`, or empty: Slurm knows the job, nothing was measured."""
    measured_start_wall_seconds: float | None = None
    measured_seconds: float | None = None
    """From the first measured step's start to the last one's end."""
    coverage: float | None = None
    metered_joules: float | None = None
    """GPUs, packages and DRAM, measured or attributed."""
    metered_low_joules: float | None = None
    metered_high_joules: float | None = None
    metered_kind: str = ""
    """`measured`, or `attributed` where a part is."""
    estimated_joules: float | None = None
    # Parts of `metered_joules`
    gpu_joules: float | None = None
    cpu_joules: float | None = None
    dram_joules: float | None = None
    gpu_idle_joules: float | None = None
    """Of `gpu_joules`: at 0 % utilisation."""
    gpu_idle_seconds: float | None = None
    """Summed over the GPUs."""
    power_mean_watts: float | None = None
    """Mean of the metered power over the covered time."""
    utilization_mean_percent: float | None = None
    """Of the GPUs."""
    gpu_models: str = ""
    """JSON: joules (metered, or null) by name of GPU model."""
    days: str = ""
    """JSON: metered joules by local day, `{"2026-11-25": 123.4}`."""
    steps: int | None = None
    seen_wall_seconds: float | None = None
    """When the journals last changed."""
    bad_lines: int = 0

    @property
    def outcome(self) -> str:
        """What became of it (a word of jobwatt.slurm.jobs)."""
        return outcome(self.state)

    @property
    def key(self) -> tuple[str, str]:
        """Job and cluster: what tells it from all others."""
        return self.job, self.cluster

    @property
    def shown_id(self) -> str:
        """As Slurm's commands show it: `5_3` for an array's task."""
        return f"{self.array_job}_{self.array_task}" if self.array_job else self.job

    @property
    def job_coverage(self) -> float | None:
        """Part of the job's time for which the energy is known: not of the measured steps alone."""
        if self.coverage is None or self.measured_seconds is None or not self.elapsed_seconds:
            return self.coverage
        return self.coverage * min(1.0, self.measured_seconds / self.elapsed_seconds)

    @property
    def no_result_joules(self) -> float | None:
        """Metered joules of a job that ended without its result; 0 where it has one."""
        if self.metered_joules is None:
            return None
        return self.metered_joules if self.outcome in NO_RESULT else 0.0

    def joules_by_day(self) -> Mapping[str, float]:
        """Metered joules by local day (`2026-11-25`)."""
        return _known(self.days)

    def joules_by_model(self) -> Mapping[str, float]:
        """Joules by name of GPU model, where known."""
        return _known(self.gpu_models)


def numbers(text: str) -> Mapping[str, float | None]:
    """Of `days` or `gpu_models`. A line of figures may have been changed by hand: what is no
    number, or beyond all bounds, is None."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value if _is_number(value) else None for key, value in found.items()}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < MAX_JOULES


def _known(text: str) -> Mapping[str, float]:
    return {key: value for key, value in numbers(text).items() if value is not None}
