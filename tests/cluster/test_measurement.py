"""What the journals hold, and what is made of them: every GPU once, every second, known watts."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import ORDINARY_USER
from tests.cluster.journals import Journal, read_journals
from tests.cluster.lab import Lab, same
from tests.conftest import IDLE_GPU

pytestmark = pytest.mark.cluster

TICK_SECONDS = 0.5
"""Of the first seconds of a step."""
LATE_SECONDS = 0.45
"""A sampler on a busy machine; the granularity of what is compared."""
START_SECONDS = 1.6
"""The prolog, 0.2 s of waiting, Python and the drivers, on two busy cores."""
NOTES_UPTIME = 'read -r up _ </proc/uptime; echo "$up" >>"$MARKS"; '


def account(lab: Lab, journal: Path, step: str, **options: Any) -> dict[str, Any]:
    """`jobwatt show --json`."""
    shown = lab.start(lab.installed.jobwatt, "show", "--json", step, journal=journal, **options)
    finished = shown.finish()
    assert finished.code == 0, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def gpu_numbers(journals: tuple[Journal, ...]) -> list[int]:
    """Numbers of the fake GPUs of all journals: n1's are 0 to 3, n2's 4 to 7."""
    uuids = [uuid for found in journals for uuid in found.gpu_energies_joules]
    return sorted(int(uuid[4:12], 16) for uuid in uuids)


def check_summary(lines: list[str]) -> None:
    """At most 8 lines of 80 columns."""
    assert 3 <= len(lines) <= 8
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.startswith("jobwatt ") for line in lines) == 1
    assert sum(line.startswith("  total ") for line in lines) == 1


def test_whole_nodes_one_gpu_per_task(lab: Lab, journal: Path, scratch: Path) -> None:
    """Eight tasks, eight journals, every GPU in exactly one; all but the last tick is there."""
    marks = scratch / "marks"
    script = f"{NOTES_UPTIME} sleep 6; {NOTES_UPTIME} echo $SLURM_PROCID"
    step = lab.green(
        "-N2", "-n8", "--ntasks-per-node=4", "--gpus-per-task=1", "bash", "-c", script,
        journal=journal, env={"MARKS": str(marks)},
    )  # fmt: skip
    plain = lab.start(
        "srun", "-N2", "-n8", "--ntasks-per-node=4", "--gpus-per-task=1", "bash", "-c",
        "echo $SLURM_PROCID", journal=journal,
    ).finish()  # fmt: skip
    assert step.code == plain.code == 0
    assert sorted(step.lines) == sorted(plain.lines) == list("01234567")
    assert len(step.journals) == 8
    assert gpu_numbers(step.journals) == list(range(8))
    times = sorted(float(line) for line in marks.read_text().split())
    last_start, first_end = times[7], times[8]
    for found in step.journals:
        assert len(found.gpu_energies_joules) == 1
        lab.check_energy(found)
        assert found.start_seconds - last_start < START_SECONDS
        assert first_end - found.end_seconds < TICK_SECONDS + LATE_SECONDS
        assert found.covered_seconds == pytest.approx(
            found.end_seconds - found.start_seconds, abs=0.02
        )
    # The node's other meters belong to its first task alone.
    meters = [device["kind"] for found in step.journals for device in found.head["devices"]]
    assert sorted(meters) == ["gpu"] * 8 + ["package"] * 2
    check_summary(step.summary)
    assert re.match(r"jobwatt \d+\.0 on jobwatt: 2 nodes, 8 GPUs, ", step.summary[0])
    assert step.summary[1].startswith("  GPU ")
    joules = sum(sum(found.gpu_energies_joules.values()) for found in step.journals)
    shown = account(lab, journal, step.summary[-1].split()[-1])
    gpus = [device for device in shown["devices"] if device["device_kind"] == "gpu"]
    assert sum(device["energy"]["joules"] for device in gpus) == pytest.approx(joules, rel=1e-4)
    assert all(device["energy"]["kind"] == "measured" for device in gpus)


def test_one_task_per_node_with_several_gpus(lab: Lab, journal: Path) -> None:
    """An allocated GPU is measured whether it is used or not, and the idle one is named."""
    arguments = ("-N2", "--ntasks-per-node=1", "--gpus=8", "bash", "-c")
    script = "echo $CUDA_VISIBLE_DEVICES $SLURM_STEP_GPUS; exit 5"
    plain = lab.start("srun", *arguments, script, journal=journal).finish()
    step = lab.green(*arguments, f"sleep 12.5; {script}", journal=journal)
    same(plain, step)
    assert step.lines == ["0,1,2,3 0,1,2,3"] * 2
    assert step.code == 5
    assert len(step.journals) == 2
    assert [gpu_numbers((found,)) for found in step.journals] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    for found in step.journals:
        lab.check_energy(found)
        assert found.covered_seconds > 10.0
        [package] = [d for d in found.head["devices"] if d["kind"] == "package"]
        joules = found.other_energy_joules(0)
        true = lab.tree.energy_joules("intel-rapl:0", found.start_seconds, found.end_seconds)
        assert package["source"] == "powercap"
        assert joules == pytest.approx(true, rel=0.005)
    check_summary(step.summary)
    [idle] = [line for line in step.summary if line.startswith("  idle ")]
    assert idle.startswith(f"  idle    GPU {IDLE_GPU - 4} of n2: ")


def test_allocated_gpus_without_a_driver(lab: Lab, journal: Path, scratch: Path) -> None:
    """They are unavailable, not gone: all of a node's, though a task is told of its own alone."""
    no_driver = {"JOBWATT_NVML_LIBRARY": str(scratch / "no.so"), "LD_LIBRARY_PATH": ""}
    step = lab.green(
        "-N2", "-n4", "--ntasks-per-node=2", "--gpus-per-task=1", "sleep", "1.5",
        journal=journal, env=no_driver,
    )  # fmt: skip
    assert [found.head["gpus_allocated"] for found in step.journals] == [2, 2]
    check_summary(step.summary)
    assert re.match(r"jobwatt \d+\.0 on jobwatt: 2 nodes, 4 GPUs, ", step.summary[0])
    assert step.summary[1] == "  GPU     unavailable: 4 allocated, no driver answers"
    shown = account(lab, journal, step.summary[-1].split()[-1])
    gpus = [device for device in shown["devices"] if device["device_kind"] == "gpu"]
    assert [device["energy"]["kind"] for device in gpus] == ["unavailable"] * 4
    assert {device["energy"]["joules"] for device in gpus} == {None}
    assert shown["coverage"] > 0.5


