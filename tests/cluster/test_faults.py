"""Whatever fails on jobwatt's side, the job does the same and ends in the same time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import ORDINARY_USER
from tests.cluster.journals import read_journals
from tests.cluster.lab import Lab

pytestmark = pytest.mark.cluster

# open, openat, opendir and mkdir below one folder never return, as on a file server that is gone.
HANGING_FILES = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static void check(const char *path) {
    const char *folder = getenv("HANGING_FOLDER");
    while (folder && !strncmp(path, folder, strlen(folder))) pause();
}
static mode_t mode_of(int flags, va_list list) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0;
}
#define OPEN(NAME) \
    int NAME(const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = mode_of(flags, list); va_end(list); \
        check(path); \
        return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #NAME))(path, flags, mode); \
    }
#define OPENAT(NAME) \
    int NAME(int folder, const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = mode_of(flags, list); va_end(list); \
        check(path); \
        return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #NAME)) \
            (folder, path, flags, mode); \
    }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)
DIR *opendir(const char *path) {
    check(path);
    return ((DIR *(*)(const char *))dlsym(RTLD_NEXT, "opendir"))(path);
}
int mkdir(const char *path, mode_t mode) {
    check(path);
    return ((int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir"))(path, mode);
}
"""


@pytest.fixture
def stand_in() -> Iterator[Path]:
    """Where journals go that their directory does not take; the test's own are removed."""
    folder = Path("/var/tmp/jobwatt-0")
    before = set(folder.glob("journal/*/*"))
    yield folder
    for path in set(folder.glob("journal/*/*")) - before:
        shutil.rmtree(path)


def steps_own_files(folder: Path, job: str) -> list[Path]:
    """Journals of a job in a place that others use too."""
    return sorted(folder.glob(f"journal/*/{job}@*/*.jsonl"))


def sampler_pids(job: str) -> list[int]:
    """Samplers of a job, by their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            environ = (process / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        is_sampler = any(b"/jobwatt/sampler/__main__.py" in part for part in command)
        if is_sampler and f"SLURM_JOB_ID={job}".encode() in environ:
            found.append(int(process.name))
    return found


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_sampler_killed(lab: Lab, journal: Path) -> None:
    """What was written until then counts, and the rest is said to be uncovered."""
    running = lab.start(
        lab.installed.srun_green, "-w", "n1", "--gres=gpu:1", "bash", "-c",
        "echo $SLURM_JOB_ID; sleep 5; echo done; exit 4", journal=journal,
    )  # fmt: skip
    job = running.first_line()
    time.sleep(2.2)
    pids = sampler_pids(job)
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGKILL)
    killed_seconds = time.monotonic()
    step = running.finish()
    assert (step.code, step.lines) == (4, ["done"])
    assert killed_seconds - step.journal.end_seconds < 1.1
    lab.check_energy(step.journal)
    total = next(line for line in step.summary if line.startswith("  total"))
    covers = re.search(r"covers (\d+) %", total)
    assert covers and 15 <= int(covers[1]) <= 70
    assert any("uncovered time" in line for line in step.summary)


def test_full_disk(lab: Lab, journal: Path, stand_in: Path) -> None:
    """After a few tries the journal goes to this node's own disk, with all that waited."""
    journal.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", journal], check=True)
    try:
        with pytest.raises(OSError), (journal / "filling").open("wb", buffering=0) as filling:
            while True:
                filling.write(bytes(4096))
        step = lab.both(
            "-w", "n1", "bash", "-c", "echo $SLURMD_NODENAME; sleep 6; exit 3", journal=journal
        )
    finally:
        subprocess.run(["umount", "--lazy", journal], check=True)
    assert (step.code, step.lines) == (3, ["n1"])
    job = re.match(r"jobwatt (\d+)\.0", step.summary[0])
    assert job, step.stderr
    assert len(steps_own_files(stand_in, job[1])) == 1
    assert any(line.startswith("  total ") for line in step.summary)


