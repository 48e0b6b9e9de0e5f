"""The cluster is what other tests take it for: nodes, separate GPUs, accounting, ordinary users."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.cluster import ORDINARY_USER, Cluster

pytestmark = pytest.mark.cluster

OPEN_EVERY_DEVICE = """
echo $SLURM_STEP_GPUS
for i in 0 1 2 3 4 5 6 7; do LC_ALL=C cat {directory}/dev/nvidia$i 2>&1; done
true
"""


def output(finished: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that a command printed, which must have succeeded."""
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def wait_for_lines(cluster: Cluster, *command: str, time_limit_seconds: float = 15.0) -> list[str]:
    """The lines of the first run that prints any."""
    deadline = time.monotonic() + time_limit_seconds
    while not (lines := output(cluster.run(*command))):
        assert time.monotonic() < deadline, f"still nothing from {command}"
        time.sleep(0.2)
    return lines


def test_both_nodes_take_jobs_in_both_partitions(cluster: Cluster) -> None:
    nodes = output(cluster.run("sinfo", "-h", "-N", "-o", "%N %P %c %m %G %T"))
    assert len(nodes) == 4
    for line in nodes:
        assert re.fullmatch(
            r"n[12] (main\*|short) 8 4000 gpu:4\S* (idle|mixed|allocated|completing)", line
        )


@pytest.mark.parametrize("user", ["root", ORDINARY_USER])
def test_a_step_runs_on_both_nodes_as_its_user(cluster: Cluster, user: str) -> None:
    lines = output(
        cluster.run("srun", "-N2", "bash", "-c", "echo $SLURMD_NODENAME $(id -un)", user=user)
    )
    assert sorted(lines) == [f"n1 {user}", f"n2 {user}"]


@pytest.mark.parametrize(("node", "first_device"), [("n1", 0), ("n2", 4)])
def test_a_step_opens_its_own_gpu_and_no_other(
    cluster: Cluster, node: str, first_device: int
) -> None:
    script = OPEN_EVERY_DEVICE.format(directory=cluster.directory)
    index, *lines = output(cluster.run("srun", "-w", node, "--gres=gpu:1", "bash", "-c", script))
    answers = [line.rpartition(": ")[2] for line in lines]
    expected = ["Operation not permitted"] * 8
    expected[first_device + int(index)] = "No such device or address"  # held, but has no driver
    assert answers == expected


def test_accounting_names_the_gpus_of_a_finished_job(cluster: Cluster) -> None:
    job, _, _ = output(
        cluster.run(
            "sbatch", "--parsable", "--wait", "-o", "/dev/null", "--gres=gpu:2", "--wrap", "true"
        )
    )[0].partition(";")
    query = ("sacct", "-X", "-n", "-P", "-j", job, "-s", "CD", "-o", "State,AllocTRES")
    [line] = wait_for_lines(cluster, *query)
    assert line.startswith("COMPLETED|")
    assert "gres/gpu=2" in line


def test_a_task_prolog_named_by_srun_runs_on_both_nodes(cluster: Cluster, tmp_path: Path) -> None:
    prolog = tmp_path / "prolog"
    prolog.write_text("#!/bin/sh\necho print prolog on $SLURMD_NODENAME\n")
    prolog.chmod(0o755)
    lines = output(cluster.run("srun", "-N2", "true", env={"SLURM_TASK_PROLOG": str(prolog)}))
    assert sorted(lines) == ["prolog on n1", "prolog on n2"]


def test_no_leftover_process_delays_the_end_of_a_step(cluster: Cluster) -> None:
    """Slurm waits a second for a process that is not reaped: the subreaper avoids it."""
    times_seconds = []
    for _ in range(3):
        before = time.monotonic()
        output(cluster.run("srun", "true"))
        times_seconds.append(time.monotonic() - before)
    assert min(times_seconds) < 0.9
