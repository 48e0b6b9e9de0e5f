"""`jobwatt export`, end to end: what it writes is what the history holds, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from jobwatt.views.tables import JOBS, SERIES
from tests.commands.home import JOB, Home
from tests.truth import REPOSITORY

DATA = Path(__file__).parents[1] / "history/data"
IMPORTED = "codecarbon-eba05314e1cc"
parquet: Any = import_module("pyarrow.parquet")


pytestmark = pytest.mark.usefixtures("no_stand_in")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.journal("7", details={"SLURM_JOB_NAME": "=train\x1b[31m"})
    home.journal("8", seconds=20)
    return home


def test_jobs_are_the_rows_of_the_history(home: Home) -> None:
    home.run("import", str(DATA / "codecarbon_3.3.2_gpus.csv"))
    jobs = {job["job"]: job for job in home.exported()}
    assert {"7", "8", IMPORTED} <= set(jobs)
    for row in home.history().rows(0.0, 1e15):
        told = jobs[row.job]
        for name, value in row._asdict().items():
            if name in ("days", "gpu_models"):
                assert told[name] == (json.loads(value) if value else None)
            else:
                assert told[name] == (None if value == "" else value), name
    assert jobs["7"]["gpu_joules"] == 3000.0
    assert jobs["7"]["days"] == {"2023-11-14": jobs["7"]["metered_joules"]}
    assert list(jobs["7"]) == [column.name for column in JOBS.columns]


def test_all_formats_say_the_same(home: Home) -> None:
    told = home.exported()
    for name in ("jobs.jsonl", "jobs.csv", "jobs.parquet"):
        run = home.run("export", "-o", str(home.folder / name))
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    lines = (home.folder / "jobs.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == told
    with (home.folder / "jobs.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    table = parquet.read_table(home.folder / "jobs.parquet").to_pylist()
    for job, row, found in zip(told, cells, table, strict=True):
        assert float(row["metered_joules"]) == found["metered_joules"] == job["metered_joules"]
        assert row["start_utc"] == job["start_utc"]
        assert found["start_utc"].timestamp() == pytest.approx(job["start_wall_seconds"], abs=1e-3)
        assert json.loads(row["days"]) == json.loads(found["days"]) == job["days"]
        assert row["state"] == "" and found["state"] is None and job["state"] is None
    name = {job["job"]: job["name"] for job in told}["7"]
    assert name == "=train\x1b[31m"
    assert {row["job"]: row["name"] for row in cells}["7"] == "'=train"


def test_the_ending_decides_unless_the_format_is_said(home: Home) -> None:
    for name in ("jobs", "jobs.JSON", "jobs.ndjson", "jobs.dat --format jsonl", "jobs.csv"):
        file, *form = name.split()
        path = home.folder / file
        assert home.run("export", "-o", str(path), *form).returncode == 0
        assert path.read_bytes().startswith(b"{") == (file != "jobs.csv"), name
    run = home.run("export", "-o", "-")
    assert run.stdout == (home.folder / "jobs").read_text() and run.stderr == ""


def test_devices_are_those_of_the_account(home: Home) -> None:
    devices = home.exported("devices", "--job", "7")
    account = home.history().account("7")
    assert len(devices) == len(account.devices) == 2
    for told, device in zip(devices, account.devices, strict=True):
        assert (told["node"], told["device_id"]) == (device.node, device.device_id)
        assert told["energy_joules"] == device.energy.joules
        assert told["energy_low_joules"] == device.energy.low_joules
        assert (told["energy_kind"], told["rule"] or "") == (device.energy.kind, device.rule)
        assert told["held_seconds"] == device.held_seconds
    assert {d["job"] for d in home.exported("devices")} >= {"7", "8"}


def test_a_series_is_in_the_journal(home: Home) -> None:
    home.journal("7", seconds=5, step="1", node="n2")
    records = home.exported("series", "--job", "7")
    assert list(records[0]) == [column.name for column in SERIES.columns]
    joules = {
        (step, kind): sum(
            record["device_energy_joules"]
            for record in records
            if (record["step"], record["device_kind"]) == (step, kind)
        )
        for step in ("0", "1")
        for kind in ("gpu", "package")
    }
    assert joules == {
        ("0", "gpu"): 3000.0, ("0", "package"): 1000.0,
        ("1", "gpu"): 1500.0, ("1", "package"): 500.0,
    }  # fmt: skip
    assert {record["node"] for record in home.exported("series", "--job", "7.1")} == {"n2"}


def test_a_series_from_a_compressed_journal(home: Home) -> None:
    before = home.exported("series", "--job", "8")
    (path,) = (home.folder / "state/journal").glob("*/8/*.jsonl")
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert home.exported("series", "--job", "8") == before != []


def test_a_series_whose_journals_are_gone(home: Home) -> None:
    home.run("import", str(DATA / "codecarbon_3.3.2_gpus.csv"))
    assert home.exported("jobs", "--job", "7")
    shutil.rmtree(home.folder / "state/journal/2023-11/7")
    for job, reason in (("7", "are gone"), (IMPORTED, "only figures were imported")):
        run = home.run("export", "series", "--job", job, "-o", str(home.folder / "out.csv"))
        assert run.returncode == 3 and reason in run.stderr
        assert run.stderr.count("\n") == 1
        assert not (home.folder / "out.csv").exists()


def test_a_time_and_a_job(home: Home) -> None:
    assert not [job for job in home.exported("--since", "2024-01-01") if job["job"] in "78"]
    within = home.exported("--since", "2023-11-01", "--until", "2023-12-01")
    assert {"7", "8"} <= {job["job"] for job in within}
    assert [job["job"] for job in home.exported("--job", "8")] == ["8"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["joules"], 2, "there are: jobs, devices, series"),
        (["series"], 2, "--job JOB"),
        (["--format", "xml"], 2, "there are: jsonl, csv, parquet"),
        (["-o", "jobs.xlsx"], 2, "by the ending .xlsx; say which one it shall be: --format jsonl"),
        (["--since", "soon"], 2, "--since 'soon' is no time"),
        (["--job", "99"], 3, "no job '99' is known"),
        (["--job", "7", "--cluster", "other"], 3, "no job '7' on other is known"),
        (["-o", "."], 2, "is a directory"),
        (["-o", "nowhere/jobs.csv"], 1, "nowhere/jobs.csv cannot be written: No such file"),
    ],
)
def test_what_cannot_be_met(home: Home, arguments: list[str], code: int, said: str) -> None:
    run = home.run("export", *arguments)
    assert (run.returncode, run.stdout) == (code, "")
    assert said in run.stderr and run.stderr.count("\n") == 1


def test_without_pyarrow(home: Home) -> None:
    """One line that says how to get it; the other formats do not miss it."""
    code = "import sys; sys.modules['pyarrow'] = None; from jobwatt.cli import main; main()"
    for name, status in (("jobs.parquet", 2), ("jobs.csv", 0)):
        path = home.folder / name
        run = subprocess.run(
            [sys.executable, "-c", code, "export", "-o", str(path)],
            env=home.environ, cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (run.returncode, path.exists()) == (status, not status)
        assert run.stderr.count("\n") == bool(status)
        assert "pip install 'jobwatt[parquet]'" in run.stderr or not status


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_full_disk_is_one_line(home: Home, form: str) -> None:
    with Path("/dev/full").open("wb") as full:
        run = home.run("export", "--format", form, stdout=full)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in run.stderr
    run = home.run("export", "--format", form, "-o", "/dev/full")
    assert run.returncode == 1
    assert run.stderr == "jobwatt: /dev/full cannot be written: No space left on device\n"


def test_a_closed_pipe_is_no_error(home: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        run = home.run("export", stdout=pipe)
    assert (run.returncode, run.stderr) == (0, "")


def test_parquet_through_a_pipe_but_on_no_terminal(home: Home) -> None:
    piped = subprocess.run(
        [*JOB, "export", "--format", "parquet"],
        env=home.environ, cwd=REPOSITORY, capture_output=True, check=True,
    )  # fmt: skip
    assert parquet.read_table(io.BytesIO(piped.stdout)).num_rows >= 2
    master, slave = os.openpty()
    run = home.run("export", "--format", "parquet", stdout=slave)
    os.close(slave)
    os.close(master)
    assert (run.returncode, "Parquet is not for a terminal" in run.stderr) == (2, True)