def test_read_only_directory(lab: Lab, user_journal: Path, stand_in: Path) -> None:
    user_journal.chmod(0o555)
    step = lab.both(
        "-w", "n2", "bash", "-c", "echo out; sleep 6; exit 3",
        journal=user_journal, user=ORDINARY_USER,
    )  # fmt: skip
    assert (step.code, step.lines) == (3, ["out"])
    assert list(user_journal.iterdir()) == []
    job = re.match(r"jobwatt (\d+)\.0", step.summary[0])
    assert job, step.stderr
    users = stand_in.with_name(f"jobwatt-{os.stat(user_journal).st_uid}")
    found = steps_own_files(users, job[1])
    assert len(found) == 1
    assert any(line.startswith("  total ") for line in step.summary)
    shutil.rmtree(found[0].parent)


def test_hanging_directory(lab: Lab, journal: Path, scratch: Path) -> None:
    """A file server that does not answer: the step neither waits nor changes."""
    source, library = scratch / "hang.c", scratch / "hang.so"
    source.write_text(HANGING_FILES)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    journal.mkdir()
    env = {"LD_PRELOAD": str(library), "HANGING_FOLDER": str(journal)}
    probe = ["python3", "-c", f"open('{journal}/x', 'w')"]
    with pytest.raises(subprocess.TimeoutExpired):  # it does hang
        subprocess.run(probe, env={**os.environ, **env}, timeout=0.5, check=False)
    step = lab.both(
        "-w", "n1", "bash", "-c", "echo out; sleep 1.5; exit 3", journal=journal, env=env
    )
    assert (step.code, step.lines) == (3, ["out"])
    assert step.end_seconds - step.start_seconds < 1.5 + 5.0 + 4.0
    assert step.summary == ["jobwatt: no summary: the journal's directory does not answer"]
    assert read_journals(journal) == ()


def test_prolog_and_epilog_of_the_users(lab: Lab, journal: Path, scratch: Path) -> None:
    """Both run as without jobwatt: what they print, what they export, what they see."""
    names = "${SLURM_TASK_PROLOG##*/} ${SLURM_EPILOG##*/} ${SLURM_JOBWATT_DIR-none}"
    prolog = executable(
        scratch / "prolog",
        f"#!/bin/bash\necho print prolog {names}\necho export ADDED=1\necho unset GONE\n",
    )
    epilog = executable(
        scratch / "epilog", f"#!/bin/bash\necho epilog {names} $SLURM_STEP_ID >&2\nexit 9\n"
    )
    env = {"SLURM_TASK_PROLOG": str(prolog), "SLURM_EPILOG": str(epilog), "GONE": "1"}
    script = f"sleep 1.2; echo job $ADDED/$GONE/{names}; exit 3"
    step = lab.both("-w", "n1", "bash", "-c", script, journal=journal, env=env)
    assert step.lines[0].startswith("prolog prolog epilog none")
    assert step.lines[1].startswith("job 1//")
    assert any(line.startswith("epilog ") for line in step.slurms)
    assert step.journal.covered_seconds > 0.3


def test_failing_prolog(lab: Lab, journal: Path, scratch: Path) -> None:
    """A prolog of the user's that fails ends the step as without jobwatt."""
    prolog = executable(scratch / "prolog", "#!/bin/bash\necho print no\nexit 5\n")
    step = lab.both(
        "-w", "n1", "echo", "never", journal=journal, env={"SLURM_TASK_PROLOG": str(prolog)}
    )
    assert step.code != 0
    assert "never" not in step.lines


def test_epilog_of_the_site(lab: Lab, journal: Path, scratch: Path) -> None:
    """SrunEpilog of slurm.conf: SLURM_EPILOG takes its place, so ours runs it."""
    epilog = executable(scratch / "site", "#!/bin/bash\necho site ${SLURM_EPILOG-unset} >&2\n")
    original = Path(lab.cluster.env["SLURM_CONF"])
    folder = scratch / "etc"
    shutil.copytree(original.parent, folder)
    conf = folder / "slurm.conf"
    conf.write_text(f"{original.read_text()}SrunEpilog={epilog}\n")
    env = {"SLURM_CONF": str(conf)}
    step = lab.both("-w", "n1", "bash", "-c", "sleep 1.2; echo out", journal=journal, env=env)
    assert [line for line in step.slurms if line.startswith("site")] == ["site unset"]
    assert step.journal.spans
