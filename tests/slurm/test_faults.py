"""Daemons that stand still or are gone, and commands that are missing: one plain line each."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobwatt.slurm.ask import Answer, ask
from tests.cluster.cluster import Cluster

LIMIT_SECONDS = 3.0
NO_ACCOUNTING = ": the outcome of jobs that ended more than some minutes ago is unknown"
NO_CONTROLLER = ": pending jobs and the latest changes may be missing"
NEITHER = "): states are those told before, or none"
cluster_only = pytest.mark.cluster


def ask_root(environ: dict[str, str], seconds: float = LIMIT_SECONDS) -> Answer:
    return ask(time.time() - 86400, "root", "commands", environ, seconds)


@pytest.fixture
def environ(cluster: Cluster) -> dict[str, str]:
    return {**os.environ, **cluster.env}


@pytest.fixture(scope="module")
def job(cluster: Cluster) -> str:
    """A job that has ended, and accounting lists it.

    In a short job's first seconds `sacct -j` knows it and `sacct -S` does not: it has no Eligible.
    """
    done = cluster.run("sbatch", "--parsable", "-o", "/dev/null", "--wrap", "true")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    deadline = time.monotonic() + 60
    query = ("sacct", "-n", "-X", "-P", "-S", "now-1hours", "-o", "JobIDRaw,State")
    while f"{job}|COMPLETED" not in cluster.run(*query).stdout:
        assert time.monotonic() < deadline, f"job {job} does not end"
        time.sleep(0.3)
    return job


@contextmanager
def standing_still(cluster: Cluster, daemon: str) -> Iterator[None]:
    pid = int((cluster.directory / "run" / f"{daemon}.own.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def changed(cluster: Cluster, directory: Path, name: str, value: str) -> dict[str, str]:
    """The client's side with another value in slurm.conf."""
    lines = Path(cluster.env["SLURM_CONF"]).read_text().splitlines()
    assert any(line.startswith(f"{name}=") for line in lines)
    new = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
    file = directory / "slurm.conf"
    file.write_text("\n".join([*new, ""]))
    return {**os.environ, "SLURM_CONF": str(file)}


@cluster_only
def test_slurmdbd_stands_still(cluster: Cluster, environ: dict[str, str], job: str) -> None:
    with standing_still(cluster, "slurmdbd"):
        answer = ask_root(environ)
    assert (answer.source, answer.accounting, answer.cluster) == ("squeue", False, "jobwatt")
    assert answer.problems == (f"no accounting (sacct: no answer within 3 s){NO_ACCOUNTING}",)
    assert {one.state for one in answer.jobs if one.job == job} == {"COMPLETED"}


@cluster_only
def test_slurmctld_stands_still(cluster: Cluster, environ: dict[str, str], job: str) -> None:
    with standing_still(cluster, "slurmctld"):
        answer = ask_root(environ)
    assert (answer.source, answer.accounting, answer.cluster) == ("sacct", True, "jobwatt")
    assert answer.problems == (
        f"the controller does not answer (squeue: no answer within 3 s){NO_CONTROLLER}",
    )
    assert {one.job for one in answer.jobs} >= {job}


@cluster_only
def test_nobody_listens_at_slurmdbds_port(cluster: Cluster, tmp_path: Path, job: str) -> None:
    answer = ask_root(changed(cluster, tmp_path, "AccountingStoragePort", "1"), 10)
    assert (answer.source, answer.accounting) == ("squeue", False)
    [line] = answer.problems
    assert line.startswith("no accounting (sacct: Problem talking to the database: ")
    assert line.endswith(f"Connection refused){NO_ACCOUNTING}")


@cluster_only
def test_nobody_listens_at_slurmctlds_port(cluster: Cluster, tmp_path: Path, job: str) -> None:
    """squeue tries for 9 s before it says so."""
    answer = ask_root(changed(cluster, tmp_path, "SlurmctldPort", "1"), 30)
    assert (answer.source, answer.accounting) == ("sacct", True)
    assert answer.problems == (
        "the controller does not answer (squeue: slurm_load_jobs error: Unable to contact slurm "
        f"controller (connect failure)){NO_CONTROLLER}",
    )


@cluster_only
def test_a_slurm_conf_that_is_not_there(cluster: Cluster, tmp_path: Path) -> None:
    """The commands would wait for it for a minute."""
    answer = ask_root({**os.environ, "SLURM_CONF": str(tmp_path / "slurm.conf")})
    assert answer == Answer(problems=answer.problems)
    [line] = answer.problems
    assert line.startswith("Slurm does not answer (sacct: no answer within 3 s (")
    assert "No such file or directory" in line
    assert line.endswith(NEITHER)


@cluster_only
@pytest.mark.parametrize(("command", "source"), [("sacct", "squeue"), ("squeue", "sacct")])
def test_one_command_is_missing(
    cluster: Cluster, environ: dict[str, str], tmp_path: Path, command: str, source: str, job: str
) -> None:
    found = shutil.which(source)
    assert found
    (tmp_path / source).symlink_to(found)
    answer = ask_root({**environ, "PATH": str(tmp_path)})
    assert answer.source == source
    assert answer.cluster == "jobwatt"
    assert {one.job for one in answer.jobs} >= {job}
    [line] = answer.problems
    assert f"({command} is not on PATH)" in line


@cluster_only
def test_a_user_that_slurm_does_not_know(environ: dict[str, str]) -> None:
    answer = ask(time.time() - 60, "no-such-user", "commands", environ, 10)
    assert answer.jobs == ()
    assert 1 <= len(answer.problems) <= 2


def test_a_machine_without_slurm_is_no_problem() -> None:
    assert ask_root({"PATH": "/nowhere"}) == Answer()


def test_commands_that_crash_or_babble(tmp_path: Path) -> None:
    scripts = {"sacct": "kill -SEGV $$", "squeue": "head -c 100000 /dev/zero; echo; echo 1; exit 0"}
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    answer = ask_root({"PATH": f"{tmp_path}:{os.environ['PATH']}"}, 10)
    assert (answer.jobs, answer.source) == ((), "squeue")
    assert answer.problems == (
        f"no accounting (sacct: exit status -11){NO_ACCOUNTING}",
        "1 of Slurm's rows cannot be read and is left out",
    )
