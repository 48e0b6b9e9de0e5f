"""Signals and terminals: a measured step answers them as plain srun does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.lab import SRUN, Finished, Lab, Running, same
from tests.cluster.screen import Screen

pytestmark = pytest.mark.cluster

# Each name once: two signals close together may reach bash as one.
TELLS_SIGNALS = """
for name in INT TERM USR1 USR2 HUP CONT; do trap "echo got $name; trap : $name" $name; done
trap 'echo got TERM; exit 9' TERM
echo $SLURM_JOB_ID
end=$((SECONDS + 20))
while ((SECONDS < end)); do sleep 0.05; done
"""


SLEEPS = "echo $SLURM_JOB_ID; sleep 60"


LIMIT_CHECK_SECONDS = 35.0
"""Slurm looks at time limits every 30 s."""


@pytest.fixture(scope="module")
def at_their_limit(lab: Lab, public_directory: Path) -> list[tuple[Running, str]]:
    """A plain and a measured step whose time is up, with their jobs."""
    script = SLEEPS.replace("60", "300")
    steps = [
        lab.start(
            program, "-w", "n2", "bash", "-c", script, journal=public_directory / "at_their_limit"
        )
        for program in (SRUN, lab.installed.srun_green)
    ]
    jobs = [step.first_line() for step in steps]
    time.sleep(1.2)
    for job in jobs:
        end_its_time(lab, job)
    return list(zip(steps, jobs, strict=True))


def end_its_time(lab: Lab, job: str) -> None:
    """Its time is up now, without the minute that is the least."""
    updated = lab.cluster.run("scontrol", "update", f"JobId={job}", "EndTime=now")
    assert updated.returncode == 0, updated.stderr


def interfered(
    lab: Lab, journal: Path, script: str, act: Callable[[Running, str], None]
) -> Finished:
    """Both steps, with `act` done to them once they have told their job's id: the same came of it.

    Returns the measured one.
    """
    plain, green = both(lab, journal, script, act)
    same(plain, green)
    return green


def both(
    lab: Lab, journal: Path, script: str, act: Callable[[Running, str], None]
) -> tuple[Finished, Finished]:
    """The plain and the measured step."""

    def one(program: str | Path) -> Finished:
        running = lab.start(program, "-w", "n1", "bash", "-c", script, journal=journal)
        try:
            job = running.first_line()
            time.sleep(1.2)
            act(running, job)
            return running.finish()
        finally:
            running.process.kill()

    with ThreadPoolExecutor(2) as pool:
        plain, green = pool.map(one, (SRUN, lab.installed.srun_green))
    return plain, green


def state_of(pid: int) -> str:
    """A process's state as /proc tells it: `T` is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_signals_to_srun(
    lab: Lab, journal: Path, at_their_limit: list[tuple[Running, str]]
) -> None:
    stopped = []

    def act(running: Running, job: str) -> None:
        for name in ("USR1", "USR2", "TSTP", "CONT", "TERM"):
            os.kill(running.pid, getattr(signal, f"SIG{name}"))
            time.sleep(0.3)
            if name == "TSTP":
                stopped.append(state_of(running.pid))

    step = interfered(lab, journal, TELLS_SIGNALS, act)
    assert stopped[0] == stopped[1]
    assert {"got USR1", "got USR2"} <= set(step.lines)
    assert any("total" in line for line in step.summary)
    assert step.journal.covered_seconds >= 2


def test_interrupt_by_signal(lab: Lab, journal: Path) -> None:
    """SIGINT twice within a second ends a step.

    srun passes it on and forces the end at once: whether the task answers first, or ends by itself
    before it is killed, is chance with plain srun too.
    """

    def act(running: Running, job: str) -> None:
        for _ in range(2):
            os.kill(running.pid, signal.SIGINT)
            time.sleep(0.2)

    for step in both(lab, journal, TELLS_SIGNALS.replace("20))", "3))"), act):
        assert "sending Ctrl-C" in step.stderr
        assert "forcing job termination" in step.stderr
        assert step.code in (0, 128 + signal.SIGKILL)
        assert step.lines in ([], ["got INT"])
    assert step.journal.covered_seconds > 0.5


