"""`jobwatt show` as a program: on terminals of all kinds, for programs, and with little to tell."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobwatt.config import load
from jobwatt.history.history import open_local_index
from jobwatt.history.rows import JobRow
from tests.commands.machine import Machine, on_terminal
from tests.views.made_jobs import HOSTILE, TRAIN, write_job

SGR = re.compile(r"\x1b\[([0-9;]*)m")
BRAILLE = re.compile("[\u2801-\u28ff]")
DAY_SECONDS = 86400


@pytest.fixture
def history(machine: Machine) -> Machine:
    """A machine with a job of ten minutes; Slurm is not asked."""
    index = machine.folder / "index"
    index.mkdir(mode=0o700)
    machine.variables |= {
        "JOBWATT_DIR": str(machine.folder / "data"),
        "JOBWATT_INDEX_DIR": str(index),
        "JOBWATT_SLURM_API": "none",
        "TZ": "UTC",
    }
    write_job(machine.folder / "data", hours=1 / 6)
    return machine


def said(machine: Machine, *arguments: str, **variables: str) -> str:
    result = machine.run("show", *arguments, environ=variables)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def document(machine: Machine, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(machine, *arguments, "--json"))
    return found


def know(machine: Machine, *rows: JobRow) -> None:
    """Put into the index what Slurm would have said."""
    index, problems = open_local_index(load(machine.variables))
    assert problems == []
    with index.writing():
        index.put([(row, None, 0.0) for row in rows])
    index.close()


@pytest.mark.parametrize("columns", [80, 200])
def test_it_fits_the_terminal(history: Machine, columns: int) -> None:
    text = SGR.sub("", on_terminal(history, columns, "show", "2001"))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= columns
    assert BRAILLE.search(text)
    assert "Power of all 8 GPUs, measured" in text
    assert ("power over time" in text) == (columns == 200)


@pytest.mark.parametrize(
    ("variables", "arguments", "coloured", "plain"),
    [
        ({}, (), True, False),
        ({"NO_COLOR": "1"}, (), False, False),
        ({"TERM": "linux"}, (), True, False),
        ({}, ("--ascii",), True, True),
        ({"TERM": "dumb"}, (), False, True),
        ({"LC_ALL": "C"}, (), True, True),
        ({"LC_ALL": "POSIX"}, (), True, True),
        ({"LANG": ""}, (), True, True),
        ({"PYTHONIOENCODING": "latin-1"}, (), True, True),
    ],
)
def test_terminals_of_all_kinds(
    history: Machine, variables: dict[str, str], arguments: tuple[str, ...], coloured: bool,
    plain: bool,
) -> None:  # fmt: skip
    text = on_terminal(history, 80, "show", *arguments, "2001", **variables)
    codes = {code for found in SGR.findall(text) for code in found.split(";")}
    assert bool(codes - {"", "0", "1", "2"}) == coloured
    assert SGR.sub("", text).isascii() == plain
    assert ("\x1b" in text) == (variables.get("TERM") != "dumb")
    assert bool(BRAILLE.search(text)) == (not plain and variables.get("TERM") != "linux")
    assert "Use of the GPUs, mean" in SGR.sub("", text)


def test_a_pipe_has_no_colour(history: Machine) -> None:
    text = said(history, "2001")
    assert "\x1b" not in text
    assert BRAILLE.search(text)


def test_the_last_step_and_one_step(history: Machine) -> None:
    assert said(history) == said(history, "2001.0")
    assert said(history, "2001").split("\n")[1:] == said(history, "2001.0").split("\n")[1:]
    wrong = history.run("show", "2001.7")
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert wrong.stderr == "jobwatt: job 2001 has no measured step '7'; it has: 0\n"


def test_json(history: Machine) -> None:
    found = document(history, "2001")
    assert found["schema"] == 1
    assert found["slurm"] is None
    series = found["series"]
    watts, seconds = series["gpu_power_watts"], series["bin_seconds"]
    gpus = [device for device in found["devices"] if device["device_kind"] == "gpu"]
    joules = sum(device["energy"]["joules"] for device in gpus)
    assert sum(watts) * seconds == pytest.approx(joules, rel=1e-5)
    packages = [device for device in found["devices"] if device["device_kind"] == "package"]
    joules = sum(device["energy"]["joules"] for device in packages)
    assert sum(series["cpu_power_watts"]) * seconds == pytest.approx(joules, rel=1e-5)
    assert (series["gpu_power_kind"], series["cpu_power_kind"]) == ("measured", "attributed")
    assert len(series["gpus"]) == 8
    last = series["gpus"][-1]
    assert (last["node"], last["device_id"]) == ("n2", "GPU-00020003-5ac2-4c1e")
    assert set(last["utilization_percent"]) == {0.0}
    assert len(last["power_watts"]) == len(series["gpu_utilization_percent"]) == len(watts)


def test_what_slurm_knows(history: Machine) -> None:
    know(history, TRAIN._replace(cluster=""))
    text = said(history, "2001")
    assert "Job, by sacct" in text
    assert "TIMEOUT (TimeLimit), signal 15" in text
    assert said(history, "1998_3") == text
    slurm = document(history, "1998_3")["slurm"]
    assert slurm["state"] == "TIMEOUT"
    assert (slurm["outcome"], slurm["time_limit_seconds"]) == ("timed out", 7200)
    assert (slurm["cluster"], slurm["restarts"]) == (None, None)


def test_a_job_that_was_not_measured(history: Machine) -> None:
    running = JobRow("77", state="RUNNING", start_wall_seconds=time.time() - 60, source="squeue")
    know(history, TRAIN._replace(job="55", array_job=""), running)
    text = said(history, "55")
    assert text.startswith("jobwatt 55 on alpha: not measured\n")
    assert "srun-green" in text.splitlines()[-1]
    assert "attach" not in text
    assert "jobwatt attach 77" in said(history, "77")
    found = document(history, "55")
    assert (found["job"], found["devices"], found["series"]) == ("55", [], None)
    assert found["metered_energy"] is None
    assert found["slurm"]["node_list"] == "n[1-2]"
    step = history.run("show", "55.0")
    assert (step.returncode, step.stdout) == (3, "")


def test_a_job_that_nobody_knows(history: Machine) -> None:
    result = history.run("show", "4711")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("jobwatt: no measurement of job 4711 below ")
    assert result.stderr.count("\n") == 1
    result = history.run("show", "2001", "--cluster", "nope")
    assert (result.returncode, result.stderr.count("\n")) == (3, 1)
    assert result.stderr.startswith("jobwatt: no measurement of job 2001 on nope below ")


@pytest.fixture
def packed(history: Machine) -> Iterator[Path]:
    """The job's directory, two weeks old and compacted."""
    then = time.time() - 14 * DAY_SECONDS
    folder = history.folder / "data/journal/2026-01/2001"
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))
    before = document(history, "2001")
    result = history.run("history", "compact")
    assert result.returncode == 0, result.stderr
    assert {path.suffix for path in folder.iterdir() if "jsonl" in path.name} == {".gz"}
    after = document(history, "2001")
    assert after["series"] == before["series"]
    assert after["metered_energy"] == before["metered_energy"]
    yield folder


@pytest.mark.usefixtures("no_stand_in")
def test_kept_figures_when_the_journals_are_gone(history: Machine, packed: Path) -> None:
    before = document(history, "2001")
    shutil.rmtree(packed)
    text = said(history, "2001")
    assert "Nothing over time: the journals are gone, these are the figures that were kept." in text
    assert not BRAILLE.search(text)
    after = document(history, "2001")
    assert after["series"] is None
    assert after["metered_energy"] == before["metered_energy"]
    last = document(history)
    assert last["metered_energy"] == after["metered_energy"]


def test_hostile_names_on_a_terminal(history: Machine) -> None:
    names: dict[str, Any] = dict.fromkeys(
        ("name", "command", "state", "node_list", "user"), HOSTILE
    )
    know(history, TRAIN._replace(cluster="", **names))
    text = on_terminal(history, 80, "show", "2001")
    assert "\x1b" not in SGR.sub("", text)
    assert "\x1b[31m " not in text  # the name's own red, before its blank
    assert "\x9b" not in text and "\x07" not in text and "\u202e" not in text
    assert "[red]節電[/red]" in text
    assert SGR.sub("", on_terminal(history, 80, "show", "--ascii", "2001")).isascii()
