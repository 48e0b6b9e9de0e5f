"""The measured half of a row and Slurm's half."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobwatt.history.measured import row_of, with_account, with_kept, with_measured, with_slurm
from jobwatt.history.rows import JobRow
from jobwatt.model import ATTRIBUTED, ESTIMATED, MEASURED, Account, DeviceEnergy, Energy
from jobwatt.slurm.jobs import SlurmJob
from jobwatt.sources.base import CPU_ESTIMATE, DRAM, GPU, NODE, PACKAGE
from tests.history.test_codec import NODE as USE

GPU0 = DeviceEnergy(
    "n1", GPU, "GPU-0", "A100", "nvml", "counter", Energy(1000.0, MEASURED, 900.0, 1100.0),
    covered_seconds=10.0, held_seconds=10.0, power_mean_watts=100.0, utilization_mean_percent=80.0,
    idle_seconds=1.0, idle_energy_joules=50.0,
)  # fmt: skip
GPU1 = replace(GPU0, device_id="GPU-1", name="H100", utilization_mean_percent=20.0)
CPU = replace(GPU0, device_kind=PACKAGE, device_id="p0", name="p0", idle_seconds=None,
              energy=Energy(300.0, ATTRIBUTED, 200.0, 400.0), power_mean_watts=30.0,
              idle_energy_joules=None, utilization_mean_percent=None)  # fmt: skip
RAM = replace(CPU, device_kind=DRAM, device_id="d0", energy=Energy(40.0, MEASURED, 30.0, 50.0),
              power_mean_watts=4.0)  # fmt: skip
METER = replace(CPU, device_kind=NODE, device_id="node", energy=Energy(9000.0, MEASURED, 1.0, 2.0))
GUESS = replace(CPU, device_kind=CPU_ESTIMATE, device_id="cpus",
                energy=Energy(70.0, ESTIMATED, 35.0, 105.0))  # fmt: skip
BLANK = replace(GPU0, device_id="GPU-2", energy=Energy(None, "unavailable"), power_mean_watts=None,
                utilization_mean_percent=None, covered_seconds=0.0)  # fmt: skip


def account(*devices: DeviceEnergy, **changes: Any) -> Account:
    known = Account("7", "0", 0, "alpha", 1e9, 10.0, False, 0.9, (USE,), devices, steps=("0",))
    return replace(known, **changes)


def test_every_part_has_its_own_sum() -> None:
    row = row_of(account(GPU0, GPU1, CPU, RAM, METER, GUESS), {"2001-09-09": 2340.0}, 1e9 + 11)
    assert row.metered_joules == 2340.0 and row.metered_kind == ATTRIBUTED
    assert (row.metered_low_joules, row.metered_high_joules) == (2030.0, 2650.0)
    assert (row.gpu_joules, row.cpu_joules, row.dram_joules) == (2000.0, 300.0, 40.0)
    assert row.estimated_joules == 70.0
    assert (row.gpu_idle_joules, row.gpu_idle_seconds) == (100.0, 2.0)
    assert row.power_mean_watts == pytest.approx(234.0) and row.utilization_mean_percent == 50.0
    assert row.joules_by_model() == {"A100": 1000.0, "H100": 1000.0}
    assert row.joules_by_day() == {"2001-09-09": 2340.0}
    assert (row.coverage, row.steps, row.gpus, row.nodes) == (0.9, 1, 2, 1)


def test_unknown_is_not_zero() -> None:
    row = row_of(account(BLANK), {}, 0.0)
    assert (row.metered_joules, row.gpu_joules, row.power_mean_watts) == (None, None, None)
    assert (row.days, row.metered_kind, row.cpu_joules) == ("", "", None)
    assert row.gpu_models == '{"A100": null}' and row.joules_by_model() == {}
    row = row_of(account(GUESS), {}, 0.0)
    assert (row.metered_joules, row.cpu_joules, row.estimated_joules) == (None, None, 70.0)
    assert row.gpu_models == "" and row.gpus == 0


def test_a_step_of_a_tenth_of_the_job_has_a_tenth_of_its_power() -> None:
    row = row_of(account(replace(GPU0, held_seconds=10.0), duration_seconds=100.0), {}, 0.0)
    assert row.power_mean_watts == pytest.approx(10.0)


def test_what_the_journals_know_of_the_job() -> None:
    details = {
        "SLURM_JOB_NAME": "train", "SLURM_JOB_ACCOUNT": "nlp", "SLURM_JOB_PARTITION": "gpu",
        "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "2", "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_START_TIME": "999999000", "command": "/usr/bin/python train.py",
    }  # fmt: skip
    row = row_of(account(GPU0, details=tuple(details.items()), restart=1), {}, 0.0)
    assert (row.name, row.account, row.partition) == ("train", "nlp", "gpu")
    assert row.shown_id == "5_2" and row.node_list == "n[1-2]" and row.restarts == 1
    assert row.start_wall_seconds == 999_999_000 and row.end_wall_seconds == 1e9 + 10
    assert row.source == "journal" and row.state == ""
    bare = row_of(account(GPU0, details=(("command", "/usr/bin/python train.py"),)), {}, 0.0)
    assert bare.name == "python" and bare.node_list == "n1" and bare.start_wall_seconds == 1e9


@pytest.mark.parametrize(
    ("job", "running", "code", "state"),
    [
        ("7", False, 0, ""),  # a step's code is not the job's
        ("7", True, None, "RUNNING"),
        ("local-1", False, 0, "COMPLETED"),
        ("local-1", False, 3, "FAILED"),
        ("local-1", False, 137, "FAILED"),
        ("local-1", False, None, ""),
        ("local-1", True, None, "RUNNING"),
    ],
)
def test_states_without_slurm(job: str, running: bool, code: int | None, state: str) -> None:
    row = row_of(account(GPU0, job=job, running=running, exit_code=code), {}, 0.0)
    assert row.state == state
    assert (row.end_wall_seconds is None) == running


@pytest.mark.parametrize("text", ["", "soon", "1,2", "9" * 400, "9" * 9000, "9" * 15, "-5"])
def test_an_odd_start_time_is_no_start_time(text: str) -> None:
    row = row_of(account(GPU0, details=(("SLURM_JOB_START_TIME", text),)), {}, 0.0)
    assert row.start_wall_seconds == 1e9


TOLD = SlurmJob("7", "alpha", name="told", state="COMPLETED", exit_code=0, cpus=8, source="sacct",
                start_wall_seconds=1e9, end_wall_seconds=1e9 + 20)  # fmt: skip


def test_slurm_has_the_last_word_on_its_half_alone() -> None:
    before = row_of(account(GPU0), {"2001-09-09": 1000.0}, 5.0)
    row = with_slurm(before, TOLD)
    assert (row.name, row.state, row.cpus, row.source) == ("told", "COMPLETED", 8, "sacct")
    assert row.end_wall_seconds == 1e9 + 20
    assert (row.metered_joules, row.days, row.node_list) == (1000.0, before.days, "n1")
    fresh = row_of(account(GPU0, GPU1), {}, 9.0)
    again = with_measured(row, fresh)
    assert (again.name, again.state, again.metered_joules) == ("told", "COMPLETED", 2000.0)
    assert again.seen_wall_seconds == 9.0
    assert with_measured(None, fresh) == with_measured(before, fresh) == fresh


def test_what_a_job_waited_for_is_past_once_it_runs() -> None:
    waits = with_slurm(JobRow("7"), SlurmJob("7", state="PENDING", reason="Resources"))
    assert waits.reason == "Resources"
    runs = with_slurm(waits, SlurmJob("7", state="RUNNING"))
    assert (runs.state, runs.reason) == ("RUNNING", "")


def test_a_new_account_leaves_slurms_half() -> None:
    row = with_slurm(JobRow("7", "alpha"), TOLD)
    found = with_account(row, account(GPU0), {}, 5.0)
    assert (found.name, found.cpus, found.metered_joules) == ("told", 8, 1000.0)


@pytest.mark.parametrize(
    ("index", "kept", "state"),
    [
        # A later line of the same job is a later life.
        ({"state": "FAILED", "start_wall_seconds": 1.0}, {"start_wall_seconds": 2.0}, "COMPLETED"),
        # The index knows a life that began after the line was written.
        ({"state": "RUNNING", "start_wall_seconds": 3.0}, {"start_wall_seconds": 2.0}, "RUNNING"),
        # The same life: an index that was told of its end, or one that slept over it.
        ({"state": "OUT_OF_MEMORY", "start_wall_seconds": 2.0}, {"start_wall_seconds": 2.0},
         "OUT_OF_MEMORY"),
        ({"state": "RUNNING", "start_wall_seconds": 2.0}, {"start_wall_seconds": 2.0}, "COMPLETED"),
        ({"state": "RUNNING", "source": "journal"}, {"start_wall_seconds": 2.0}, "COMPLETED"),
        ({"state": "TIMEOUT", "start_wall_seconds": 2.0}, {"source": "journal", "state": ""},
         "TIMEOUT"),
    ],
)  # fmt: skip
def test_a_kept_line_over_the_index(
    index: dict[str, Any], kept: dict[str, Any], state: str
) -> None:
    old = JobRow("7", source="sacct", metered_joules=1.0)._replace(**index)
    line = JobRow("7", source="sacct", state="COMPLETED", metered_joules=9.0)._replace(**kept)
    found = with_kept(old, line)
    assert (found.state, found.metered_joules) == (state, 9.0)
    assert with_kept(None, line) == line