def check_ended_by_slurm(step: Finished, words: str) -> None:
    """Slurm ended it; all was measured up to then."""
    assert step.code != 0
    assert words in step.stderr
    assert step.journal.covered_seconds > 0.5
    assert any(line.startswith("  total") for line in step.summary)


def test_cancelled(lab: Lab, journal: Path) -> None:
    def act(running: Running, job: str) -> None:
        assert lab.cluster.run("scancel", job).returncode == 0

    step = interfered(lab, journal, SLEEPS, act)
    check_ended_by_slurm(step, "CANCELLED")
    assert step.end_seconds - step.journal.end_seconds < 4


def screens_of(lab: Lab, journal: Path, scratch: Path, screens: list[Screen]) -> list[Screen]:
    """A terminal for plain srun and one for srun-green, where `step` starts either."""
    for program in (SRUN, lab.installed.srun_green):
        screen = Screen(scratch / f"tmux{len(screens)}", lab.environ(journal))
        screens.append(screen)
        screen.type(f"step() {{ {program} \"$@\"; echo code $?; }}; clear")
        screen.wait_for(r"\A> ?\Z")
    return screens


def said(text: str) -> tuple[list[str], list[str]]:
    """A screen's lines: jobwatt's, and the others without ids, times and empty lines."""
    summary = re.compile(r"jobwatt |  (GPU|CPU|memory|total|idle|note|event|more) ")
    lines = text.splitlines()
    own = [line for line in lines if summary.match(line)]
    return own, [re.sub(r"\d+", "N", line) for line in lines if line not in own and line.strip()]


def test_shell_in_a_terminal(
    lab: Lab, journal: Path, scratch: Path, screens: list[Screen]
) -> None:
    for screen in screens_of(lab, journal, scratch, screens):
        screen.type("step -w n1 --pty bash --norc --noprofile")
        screen.wait_for(r"bash-\S+# ?\Z")
        screen.type("PS1='job> '; clear; stty size; test -t 0 -a -t 1 -a -t 2; echo terminal $?")
        screen.wait_for(r"^terminal 0$")
        screen.type("sleep 60")
        screen.press("C-c")
        screen.type("echo after $?")
        screen.wait_for(r"^after 130$")
        time.sleep(1)
        screen.type("exit 3")
    plain, green = (said(screen.wait_for(r"^code 3$")) for screen in screens)
    assert plain[0] == []
    assert sorted(green[1]) == sorted(plain[1])  # the shell's last word and srun's race
    assert green[0][0].startswith("jobwatt ")
    assert len(green[0]) <= 8
    assert all(len(line) <= 80 for line in green[0])


def test_two_interrupts_by_key(
    lab: Lab, journal: Path, scratch: Path, screens: list[Screen]
) -> None:
    for screen in screens_of(lab, journal, scratch, screens):
        screen.type("step -w n2 bash -c 'echo ready; sleep 30'")
        screen.wait_for(r"^ready$")
    time.sleep(1.2)
    for screen in screens:
        screen.press("C-c")
        screen.wait_for("one more within")
        screen.press("C-c")
    plain, green = (said(screen.wait_for(r"^code \d+$")) for screen in screens)
    assert plain[0] == []
    # How srun gives up waiting depends on which of its threads is first, and whether it had to
    # wait at its start on what else the cluster does.
    chance = re.compile(
        r"srun: (forcing job|Job step aborted|job N (queued|has been allocated))|slurmstepd"
    )
    seen, expected = (
        sorted(line for line in lines[1] if not chance.match(line)) for lines in (green, plain)
    )
    assert seen == expected
    assert any("sending Ctrl-C" in line for line in seen)
    assert any(line.startswith("  total") for line in green[0])


def test_time_limit(lab: Lab, at_their_limit: list[tuple[Running, str]]) -> None:
    """The last of this file: the steps that the first test started have run meanwhile."""
    for running, job in at_their_limit:
        try:
            running.process.wait(LIMIT_CHECK_SECONDS)
        except subprocess.TimeoutExpired:  # now and then Slurm takes no notice of the first
            end_its_time(lab, job)
    plain, green = (running.finish() for running, _ in at_their_limit)
    same(plain, green)
    check_ended_by_slurm(green, "DUE TO TIME LIMIT")
    assert green.journal.covered_seconds > 1
