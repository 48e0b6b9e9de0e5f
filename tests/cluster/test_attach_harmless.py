"""`jobwatt attach` leaves the job alone: its next steps, its signals, its end. What it refuses."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from jobwatt.journal.store import account_of_job, steps_of
from tests.cluster.attached import Submit, attach, attached, measuring
from tests.cluster.cluster import ORDINARY_USER
from tests.cluster.journals import read_journals
from tests.cluster.lab import Lab

pytestmark = pytest.mark.cluster

EVERYTHING = """
wait_for_go
srun -N2 -n16 --gres=gpu:4 bash -c 'echo all'
srun -N2 -n16 --gpus-per-node=4 --exact bash -c 'echo exact'
srun --exact -N1 -n8 --gres=gpu:4 bash -c 'sleep 1; echo half' &
srun --exact -N1 -n8 --gres=gpu:4 bash -c 'sleep 1; echo half' &
wait
srun --mem=3200 -N2 -n2 bash -c 'echo memory'
"""
# A step of another job, whose variables would change ours.
FOREIGN = {
    "SLURM_JOB_ID": "1",
    "SLURM_NTASKS": "7",
    "SLURM_NNODES": "5",
    "SLURM_CPUS_PER_TASK": "3",
    "SLURM_GPUS_PER_TASK": "1",
    "SLURM_MEM_PER_CPU": "100000",
    "SLURM_DISTRIBUTION": "arbitrary",
    "SLURM_TASK_PROLOG": "/no/such/prolog",
    "SLURM_EXPORT_ENV": "NONE",
    "SLURM_HET_SIZE": "2",
    "SLURM_TIME_FORMAT": "relative",
    "SQUEUE_STATES": "PENDING",
    "SRUN_DEBUG": "5",
    "CUDA_VISIBLE_DEVICES": "3",
}


def test_the_jobs_next_steps_find_all_of_it(lab: Lab, journal: Path, submit: Submit) -> None:
    """Every CPU, GPU and byte: a step that had to wait for us would wait for ever."""
    job = submit(EVERYTHING, "-N2", "-n16", "--exclusive", "--gres=gpu:4").running()
    running = measuring(attach(lab, job.id, journal=journal))
    job.proceed()
    done = running.finish()
    assert done.code == 0, done.stderr
    assert job.outcome() == ("COMPLETED", "0:0")
    said = [line for line in job.out.read_text().splitlines() if not line.startswith("srun: ")]
    assert sorted(said) == ["all"] * 16 + ["exact"] * 16 + ["half"] * 16 + ["memory"] * 2
    assert len(done.journals) == 2


def test_beside_a_step_that_has_everything(lab: Lab, journal: Path, submit: Submit) -> None:
    """And from within another job, whose environment means nothing."""
    step = "srun -N2 -n16 --gres=gpu:4 bash -c 'sleep 4'"
    job = submit(step, "-N2", "-n16", "--exclusive", "--gres=gpu:4").running()
    done = attached(lab, job.id, journal=journal, env=FOREIGN)
    assert done.code == 0, done.stderr
    assert [len(found.gpu_energies_joules) for found in done.journals] == [4, 4]
    assert job.outcome() == ("COMPLETED", "0:0")


def test_signals_of_the_jobs(lab: Lab, journal: Path, submit: Submit) -> None:
    """USR1 is not ours. After TERM we stay for as long as the job does."""
    traps = "trap 'echo USR1' USR1; trap 'echo TERM' TERM"
    script = f'srun -N2 -n2 bash -c "{traps}; for i in {{1..50}}; do sleep 0.1; done"'
    job = submit(script, "-N2", "-n2").running()
    running = measuring(attach(lab, job.id, journal=journal))
    for name in ("USR1", "TERM"):
        lab.cluster.run("scancel", "-s", name, job.id)
        time.sleep(0.6)
    told = time.monotonic()
    done = running.finish()
    assert done.code == 0, done.stderr
    assert {"TERM", "USR1"} <= set(job.out.read_text().split())
    for found in done.journals:
        assert found.end_seconds > told + 1


def test_cancelled_with_the_job(lab: Lab, journal: Path, submit: Submit) -> None:
    job = submit("sleep 30", "-N2", "-n2", "--gres=gpu:1").running()
    running = measuring(attach(lab, job.id, journal=journal))
    time.sleep(1.2)
    lab.cluster.run("scancel", job.id)
    done = running.finish()
    assert done.code == 0, done.stderr
    assert job.outcome()[0].startswith("CANCELLED")
    assert all(found.covered_seconds > 1 for found in done.journals)
    assert done.slurms == []


def test_beside_a_measured_step_each_joule_counts_once(
    lab: Lab, journal: Path, submit: Submit
) -> None:
    """The step measures itself too; the job's total has its GPU and CPU once."""
    green = lab.installed.srun_green
    job = submit(
        f"export JOBWATT_DIR={journal}\n{green} -n1 sleep 5; sleep 1",
        "-w",
        "n1",
        "--gres=gpu:1",
    ).running()
    assert attached(lab, job.id, journal=journal).code == 0
    found = read_journals(journal)
    assert sorted(each.head["kind"] for each in found) == ["attach", "step"]
    account = account_of_job(steps_of(journal, job.id))
    times = sorted((each.start_seconds, each.end_seconds) for each in found)
    assert times[1][0] < times[0][1]  # they do overlap
    start, end = times[0][0], max(end for _, end in times)
    gpu, package = account.devices
    true = lab.nvml.energy_joules(gpu.device_id, start, end)
    assert gpu.energy.joules == pytest.approx(true, rel=0.01)
    assert package.whole_joules == pytest.approx(100.0 * (end - start), rel=0.02)
    assert (package.energy.joules or 0.0) < (package.whole_joules or 0.0)


