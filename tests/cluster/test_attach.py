"""`jobwatt attach`: what it measures of a job that was started without it, and how it ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from jobwatt.journal.store import account_of_job, steps_of
from tests.cluster.attached import Submit, attach, attached, cpu_seconds, measuring
from tests.cluster.cluster import ORDINARY_USER
from tests.cluster.journals import Journal, read_journals
from tests.cluster.lab import Lab
from tests.cluster.screen import Screen

pytestmark = pytest.mark.cluster

TICK_SECONDS = 0.5
LATE_SECONDS = 0.7
"""A sampler on a busy machine."""
BUSY = "end=$((SECONDS + 4)); while ((SECONDS < end)); do :; done"


def gpus(journals: tuple[Journal, ...]) -> dict[str, int]:
    """How many GPUs of each node are in its journals: n1's are 0 to 3, n2's 4 to 7."""
    found: dict[str, int] = {}
    for each in journals:
        node = each.head["node"]
        own = {int(uuid[4:12], 16) for uuid in each.gpu_energies_joules}
        assert own <= set(range(4) if node == "n1" else range(4, 8))
        found[node] = found.get(node, 0) + len(own)
    return found


def test_to_the_end_of_a_job_on_two_nodes(lab: Lab, user_journal: Path, submit: Submit) -> None:
    script = "srun -N2 --ntasks-per-node=1 bash -c 'echo out; sleep 7; exit 3'"
    job = submit(script, "-N2", "-n2", "--gres=gpu:2", "-J", "a name", user=ORDINARY_USER).running()
    done = attached(lab, job.id, journal=user_journal, user=ORDINARY_USER)
    assert (done.code, done.stdout) == (0, b"")
    assert job.outcome() == ("FAILED", "3:0")
    said = [line for line in job.out.read_text().splitlines() if not line.startswith("srun: ")]
    assert said == ["out", "out"]
    assert gpus(done.journals) == {"n1": 2, "n2": 2}
    for found in done.journals:
        lab.check_energy(found)
        true = lab.tree.energy_joules("intel-rapl:0", found.start_seconds, found.end_seconds)
        assert found.other_energy_joules(0) == pytest.approx(true, rel=0.005)
        assert found.covered_seconds > 3
        assert found.covered_seconds == pytest.approx(
            found.end_seconds - found.start_seconds, abs=0.02
        )
        assert found.head["kind"] == "attach"
        assert found.head["step"] == "attach-1"
        assert found.head["cpus_allocated"] == 1
        assert found.head["details"]["SLURM_JOB_NAME"] == "a name"
        assert found.path.name.startswith("attach-1.0.n")
        assert found.path.owner() == ORDINARY_USER
    assert done.stderr.splitlines()[0].startswith(f"jobwatt: measuring job {job.id} on 2 nodes; ")
    assert len(done.stderr.splitlines()[0]) < 80 - 6  # room for an array's longer id
    assert done.summary[1].startswith(f"jobwatt {job.id}.attach-1 on jobwatt: 2 nodes, 4 GPUs, ")
    assert done.slurms == []


@pytest.mark.parametrize(
    ("occupied", "options", "total", "cpus"),
    [
        ("", ("-n8", "--ntasks-per-node=4", "--gpus=3"), 3, {4}),
        ("n1", ("-n8", "--ntasks-per-node=4", "--gpus=3"), 3, {4}),
        ("", ("-n3", "-c4", "--gpus-per-task=1"), 3, {4, 8}),
        ("", ("-n4", "--ntasks-per-node=2", "--gpus-per-task=1"), 4, {2}),
        ("", ("-n2",), 0, {1}),
        ("", ("-n2", "--exclusive", "--gres=gpu:1"), 8, {8}),
    ],
)
def test_all_gpus_of_the_job(
    lab: Lab,
    journal: Path,
    submit: Submit,
    occupied: str,
    options: tuple[str, ...],
    total: int,
    cpus: set[int],
) -> None:
    """Those that it holds, whatever its steps use and however they were asked for."""
    if occupied:
        submit("sleep 30", "-w", occupied, "--gres=gpu:3").running()
    job = submit("sleep 30", "-N2", *options).running()
    running = measuring(attach(lab, job.id, journal=journal))
    time.sleep(1.2)
    running.process.send_signal(signal.SIGTERM)
    done = running.finish()
    assert done.code == 0, done.stderr
    assert gpus(done.journals) == job.gpus(), done.stderr
    assert sum(job.gpus().values()) == total
    assert {found.head["cpus_allocated"] for found in done.journals} == cpus
    for found in done.journals:
        lab.check_energy(found, tolerance=0.02)  # of 1.2 s: 10 ms between two reads are 0.8 %
    assert any(line.startswith("  GPU ") for line in done.summary) == (total > 0)
    assert any(line.startswith("  CPU ") for line in done.summary)


def test_both_components_of_a_job(lab: Lab, journal: Path, submit: Submit) -> None:
    head = "#SBATCH -n2 -w n1 --gres=gpu:2\n#SBATCH hetjob\n#SBATCH -n3 -w n2 --gres=gpu:1"
    job = submit("sleep 30", head=head)
    job.wait_for("RUNNING\nRUNNING")
    running = measuring(attach(lab, job.id, journal=journal))
    time.sleep(1.2)
    running.process.send_signal(signal.SIGINT)
    done = running.finish()
    lab.cluster.run("scancel", job.id)
    assert done.code == 0, done.stderr
    assert gpus(done.journals) == {"n1": 2, "n2": 1}
    found = {each.head["node"]: each.head for each in done.journals}
    assert {each["job"] for each in found.values()} == {job.id}
    assert (found["n1"]["step"], found["n2"]["step"]) == ("attach-1", "attach-1+1")
    assert (found["n1"]["cpus_allocated"], found["n2"]["cpus_allocated"]) == (2, 3)
    assert done.summary[0].startswith(f"jobwatt {job.id}.attach-1 on jobwatt: 2 nodes, 3 GPUs, ")


def test_cpu_time_is_the_jobs(lab: Lab, journal: Path, submit: Submit) -> None:
    """Of its script and of a step that began meanwhile; not what measuring costs."""
    work = f"bash -c '{BUSY}; times'"
    script = f"wait_for_go; {work} & srun -n1 {work}; wait; sleep 1"
    job = submit(script, "-n2", "-w", "n2").running()
    running = measuring(attach(lab, job.id, journal=journal))
    job.proceed()
    done = running.finish()
    assert done.code == 0, done.stderr
    used = [
        float(minutes) * 60 + float(seconds)
        for word in job.out.read_text().replace("s", "").split()
        for minutes, seconds in [word.split("m")]
    ]
    assert len(used) == 8
    # Without a cgroup that counts, what a step used after the last look at it is lost.
    assert cpu_seconds(done.journal) == pytest.approx(sum(used), abs=TICK_SECONDS + LATE_SECONDS)


def test_interrupt_by_key(
    lab: Lab, journal: Path, submit: Submit, scratch: Path, screens: list[Screen]
) -> None:
    """One Ctrl-C: the summary, and the job knows nothing."""
    script = "trap 'echo signal' INT TERM HUP\nwait_for_go\necho on; exit 7"
    job = submit(script, "-N2", "-n2", "--gres=gpu:1").running()
    screen = Screen(scratch / "tmux", lab.environ(journal))
    screens.append(screen)
    screen.type(f"{lab.installed.jobwatt} attach {job.id}; echo code $?")
    screen.wait_for(r"\d W now, .* metered in ")
    screen.press("C-c")
    text = screen.wait_for(r"^code \d+$")
    assert "code 0" in text
    assert "now" not in text
    assert f"jobwatt {job.id}.attach-1 on jobwatt: 2 nodes, 2 GPUs" in text
    assert "srun" not in text
    assert job.squeue() == "RUNNING"
    for found in read_journals(journal):
        lab.check_energy(found)
    job.proceed()
    assert job.outcome() == ("FAILED", "7:0")
    assert job.out.read_text() == "on\n"


def test_gone_without_a_word(lab: Lab, journal: Path, submit: Submit) -> None:
    """Killed: the samplers leave, the job stays, and what was measured can be told."""
    job = submit("wait_for_go", "-N2", "-n2", "--gres=gpu:1").running()
    running = measuring(attach(lab, job.id, journal=journal))
    time.sleep(1.2)
    running.process.kill()
    while "attach" in lab.cluster.run("squeue", "-h", "-s", "-j", job.id, "-o", "%j").stdout:
        time.sleep(0.1)
    again = measuring(attach(lab, job.id, journal=journal))
    time.sleep(1.2)
    again.process.send_signal(signal.SIGHUP)
    assert again.finish().code == 0
    job.proceed()
    assert job.outcome() == ("COMPLETED", "0:0")
    assert {found.head["step"] for found in read_journals(journal)} == {"attach-1", "attach-2"}
    account = account_of_job(steps_of(journal, job.id))
    covered = sum(found.covered_seconds for found in read_journals(journal))
    devices = [device for device in account.devices if device.device_kind == "gpu"]
    assert sum(device.covered_seconds for device in devices) == pytest.approx(covered, abs=0.1)
    assert os.stat(journal).st_mode & 0o077 == 0
