"""A scripted month of real jobs: the right outcome and energy of each, with and without accounting.

Slurm, slurmdbd, srun-green, the sampler and the history are real; the GPUs have known watts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lab import Lab
from tests.cluster.month import NO_RESULT, OUTCOMES, Month, live

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def month(lab: Lab, public_directory: Path) -> Iterator[Month]:
    scratch = public_directory / "month.files"
    scratch.mkdir()
    scratch.chmod(0o777)
    yield live(lab, public_directory / "month", scratch)


@pytest.fixture(scope="module")
def no_accounting(lab: Lab, public_directory: Path) -> dict[str, str]:
    """The client's side of a cluster that keeps no accounting."""
    lines = Path(lab.cluster.env["SLURM_CONF"]).read_text().splitlines()
    kept = [line for line in lines if not line.startswith("AccountingStorage")]
    file = public_directory / "none.conf"
    file.write_text("\n".join([*kept, "AccountingStorageType=accounting_storage/none", ""]))
    return {"SLURM_CONF": str(file), "JOBWATT_INDEX_DIR": str(public_directory / "none.index")}


@pytest.fixture(scope="module")
def accounting(month: Month, public_directory: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The jobs with accounting; their ends may reach slurmdbd some seconds late."""
    deadline = time.monotonic() + 60
    number = 0
    while True:
        env = {"JOBWATT_INDEX_DIR": str(public_directory / f"dbd{number}.index")}
        found = month.jobs(env=env)
        told = [job["source"] for job in _all(found)]
        if len(told) == 11 and set(told) == {"sacct"}:
            return env, found
        assert time.monotonic() < deadline, told
        number += 1
        time.sleep(1)


def _all(found: dict[str, Any]) -> list[Any]:
    return [job for name in found for job in (found[name] if name == "sweep" else [found[name]])]


def check(month: Month, found: dict[str, Any]) -> None:
    """Outcome and energy of each job."""
    assert found.keys() == OUTCOMES.keys()
    assert len(found["sweep"]) == 3
    for name, outcome in OUTCOMES.items():
        for job in found["sweep"] if name == "sweep" else [found[name]]:
            assert job["outcome"] == outcome, name
            if name == "unmeasured":
                assert (job["origin"], job["metered_joules"]) == (None, None)
                continue
            assert job["origin"] == "measured"
            true = month.gpu_joules(job["job"])
            assert job["gpu_joules"] == pytest.approx(true, rel=0.005), name
            assert job["metered_joules"] > job["gpu_joules"]  # and the CPU's share
            assert sum(job["days"].values()) == pytest.approx(job["metered_joules"], rel=1e-4)
    assert found["fails"]["exit_code"] == 3
    assert found["two nodes"]["nodes"] == 2
    assert found["two nodes"]["gpus"] == 4
    assert found["two steps"]["steps"] == 2
    assert {job["array_task"] for job in found["sweep"]} == {"1", "2", "3"}


def test_with_accounting(month: Month, accounting: tuple[dict[str, str], dict[str, Any]]) -> None:
    check(month, accounting[1])


def test_without_accounting(month: Month, no_accounting: dict[str, str]) -> None:
    """The controller knows ended jobs for some minutes; what follows is said in a line."""
    check(month, month.jobs(env=no_accounting))
    said = month.lab.start(
        month.lab.installed.jobwatt, "jobs", journal=month.directory, env=no_accounting
    ).finish()
    assert re.search(r"^jobwatt: no accounting .*: the outcome of jobs", said.stderr, re.M)


def test_without_slurm(month: Month, public_directory: Path) -> None:
    """Only the journals: the energies are the same, outcomes unknown, and that is said.

    A step that was killed may just as well go on until its journal has been quiet for a while.
    """
    env = {"JOBWATT_SLURM_API": "none", "JOBWATT_INDEX_DIR": str(public_directory / "no.index")}
    found = month.jobs(env=env)
    assert {job["outcome"] for job in _all(found)} <= {"unknown", "running"}
    assert found["completes"]["outcome"] == found["fails"]["outcome"] == "unknown"
    assert "unmeasured" not in found
    for name in NO_RESULT:
        true = month.gpu_joules(month.ids[name])
        assert found[name]["gpu_joules"] == pytest.approx(true, rel=0.005)
    said = month.lab.start(
        month.lab.installed.jobwatt, "jobs", journal=month.directory, env=env
    ).finish()
    assert "as far as the journals know: Slurm was not asked" in said.stdout.decode()


def test_month(month: Month, accounting: tuple[dict[str, str], dict[str, Any]]) -> None:
    """The sums over the month are those of its jobs."""
    env, found = accounting
    document = month.ask("month", "--json", env=env)
    by_outcome: dict[str, float] = {}
    for job in _all(found):
        if job["metered_joules"] is not None:
            outcome = job["outcome"]
            by_outcome[outcome] = by_outcome.get(outcome, 0.0) + job["metered_joules"]
    assert document["schema"] == 1
    lost = sum(found[name]["metered_joules"] for name in NO_RESULT)
    shown = {one["label"]: one["metered_joules"] for one in document["by_outcome"]["largest"]}
    assert shown.keys() >= by_outcome.keys()
    for outcome, joules in by_outcome.items():
        assert shown[outcome] == pytest.approx(joules, rel=1e-3), outcome
    assert document["totals"]["no_result_joules"] == pytest.approx(lost, rel=1e-3)


def test_list_and_array(month: Month, accounting: tuple[dict[str, str], dict[str, Any]]) -> None:
    """The array is one line of three tasks, and opens."""
    env, _ = accounting

    def screen(*arguments: str) -> list[str]:
        return month.lab.start(
            month.lab.installed.jobwatt, "jobs", *arguments, journal=month.directory,
            env={**env, "NO_COLOR": "1"},
        ).finish().lines  # fmt: skip

    array = month.ids["sweep"]
    [line] = [line for line in screen("--name", "sweep") if line.startswith(array)]
    assert line.startswith(f"{array}_[3 tasks]  sweep  completed")
    opened = [line.split()[0] for line in screen(array) if line.startswith(f"{array}_")]
    assert sorted(opened) == [f"{array}_{task}" for task in (1, 2, 3)]
    failed = [line.split()[0] for line in screen("--state", "F,OOM,TO") if line[:1].isdigit()]
    assert {month.ids[name] for name in NO_RESULT} <= set(failed)


def test_show_of_a_task(month: Month, accounting: tuple[dict[str, str], dict[str, Any]]) -> None:
    env, found = accounting
    shown = month.ask("show", f"{month.ids['sweep']}_2", "--json", env=env)
    [task] = [job for job in found["sweep"] if job["array_task"] == "2"]
    assert shown["job"] == task["job"]
    assert shown["slurm"]["state"] == "COMPLETED"


def test_compacted(month: Month, accounting: tuple[dict[str, str], dict[str, Any]]) -> None:
    """After compaction the same figures come from less room."""
    env, found = accounting
    old = {**env, "JOBWATT_FULL_DAYS": "1"}
    finished = month.lab.start(
        month.lab.installed.jobwatt, "history", "compact", journal=month.directory, env=old
    ).finish()
    assert finished.code == 0, finished.stderr
    fresh = {"JOBWATT_INDEX_DIR": f"{env['JOBWATT_INDEX_DIR']}.fresh"}
    again = month.jobs(env=fresh)
    for name, job in found.items():
        if name != "sweep":
            assert again[name]["metered_joules"] == job["metered_joules"]
            assert again[name]["outcome"] == job["outcome"]
