"""`jobwatt import`, end to end: files in, then what the other commands say of them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.commands.home import Home

DATA = Path(__file__).parents[1] / "history/data"
CODECARBON = DATA / "codecarbon_3.3.2_gpus.csv"
AIPOWERMETER = DATA / "aipowermeter_2023.json"
RUN = "codecarbon-eba05314e1cc"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, {"TZ": "UTC"})


def test_import_then_export_and_jobs(home: Home) -> None:
    run = home.run("import", str(CODECARBON), str(AIPOWERMETER))
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"{CODECARBON}: 1 run of CodeCarbon, 1 new, 1.31 Wh (imported, estimated)",
        f"{AIPOWERMETER}: 2 runs of AIPowerMeter, 2 new, 810 J (imported, estimated)",
    ]
    (job,) = home.exported("--job", RUN)
    assert job["origin"] == "imported: CodeCarbon 3.3.2"
    assert job["estimated_joules"] == pytest.approx(4710.06, abs=0.01)
    assert job["metered_joules"] is None and job["days"] is None
    assert job["end_utc"] == "2026-11-25T13:57:42.000Z"
    devices = home.exported("devices", "--job", RUN)
    assert {device["energy_kind"] for device in devices} == {"estimated"}
    assert sum(d["energy_joules"] for d in devices) == pytest.approx(job["estimated_joules"])
    listed = home.run("jobs", RUN, "--json")
    assert listed.returncode == 0
    assert [each["job"] for each in json.loads(listed.stdout)["jobs"]] == [RUN]


def test_the_same_file_again_adds_nothing(home: Home) -> None:
    for new in (2, 0):
        run = home.run("import", str(AIPOWERMETER))
        assert f"2 runs of AIPowerMeter, {new} new" in run.stdout
    imported = [job for job in home.exported() if str(job["origin"]).startswith("imported")]
    assert len(imported) == 2
    kept = list((home.folder / "state/history").glob("*.jsonl"))
    assert sum(len(path.read_text().splitlines()) for path in kept) == 2


def test_a_file_that_grew_updates_its_run(home: Home) -> None:
    lines = CODECARBON.read_bytes().splitlines(keepends=True)
    path = home.folder / "emissions.csv"
    energies = []
    for count, new in ((2, 1), (3, 0)):
        path.write_bytes(b"".join(lines[:count]))
        assert f"1 run of CodeCarbon, {new} new" in home.run("import", str(path)).stdout
        (job,) = home.exported("--job", RUN)
        energies.append(job["estimated_joules"])
    assert energies[1] > energies[0] > 0


def test_it_outlives_the_index(home: Home) -> None:
    home.run("import", str(CODECARBON))
    before = home.exported("--job", RUN)
    shutil.rmtree(home.folder / "index")
    assert home.exported("--job", RUN) == before
    assert home.exported("devices", "--job", RUN)


def test_a_dry_run_keeps_nothing(home: Home) -> None:
    for _ in range(2):
        run = home.run("import", "--dry-run", str(CODECARBON))
        assert run.stdout == (
            f"{CODECARBON}: 1 run of CodeCarbon, 1 new, 1.31 Wh (imported, estimated)"
            "; dry run, nothing kept\n"
        )
    assert not (home.folder / "state/history").exists()
    assert home.run("export", "--job", RUN).returncode == 3


def test_the_slurm_job_that_a_site_put_beside_it(home: Home) -> None:
    path = home.folder / "power_metrics.json"
    shutil.copy(AIPOWERMETER, path)
    told = {"jobid": "4242", "node_id": "n7", "job_name": "=train", "start_date": "2023-07-27"}
    path.with_name("meta_data.json").write_text(json.dumps(told))
    home.run("import", str(path))
    jobs = [job for job in home.exported() if job["name"] == "=train"]
    assert [job["node_list"] for job in jobs] == ["n7", "n7"]
    account = home.history().account(jobs[0]["job"])
    assert dict(account.details)["slurm_job"] == "4242"


def test_damaged_rows_are_said_once_and_the_rest_is_kept(home: Home) -> None:
    path = home.folder / "emissions.csv"
    path.write_bytes(CODECARBON.read_bytes() + b"2026-11-25T13:5\n\x1b[31m,,\n")
    run = home.run("import", str(path))
    assert (run.returncode, run.stderr) == (0, f"jobwatt: {path}: left out: 2 damaged rows\n")
    assert "1 new" in run.stdout
    path.write_bytes(CODECARBON.read_bytes() + b"2026-11-25T13:5\n")
    assert home.run("import", str(path)).stderr.endswith(": left out: 1 damaged row\n")


def test_one_bad_file_stops_no_other(home: Home) -> None:
    wrong = home.folder / "wrong\x1b[31m.txt"
    wrong.write_text("a,b\n1,2\n")
    run = home.run("import", str(wrong), str(CODECARBON))
    assert run.returncode == 4
    assert "1 run of CodeCarbon, 1 new" in run.stdout
    assert run.stderr.count("\n") == 1 and "\x1b" not in run.stderr
    assert "wrong.txt: of no tool that is known here; jobwatt import reads" in run.stderr


@pytest.mark.parametrize("kind", ["fifo", "directory", "missing", "circle", "device", "huge"])
def test_what_is_no_file_is_refused_at_once(home: Home, kind: str) -> None:
    path = home.folder / "emissions.csv"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(600 << 20)
    run = home.run("import", str(path))
    assert (run.returncode, run.stdout) == (4, "")
    assert run.stderr.startswith(f"jobwatt: {path}: ") and run.stderr.count("\n") == 1


def test_a_link_to_a_file_is_the_file(home: Home) -> None:
    path = home.folder / "link"
    path.symlink_to(CODECARBON)
    assert "1 new" in home.run("import", str(path)).stdout


def test_a_disk_that_refuses_is_one_line(home: Home) -> None:
    (home.folder / "state").mkdir()
    (home.folder / "state/history").write_text("in the way")
    run = home.run("import", str(CODECARBON))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("jobwatt: the figures cannot be kept: ")
    assert run.stderr.count("\n") == 1
