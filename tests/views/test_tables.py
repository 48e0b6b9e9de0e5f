"""Records of jobs, devices and spans: every field, its unit in its name, unknown as None."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from jobwatt.history.rows import JobRow
from jobwatt.journal.reader import read_journal
from jobwatt.model import Account, DeviceEnergy, Energy
from jobwatt.views.tables import (
    DEVICES,
    JOBS,
    SERIES,
    Record,
    Table,
    device_records,
    iso,
    job_record,
    series_records,
    whole_milliseconds,
)
from tests.journal.journals import gpu_row, head, span, write

FULL = JobRow(
    "12", "alpha", array_job="10", array_task="2", name="train", user="me", account="lab",
    partition="gpu", command="sbatch x", state="FAILED", reason="None", exit_code=0, exit_signal=9,
    submit_wall_seconds=1.0, start_wall_seconds=1_700_000_000.125, end_wall_seconds=2.0,
    elapsed_seconds=3.0, time_limit_seconds=4.0, nodes=2, node_list="n[1-2]", cpus=8, gpus=0,
    memory_bytes=1 << 40, restarts=1, source="sacct", origin="measured",
    measured_start_wall_seconds=5.0, measured_seconds=6.0, coverage=0.0, metered_joules=7.0,
    metered_low_joules=6.5, metered_high_joules=7.5, metered_kind="attributed",
    estimated_joules=8.0, gpu_joules=9.0, cpu_joules=10.0, dram_joules=11.0, gpu_idle_joules=12.0,
    gpu_idle_seconds=13.0, power_mean_watts=14.0, utilization_mean_percent=15.0,
    gpu_models='{"A100": 9.0, "H100": null}', days='{"2026-11-25": 7.0}', steps=3,
    seen_wall_seconds=16.0, bad_lines=1,
)  # fmt: skip


def named(table: Table, record: Record) -> dict[str, object]:
    names = [column.name for column in table.columns]
    return dict(zip(names, record, strict=True))


@pytest.mark.parametrize("row", [FULL, JobRow("12")], ids=["all known", "nothing known"])
def test_a_job_has_every_field_of_its_row(row: JobRow) -> None:
    record = named(JOBS, job_record(row))
    for name, value in row._asdict().items():
        if name in ("days", "gpu_models"):
            assert record[name] == (json.loads(value) if value else None)
        else:
            assert record[name] == (None if value == "" else value)
    assert record["schema"] == 1
    assert (record["shown_id"], record["outcome"]) == (row.shown_id, row.outcome)
    assert record["start_utc"] == row.start_wall_seconds


def test_the_names_that_programs_rely_on() -> None:
    """Within a schema version, columns only get added, at the end or not."""
    known = {
        "job", "cluster", "state", "outcome", "metered_joules", "estimated_joules", "origin",
        "elapsed_seconds", "start_utc", "end_utc", "array_job", "array_task", "days",
    }  # fmt: skip
    assert known <= {column.name for column in JOBS.columns}
    for table in (JOBS, DEVICES, SERIES):
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert names[0] == "schema"


def test_a_device_has_every_field_of_its_energy() -> None:
    device = DeviceEnergy(
        "n1", "gpu", "GPU-0", "A100", "nvml", "counter", Energy(5.0, "measured", 4.0, 6.0),
        rule="", coverage=0.0, memory_peak_bytes=7, idle_seconds=0.0,
    )  # fmt: skip
    account = Account("12", "", 0, "alpha", 1_700_000_000.0, 9.0, False, 1.0, (), (device, device))
    records = [named(DEVICES, record) for record in device_records(FULL, account)]
    assert len(records) == 2
    (record, _) = records
    energy = {"joules": 5.0, "kind": "measured", "low_joules": 4.0, "high_joules": 6.0}
    assert {name: record[f"energy_{name}"] for name in energy} == energy
    renamed = {"name": "device_name", "energy": "energy_joules"}
    for field in fields(DeviceEnergy):
        value = getattr(device, field.name)
        value = value.joules if isinstance(value, Energy) else value
        assert record[renamed.get(field.name, field.name)] == (None if value == "" else value)
    assert (record["job"], record["cluster"], record["step"]) == ("12", "alpha", None)
    assert (record["origin"], record["start_utc"]) == ("measured", 1_700_000_000.0)


def test_a_series_has_each_span_and_device(tmp_path: Path) -> None:
    lines = [span(1.0), span(3.0, 2.0), span(4.0, gpus=[gpu_row(None)])]
    journal = read_journal(write(tmp_path / "0.0.n1.0.jsonl", head(), *lines))
    records = [named(SERIES, record) for record in series_records(journal, 0.0, 1e15)]
    assert [record["device_kind"] for record in records] == ["gpu", "package"] * 3
    gpu = [record for record in records if record["device_kind"] == "gpu"]
    assert [record["device_energy_joules"] for record in gpu] == [300.0, 600.0, None]
    assert [record["end_wall_seconds"] for record in gpu] == [1.7e9 + 1, 1.7e9 + 3, 1.7e9 + 4]
    assert [record["length_seconds"] for record in gpu] == [1.0, 2.0, 1.0]
    first, cpu = records[0], records[1]
    assert (first["job"], first["cluster"], first["step"], first["restart"]) == ("7", None, "0", 0)
    assert (first["node"], first["device_id"]) == ("n1", "GPU-0")
    assert (first["device_power_min_watts"], first["device_power_max_watts"]) == (290, 310)
    assert (first["utilization_mean_percent"], first["memory_used_max_bytes"]) == (90, 8192 << 20)
    assert (cpu["device_energy_joules"], cpu["utilization_mean_percent"]) == (100.0, None)
    assert cpu["memory_used_max_bytes"] is None


def test_a_series_within_a_time(tmp_path: Path) -> None:
    lines = [span(float(second)) for second in range(1, 11)]
    journal = read_journal(write(tmp_path / "0.0.n1.0.jsonl", head(), *lines))
    records = [named(SERIES, r) for r in series_records(journal, 1.7e9 + 3, 1.7e9 + 5)]
    assert {record["end_wall_seconds"] for record in records} == {1.7e9 + 3, 1.7e9 + 4}


def test_times() -> None:
    assert iso(1_700_000_000.1236) == "2023-11-14T22:13:20.124Z"
    assert iso(0.0) == "1970-01-01T00:00:00.000Z"
    assert iso(-1.0) == "1969-12-31T23:59:59.000Z"
    for wild in (1e12, -1e12, float("nan"), float("inf")):
        assert iso(wild) is None and whole_milliseconds(wild) is None
