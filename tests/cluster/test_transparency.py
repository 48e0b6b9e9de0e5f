"""A measured step does what the same step does with plain srun, byte for byte."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.cluster import ORDINARY_USER
from tests.cluster.journals import read_journals
from tests.cluster.lab import SRUN, Finished, Lab, same

pytestmark = pytest.mark.cluster

STDIN_BYTES = 100_000_000
# What two steps never have in common.
OWN = re.compile(
    r"SLURM_(STEP_?ID|JOB_?ID|SRUN_COMM_PORT|STEP_LAUNCHER_PORT|LAUNCH_NODE_PORT|TASK_PID"
    r"|JOB_(START|END)_TIME)="
)
ODD = {
    "BASH_FUNC_module%%": "() {  echo loaded $1\n}",
    "A.B": "dots",
    "with-dash": "1",
    "EMPTY": "",
    "LINES_OF_TEXT": "one\ntwo\n",
    "OLDPWD": "/usr",
}


def test_all_exit_codes_of_tasks(lab: Lab, journal: Path) -> None:
    """Each of 256 tasks ends with a code of its own, and srun names them all."""
    step = lab.both(
        "-w", "n1", "-n", "256", "-O", "bash", "-c", "exit $SLURM_PROCID", journal=journal
    )
    assert step.code == 255
    said = [re.search(r"tasks? (\S+): Exited with exit code (\d+)", line) for line in step.slurms]
    assert {int(match[2]) for match in said if match} == set(range(1, 256))


def test_exit_codes_of_steps(lab: Lab, journal: Path) -> None:
    codes = [0, 1, 2, 77, 126, 127, 128, 137, 255]

    def step(code: int) -> Finished:
        script = f"echo out; echo err >&2; exit {code}"
        return lab.both("-w", f"n{1 + code % 2}", "bash", "-c", script, journal=journal)

    with ThreadPoolExecutor(5) as pool:
        assert [done.code for done in pool.map(step, codes)] == codes


def test_program_that_does_not_exist(lab: Lab, journal: Path) -> None:
    assert lab.both("-w", "n1", "/no/such/program", journal=journal).code != 0
    assert lab.both("--no-such-option", "true", journal=journal).code != 0


def test_task_killed_by_a_signal(lab: Lab, journal: Path) -> None:
    step = lab.both("-w", "n1", "bash", "-c", "sleep 2; kill -SEGV $$", journal=journal)
    assert step.code == 139
    assert step.journal.covered_seconds > 0.9


def test_standard_input(lab: Lab, journal: Path) -> None:
    data = random.Random(1).randbytes(STDIN_BYTES)
    step = lab.both("-w", "n1", "sha256sum", journal=journal, stdin=data)
    assert step.lines == [hashlib.sha256(data).hexdigest() + "  -"]


def test_programs_per_rank(lab: Lab, journal: Path, scratch: Path) -> None:
    plan = scratch / "plan"
    plan.write_text(
        "0 echo first\n"
        "1 bash -c 'sleep 1.2; echo rank $SLURM_PROCID; exit 3'\n"
        "2 bash -c 'sleep 1.6; echo rank $SLURM_PROCID; exit 2'\n"
    )
    step = lab.both("-w", "n1", "-n3", "--label", "--multi-prog", plan, journal=journal)
    assert step.lines == ["0: first", "1: rank 1", "2: rank 2"]
    assert step.code == 3
    assert step.journal.covered_seconds > 0.4


@pytest.mark.parametrize("user", ["root", ORDINARY_USER])
def test_environment(lab: Lab, user_journal: Path, user: str) -> None:
    """Exported functions, names that no shell knows, SHLVL, `_` and PWD: all as with plain srun."""
    names = (SRUN, str(lab.installed.srun_green))
    arguments = ["-w", "n1", "/usr/bin/env", "-0"]

    def one(name: str) -> Finished:
        # By a shell, as people start steps: it sets `_` and SHLVL.
        line = " ".join([name, *arguments])
        return lab.start(
            "bash", "-c", f"cd /var; {line}; exit $?", journal=user_journal, user=user, env=ODD
        ).finish()

    with ThreadPoolExecutor(2) as pool:
        plain, green = pool.map(one, names)
    assert plain.code == green.code == 0
    expected, seen = (
        sorted(item for item in step.stdout.decode().split("\0") if not OWN.match(item))
        for step in (plain, green)
    )
    assert seen == expected
    names_seen = {item.partition("=")[0] for item in seen}
    assert not {name for name in names_seen if name.startswith("SLURM_JOBWATT")}
    assert not names_seen & {"SLURM_TASK_PROLOG", "SLURM_EPILOG", "SLURM_SCRIPT_CONTEXT"}
    assert "PWD=/var" in seen
    assert f"_={shutil.which(SRUN)}" in seen
    for name, value in ODD.items():
        if name != "OLDPWD":
            assert f"{name}={value}" in seen


def test_exported_function_runs_in_the_job(lab: Lab, journal: Path) -> None:
    step = lab.both("-w", "n1", "bash", "-c", "module gcc", journal=journal, env=ODD)
    assert step.lines == ["loaded gcc"]


def test_srun_in_a_step_is_plain(lab: Lab, journal: Path) -> None:
    script = "srun --overlap bash -c 'sleep 1.2; echo inner'; echo outer"
    step = lab.both("-w", "n1", "bash", "-c", script, journal=journal)
    assert step.lines == ["inner", "outer"]
    assert step.journal.head["step"] == "0"
    assert "SLURM_TASK_PROLOG" not in step.stderr


def test_job_with_two_components(lab: Lab, journal: Path) -> None:
    script = "sleep 1.$((4 * SLURM_PROCID + 2)); echo on $SLURMD_NODENAME; exit $SLURM_PROCID"
    part = ("bash", "-c", script)
    step = lab.both(
        "-w", "n1", "--gres=gpu:1", *part, ":", "-w", "n2", "--gres=gpu:1", *part, journal=journal
    )
    assert sorted(step.lines) == ["on n1", "on n2"]
    assert step.code == 1
    found = {each.head["node"]: each for each in step.journals}
    assert len(step.journals) == 2
    assert set(found) == {"n1", "n2"}
    for each in step.journals:
        assert len(each.gpu_energies_joules) == 1
        lab.check_energy(each)
    assert "2 nodes, 2 GPUs" in step.summary[0]


def test_array_of_batch_jobs(lab: Lab, user_journal: Path, scratch: Path) -> None:
    body = "bash -c 'sleep 1.2; echo element $SLURM_ARRAY_TASK_ID; exit $SLURM_ARRAY_TASK_ID'"

    def one(program: str | Path) -> Finished:
        name = Path(program).name
        script, out = scratch / f"{name}.job", scratch / f"{name}.%a"
        script.write_text(f"#!/bin/bash\n{program} {body}\n")
        return lab.start(
            "sbatch", "--array=0-1", "--wait", "-w", "n2", "-o", out, "-e", f"{out}.err", script,
            journal=user_journal, user=ORDINARY_USER,
        ).finish()  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        _, step = pool.map(one, (SRUN, lab.installed.srun_green))
    assert step.code == 1, step.stderr
    for element in (0, 1):
        texts = [(scratch / f"{name}.{element}").read_text() for name in ("srun", "srun-green")]
        assert texts == [f"element {element}\n"] * 2
        assert "jobwatt " in (scratch / f"srun-green.{element}.err").read_text()
    journals = read_journals(user_journal)
    assert len(journals) == 2
    assert {found.head["details"]["SLURM_ARRAY_TASK_ID"] for found in journals} == {"0", "1"}
    assert {found.path.stat().st_mode & 0o777 for found in journals} == {0o600}


def test_same_notices_a_difference(lab: Lab, journal: Path) -> None:
    """The comparison of these tests can fail: on output, on code, on what Slurm says."""
    one = lab.start(SRUN, "bash", "-c", "echo a", journal=journal).finish()
    for script in ("echo b", "echo a; exit 1", "echo a; echo hello >&2"):
        other = lab.start(SRUN, "bash", "-c", script, journal=journal).finish()
        with pytest.raises(AssertionError):
            same(one, other)
