"""An account as the measured half of a `JobRow`; Slurm's answer as the other half. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jobwatt.energy.integrate import known_sum, mean_over_time
from jobwatt.energy.merge import METERED, total
from jobwatt.history.rows import MAX_WALL_SECONDS, MEASURED_HERE, JobRow
from jobwatt.model import ESTIMATED, Account, DeviceEnergy
from jobwatt.slurm.jobs import PENDING, RUNNING, SlurmJob
from jobwatt.sources.base import DRAM, GPU, PACKAGE

JOURNAL = "journal"
"""`JobRow.source` where Slurm has not been heard."""
_SLURM_FIELDS = tuple(name for name in SlurmJob._fields if name not in ("job", "cluster"))
_OF_THIS_STATE = ("reason", "end_wall_seconds", "exit_code", "exit_signal")
"""What is unknown here is none, whatever was told of an earlier state or run."""


def row_of(account: Account, days: Mapping[str, float], seen_wall_seconds: float) -> JobRow:
    """All that the journals alone know of a job."""
    details = dict(account.details)
    end = account.start_wall_seconds + account.duration_seconds
    gpus = [device for device in account.devices if device.device_kind == GPU]
    cpus = known_sum([node.cpus_allocated for node in account.nodes])
    state, code = _state(account)
    known: dict[str, Any] = {
        "array_job": details.get("SLURM_ARRAY_JOB_ID", ""),
        "array_task": details.get("SLURM_ARRAY_TASK_ID", ""),
        "name": details.get("SLURM_JOB_NAME", "") or _program(details.get("command", "")),
        "account": details.get("SLURM_JOB_ACCOUNT", ""),
        "partition": details.get("SLURM_JOB_PARTITION", ""),
        "command": details.get("command", ""),
        "state": state,
        "exit_code": code,
        "start_wall_seconds": _number(details.get("SLURM_JOB_START_TIME"))
        or account.start_wall_seconds,
        "end_wall_seconds": None if account.running else end,
        "elapsed_seconds": account.duration_seconds,
        "nodes": len(account.nodes),
        "node_list": details.get("SLURM_JOB_NODELIST", "")
        or ",".join(node.node for node in account.nodes),
        "cpus": None if cpus is None else int(cpus),
        "gpus": len(gpus),
        "restarts": account.restart or None,
        "source": JOURNAL,
    }
    bare = JobRow(account.job, account.cluster)
    return with_account(bare._replace(**known), account, days, seen_wall_seconds)


def with_account(
    row: JobRow, account: Account, days: Mapping[str, float], seen_wall_seconds: float
) -> JobRow:
    """The row with what was measured replaced by this account's figures."""
    metered = total(account.devices, METERED)
    estimated = total(account.devices, (ESTIMATED,))
    gpus = [device for device in account.devices if device.device_kind == GPU]
    return row._replace(
        origin=MEASURED_HERE,
        measured_start_wall_seconds=account.start_wall_seconds,
        measured_seconds=account.duration_seconds,
        coverage=account.coverage,
        metered_joules=metered.joules if metered else None,
        metered_low_joules=metered.low_joules if metered else None,
        metered_high_joules=metered.high_joules if metered else None,
        metered_kind=metered.kind if metered else "",
        estimated_joules=estimated.joules if estimated else None,
        gpu_joules=_joules(gpus),
        cpu_joules=_joules([d for d in account.devices if d.device_kind == PACKAGE]),
        dram_joules=_joules([d for d in account.devices if d.device_kind == DRAM]),
        gpu_idle_joules=known_sum([gpu.idle_energy_joules for gpu in gpus]),
        gpu_idle_seconds=known_sum([gpu.idle_seconds for gpu in gpus]),
        power_mean_watts=_mean_power(account),
        utilization_mean_percent=mean_over_time(
            [gpu.utilization_mean_percent for gpu in gpus], [gpu.covered_seconds for gpu in gpus]
        ),
        gpu_models=_by_model(gpus),
        days=json.dumps({day: round(joules, 3) for day, joules in days.items()}) if days else "",
        steps=len(account.steps),
        seen_wall_seconds=seen_wall_seconds,
        bad_lines=sum(node.bad_lines for node in account.nodes),
    )