def test_one_at_a_time(lab: Lab, journal: Path, submit: Submit) -> None:
    job = submit("wait_for_go", "-N2", "-n2").running()
    first = measuring(attach(lab, job.id, journal=journal))
    second = attached(lab, job.id, journal=journal)
    assert second.code == 1
    assert second.stderr.splitlines() == [
        f"jobwatt: job {job.id} is being measured by another jobwatt attach; "
        f"see: jobwatt show {job.id}"
    ]
    assert first.process.poll() is None
    job.proceed()
    assert first.finish().code == 0
    assert job.outcome() == ("COMPLETED", "0:0")


def refused(lab: Lab, job: str, code: int, words: str, journal: Path, **options: object) -> None:
    """One line, and nothing written."""
    done = attached(lab, job, journal=journal, **options)
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (code, b"", 1), done.stderr
    assert words in done.stderr
    assert not journal.exists() or not list(journal.iterdir())


def test_refusals(lab: Lab, user_journal: Path, journal: Path, submit: Submit) -> None:
    job = submit("wait_for_go; exit 1").running()
    mine = {"user": ORDINARY_USER}
    refused(lab, job.id, 2, "is another user's", user_journal, **mine)
    refused(lab, "77777777", 3, "no job 77777777", user_journal, **mine)
    for name in ("", "x", f"{job.id}.0", "5_", "1 2", "-5"):
        refused(lab, name, 2, "jobwatt attach", user_journal, **mine)
    here = {"env": {"JOBWATT_SHARED_INSTALL": "0"}}
    refused(lab, job.id, 1, "export JOBWATT_SHARED_INSTALL=1", user_journal, **here)
    waiting = submit("true", f"--dependency=afterok:{job.id}")
    refused(lab, waiting.id, 3, "it is PENDING", user_journal)
    job.proceed()
    assert job.outcome() == ("FAILED", "1:0")
    refused(lab, job.id, 3, "is not running", user_journal)
    lab.cluster.run("scancel", waiting.id)


def test_in_the_job_itself(lab: Lab, submit: Submit) -> None:
    """Its end would wait for us."""
    script = f"JOBWATT_SHARED_INSTALL=1 {lab.installed.jobwatt} attach $SLURM_JOB_ID; echo $?"
    job = submit(script)
    assert job.outcome() == ("COMPLETED", "0:0")
    said, code = job.out.read_text().splitlines()
    assert said.startswith(f"jobwatt: this shell is in job {job.id}")
    assert code == "2"


def test_a_task_of_an_array(lab: Lab, journal: Path, submit: Submit) -> None:
    job = submit("wait_for_go", "--array=1-2", "-w", "n1")
    job.wait_for("RUNNING\nRUNNING")
    refused(lab, job.id, 2, f"name one of its tasks: {job.id}_", journal)
    running = measuring(attach(lab, f"{job.id}_1", journal=journal))
    time.sleep(1.0)
    running.process.send_signal(signal.SIGINT)
    done = running.finish()
    job.proceed()
    assert done.code == 0, done.stderr
    details = done.journal.head["details"]
    assert (details["SLURM_ARRAY_JOB_ID"], details["SLURM_ARRAY_TASK_ID"]) == (job.id, "1")