def test_a_step_without_gpus_in_a_job_with_some(lab: Lab, journal: Path, scratch: Path) -> None:
    """It has the batch script's SLURM_JOB_GPUS in its environment, and is not short of a GPU."""
    script = f"{lab.installed.srun_green} -n1 --gres=none sleep 1.5"
    _, code = lab.batch(script, "-w", "n1", "--gres=gpu:2", journal=journal, scratch=scratch)
    assert code == 0
    [found] = read_journals(journal)
    assert found.head["gpus_allocated"] is None
    assert "GPU" not in (scratch / "err").read_text()


def test_nothing_of_the_environment_exported(lab: Lab, user_journal: Path) -> None:
    """`--export=NONE` takes JOBWATT_DIR from the job; the journal is in the submitter's place."""
    script = "PATH=/usr/bin:/bin; sleep 1.5; env | grep -c JOBWATT; echo $SLURM_TASK_PROLOG ."
    step = lab.both(
        "-w", "n1", "--export=NONE", "/bin/bash", "-c", script,
        journal=user_journal, user=ORDINARY_USER,
    )  # fmt: skip
    assert step.lines == ["0", "."]
    assert step.journal.head["devices"]
    assert step.journal.path.owner() == ORDINARY_USER
    assert any(line.startswith("  total ") for line in step.summary)


def test_two_steps_at_once_share_a_gpu(lab: Lab, journal: Path, scratch: Path) -> None:
    """The job's total counts a GPU once, though both steps' journals hold it."""
    green = lab.installed.srun_green
    script = (
        f"{green} -n1 --overlap bash -c 'sleep 5; echo one' &\n"
        f"{green} -n1 --overlap bash -c 'sleep 3; echo two' &\n"
        "wait"
    )
    job, code = lab.batch(
        script, "-w", "n1", "-n2", "--gres=gpu:1", journal=journal, scratch=scratch
    )
    assert code == 0
    assert sorted((scratch / "out").read_text().splitlines()) == ["one", "two"]
    found = read_journals(journal)
    assert len(found) == 2
    [number] = set(gpu_numbers(found))
    start = min(each.start_seconds for each in found)
    end = max(each.end_seconds for each in found)
    shown = account(lab, journal, job)
    [gpu] = [device for device in shown["devices"] if device["device_kind"] == "gpu"]
    true = (end - start) * (200.0 + 50.0 * number)
    assert gpu["energy"]["joules"] == pytest.approx(true, rel=0.01)


def test_run_inside_a_batch_script(lab: Lab, journal: Path, scratch: Path) -> None:
    script = f"{lab.installed.jobwatt} run -- bash -c 'sleep 2; echo $SLURM_JOB_ID; exit 6'"
    job, code = lab.batch(script, "-w", "n2", "--gres=gpu:1", journal=journal, scratch=scratch)
    assert code == 6
    assert (scratch / "out").read_text() == f"{job}\n"
    [found] = read_journals(journal)
    assert found.head["job"] == job
    assert found.head["step"].startswith("run-")
    assert len(found.gpu_energies_joules) == 1
    assert 1.9 < found.covered_seconds < 2.6
    lab.check_energy(found)
    check_summary((scratch / "err").read_text().splitlines())


def test_journal_is_there_while_the_step_runs(lab: Lab, journal: Path) -> None:
    """A reader sees a running step, never more than a tick and a half behind."""
    running = lab.start(
        lab.installed.srun_green, "-w", "n1", "--gres=gpu:1", "bash", "-c", "echo go; sleep 5",
        journal=journal,
    )  # fmt: skip
    assert running.first_line() == "go"
    time.sleep(3.5)
    [found] = read_journals(journal)
    assert time.monotonic() - found.end_seconds < TICK_SECONDS + LATE_SECONDS + 0.2
    shown = account(lab, journal, f"{found.head['job']}.0")
    assert shown["running"]
    assert running.finish().code == 0