def with_slurm(row: JobRow, told: SlurmJob) -> JobRow:
    """The row with all that Slurm knows; what it leaves open stays as it was."""
    kept = _slurm_half(told)
    # Accounting keeps codes from 128 on less 128; the controller had told the true one before.
    code, before = told.exit_code, row.exit_code
    if code is not None and before == code + 128 and row.state == told.state:
        kept["exit_code"] = before
    return row._replace(**kept)


def with_measured(row: JobRow | None, fresh: JobRow) -> JobRow:
    """Slurm's half of `row`, where Slurm has told it, with the rest of `fresh`."""
    if row is None or row.source in ("", JOURNAL):
        return fresh
    return fresh._replace(**_slurm_half(row))


def _slurm_half(told: SlurmJob | JobRow) -> dict[str, Any]:
    """The fields that Slurm tells, without those that it leaves open."""
    known = {
        name: value
        for name in _SLURM_FIELDS
        if (value := getattr(told, name)) is not None and value != ""
    }
    # A job that was requeued runs again: what its first run ended with, or waited for, is past.
    return {**known, **{name: getattr(told, name) for name in _OF_THIS_STATE}}


def with_kept(row: JobRow | None, kept: JobRow) -> JobRow:
    """A kept line over what the index has of the job: Slurm's half is that of the later life.

    A job that was requeued has a line for each of its lives, and the index may know a later one.
    """
    if row is None or kept.source in ("", JOURNAL):
        return with_measured(row, kept)
    later = (row.start_wall_seconds or 0.0) - (kept.start_wall_seconds or 0.0)
    if later > 0 or (later == 0 and row.outcome not in (RUNNING, PENDING)):
        return with_measured(row, kept)
    return kept


def _state(account: Account) -> tuple[str, int | None]:
    """As far as journals know: whether it runs, and how a command of `jobwatt run` ended."""
    code = account.exit_code
    if account.running:
        return "RUNNING", None
    alone = account.job.startswith("local-")
    if not alone or code is None:  # in a Slurm job, one step's code is not the job's
        return "", None
    return ("FAILED" if code else "COMPLETED"), code


def _mean_power(account: Account) -> float | None:
    """Sum over nodes of the mean power of what is metered, over each device's covered time."""
    known = [
        device.power_mean_watts * _weight(device, account)
        for device in account.devices
        if device.energy.kind in METERED and device.power_mean_watts is not None
        and device.device_kind in (GPU, PACKAGE, DRAM)
    ]  # fmt: skip
    return sum(known) if known else None


def _weight(device: DeviceEnergy, account: Account) -> float:
    """Part of the job's time that the device was held: a step of an hour in a day counts so."""
    if account.duration_seconds <= 0:
        return 1.0
    return min(1.0, device.held_seconds / account.duration_seconds)


def _joules(devices: list[DeviceEnergy]) -> float | None:
    """Metered ones; estimates are in a sum of their own."""
    return known_sum([d.energy.joules for d in devices if d.energy.kind in METERED])


def _by_model(gpus: list[DeviceEnergy]) -> str:
    models: dict[str, float | None] = {}
    for gpu in gpus:
        joules, before = _joules([gpu]), models.get(gpu.name)
        models[gpu.name] = before if joules is None else (before or 0.0) + joules
    return json.dumps(models) if models else ""


def _program(command: str) -> str:
    return command.split(" ", 1)[0].rpartition("/")[2]


def _number(text: str | None) -> float | None:
    """Unix seconds as Slurm's variables have them; None for any other text."""
    if not text or len(text) > 12 or not (text.isascii() and text.isdigit()):
        return None
    return float(text) if float(text) < MAX_WALL_SECONDS else None
