"""What `jobwatt doctor` says of the journal directory, srun-green, cgroups and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobwatt.checkup.surroundings import check_cpu_time
from jobwatt.filesystems import filesystem_kind
from tests.commands.machine import Machine, unprivileged
from tests.sources.trees import write


def check(machine: Machine, name: str, **environ: str) -> Any:
    return machine.doctor(environ=environ)["checks"][name]


def test_a_journal_directory_that_is_not_there_yet(machine: Machine) -> None:
    found = check(machine, "journal")
    assert (found["state"], found["writable"], found["exists"]) == ("ok", True, False)
    assert found["directory"] == str(machine.home / ".local/state/jobwatt")
    assert found["free_bytes"] > 0
    assert not (machine.home / ".local").exists(), "a checkup leaves nothing behind"


@pytest.mark.parametrize(("mode", "state"), [(0o700, "ok"), (0o755, "note")])
def test_the_mode_of_the_journal_directory(machine: Machine, mode: int, state: str) -> None:
    folder = machine.folder / "journals"
    folder.mkdir()
    folder.chmod(mode)
    found = check(machine, "journal", JOBWATT_DIR=str(folder))
    assert (found["state"], found["mode_octal"]) == (state, f"{mode:04o}")
    assert ("chmod 700" in found["text"]) is (state == "note")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_journal_directory_that_is_closed(machine: Machine, exists: bool) -> None:
    closed = machine.folder / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    folder = closed if exists else closed / "journals"
    environ = {"JOBWATT_DIR": str(folder)}
    found = machine.doctor(environ=environ, prefix=unprivileged())["checks"]["journal"]
    assert (found["state"], found["writable"]) == ("problem", False)
    assert found["fallback_directory"] in found["text"]


def test_a_file_in_place_of_the_journal_directory(machine: Machine) -> None:
    file = machine.folder / "file"
    file.write_text("")
    found = check(machine, "journal", JOBWATT_DIR=str(file))
    assert (found["state"], found["writable"]) == ("problem", False)


MOUNTS = r"""20 1 0:1 / / rw - rootfs rootfs rw
31 30 0:41 / /home/a\040b rw - lustre x rw
30 22 0:40 / /home rw shared:1 - nfs4 server:/home rw
32 22 0:42 / /hom rw - tmpfs x rw
22 1 8:1 / / rw - ext4 /dev/sda1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/homes/a", "ext4"),
        ("/home", "nfs4"),
        ("/home/a/b", "nfs4"),
        ("/home/a b/c", "lustre"),
        ("/hom/x", "tmpfs"),
    ],
)
def test_filesystem_kind(path: str, kind: str) -> None:
    assert filesystem_kind(path, MOUNTS) == kind
    assert filesystem_kind(path, "") == "unknown"


def test_without_srun(machine: Machine) -> None:
    checks = machine.doctor()["checks"]
    assert checks["srun"]["state"] == "absent"
    assert "jobwatt run -- COMMAND" in checks["srun"]["text"]
    assert checks["srun_green"]["would_measure"] is False


@pytest.mark.parametrize(
    ("environ", "measures", "reason"),
    [
        ({"JOBWATT_SHARED_INSTALL": "1"}, True, ""),
        ({}, False, "JOBWATT_SHARED_INSTALL=1"),
        ({"JOBWATT_SHARED_INSTALL": "1", "SLURM_CONTAINER": "/c"}, False, "container"),
        ({"JOBWATT_SHARED_INSTALL": "1", "JOBWATT_DISABLE": "1"}, False, "turned off"),
        ({"SLURMD_NODENAME": "n1", "SLURM_JOB_NODELIST": "n1"}, True, ""),
        ({"SLURMD_NODENAME": "n1", "SLURM_JOB_NODELIST": "n[1-2]"}, False, "nodes"),
        ({"JOBWATT_SHARED_INSTALL": "1", "SLURM_TASK_PROLOG": "/site/prolog"}, True, ""),
    ],
)
def test_srun_green_is_asked(
    machine: Machine, environ: dict[str, str], measures: bool, reason: str
) -> None:
    machine.add_srun()
    machine.add_srun_green()
    found = check(machine, "srun_green", **environ)
    assert found["path"] == str(machine.bin / "srun-green")
    assert found["would_measure"] is measures
    assert (found["state"] == "ok") is measures
    assert reason in found["text"]


def test_srun_green_is_asked_in_a_noisy_shell(machine: Machine) -> None:
    machine.add_srun()
    machine.add_srun_green()
    noise = machine.folder / "noise"
    noise.write_text("echo /noise; echo noise >&2\n")
    environ = {"BASH_ENV": str(noise), "ENV": str(noise)}
    found = check(machine, "srun_green", **environ)
    assert (found["would_measure"], "JOBWATT_SHARED_INSTALL" in found["text"]) == (False, True)


def test_an_incomplete_installation(machine: Machine) -> None:
    machine.add_srun()
    machine.add_srun_green()
    (machine.bin / "jobwatt-task-prolog").unlink()
    found = check(machine, "srun_green", JOBWATT_SHARED_INSTALL="1")
    assert found["would_measure"] is False
    assert "install jobwatt again" in found["text"]


def test_settings_with_problems(machine: Machine) -> None:
    found = check(machine, "settings", JOBWATT_TICK_SECONDS="abc")
    assert found["state"] == "problem"
    assert "JOBWATT_TICK_SECONDS is abc" in found["problems"][0]
    assert check(machine, "settings")["state"] == "ok"


def test_cpu_time_of_cgroups(tmp_path: Path) -> None:
    step = "/slurm/uid_1/job_2/step_0"
    v1 = f"4:cpuacct,cpu:{step}/task_0\n"
    job = {"SLURM_JOB_ID": "2"}
    found = check_cpu_time(v1, tmp_path, job)
    assert (found.state, found.facts["readable"]) == ("note", False)
    write(tmp_path / f"cpuacct{step}/cpuacct.usage", 5)
    found = check_cpu_time(v1, tmp_path, job)
    assert (found.state, found.facts["cgroup_version"]) == ("ok", 1)
    assert found.facts["in_step"] is True and step in found.text
    unified = tmp_path / "unified"
    write(unified / "cgroup.controllers", "cpu")
    write(unified / "user.slice/cpu.stat", "usage_usec 5")
    found = check_cpu_time("0::/user.slice\n", unified, {})
    assert (found.state, found.facts["cgroup_version"]) == ("ok", 2)
    assert found.facts["in_step"] is False
