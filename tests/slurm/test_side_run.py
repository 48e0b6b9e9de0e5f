"""The sruns of a side step, with a program in srun's place that does what srun does."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobwatt.slurm.side_run import FINISH_SECONDS, SideRun, last_word
from jobwatt.slurm.side_step import SideStep

# `--gres=...` is refused; the others run until standard input ends, or as the program says.
SRUN = """#!/bin/bash
echo "$*" >>"$LOG"
for word; do case $word in
    --gres=gpu:*) echo "srun: error: Unable to create step for job 1: Invalid gres" >&2; exit 1 ;;
    --nodelist=gone) echo "srun: error: Expired or invalid job 1" >&2; exit 1 ;;
esac; done
echo "jobwatt start $NODE"
PROGRAM
"""
UNTIL_EOF = "cat >/dev/null; echo 'jobwatt end n1 detached'"


def started(folder: Path, program: str, *steps: SideStep) -> SideRun:
    srun = folder / "srun"
    srun.write_text(SRUN.replace("PROGRAM", program))
    srun.chmod(0o755)
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(folder / "log"), "NODE": "n1"}
    return SideRun(steps or (step(),), ["sampler", "attach"], environ)


def step(*task_options: tuple[str, ...], options: tuple[str, ...] = ("--overlap",)) -> SideStep:
    return SideStep(1, "", options, task_options or ((),))


def until(run: SideRun, starts: int) -> SideRun:
    deadline = time.monotonic() + 20
    while run.is_alive and run.starts < starts:
        assert time.monotonic() < deadline
        run.wait(0.1)
    return run


def ended(run: SideRun) -> SideRun:
    """Once all sruns have ended: in less than the time that a last reading is waited for."""
    deadline = time.monotonic() + FINISH_SECONDS - 1
    while run.is_alive:
        assert time.monotonic() < deadline
        run.wait(0.1)
    return run


def test_until_standard_input_ends(tmp_path: Path) -> None:
    run = until(started(tmp_path, UNTIL_EOF), 1)
    run.wait(0.3)
    assert run.is_alive
    assert (run.nodes, run.starts) == (1, 1)
    run.detach()
    ended(run)
    assert (run.problems, run.broken, run.is_busy) == ([], "", False)
    assert (tmp_path / "log").read_text() == "--overlap sampler attach 0\n"


def test_one_that_ends_with_the_job_ends_all(tmp_path: Path) -> None:
    script = "if [[ $1 == first ]]; then sleep 0.3; else cat; fi; echo jobwatt end n1 gone"
    run = started(tmp_path, script, step(options=("first",)), step(options=("second",)))
    assert ended(run).starts == 2
    assert run.is_detaching


def test_what_srun_refuses_is_asked_for_otherwise(tmp_path: Path) -> None:
    choices = (("--gres=gpu:a:2",), ("--gres=gpu:2",), ("--gres=none",))
    run = until(started(tmp_path, UNTIL_EOF, step(*choices)), 1)
    run.detach()
    ended(run)
    [problem] = run.problems
    assert problem.endswith("Unable to create step for job 1: Invalid gres")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[1] for line in lines] == [option for (option,) in choices]


def test_when_srun_refuses_all(tmp_path: Path) -> None:
    lost = step(("--gres=gpu:2",), (), options=("--nodelist=gone",))
    run = ended(started(tmp_path, UNTIL_EOF, lost))
    assert (run.starts, run.nodes) == (0, 0)
    assert run.problems[-1] == "Expired or invalid job 1"


def test_another_measurement(tmp_path: Path) -> None:
    run = ended(started(tmp_path, "echo jobwatt busy n1; cat"))
    assert run.is_busy
    assert run.problems == []


def test_samplers_that_are_killed(tmp_path: Path) -> None:
    run = ended(started(tmp_path, "echo 'srun: error: n1: task 0: Killed' >&2; exit 137"))
    assert (run.broken, run.problems) == ("n1: task 0: Killed", [])


def test_one_that_does_not_end(tmp_path: Path) -> None:
    run = until(started(tmp_path, "trap '' TERM; while :; do sleep 0.1; done"), 1)
    run.abandon()
    assert ended(run).starts == 1


def test_a_descriptor_of_the_callers(tmp_path: Path) -> None:
    run = until(started(tmp_path, UNTIL_EOF), 1)
    reader, writer = os.pipe()
    run.watch(reader)
    assert not run.wait(0.0)
    os.write(writer, b"x")
    assert run.wait(10.0)
    run.detach()
    ended(run)
    os.close(reader)
    os.close(writer)


def test_other_words_of_a_site_are_no_words_of_ours(tmp_path: Path) -> None:
    noise = "echo hello; echo jobwatt; echo jobwatt what n1; printf '\\377\\n'; "
    run = until(started(tmp_path, noise + UNTIL_EOF), 1)
    run.detach()
    assert ended(run).starts == 1


def test_last_words() -> None:
    assert last_word(b"srun: error: first\nsrun: error: second\nsrun: Check it\n") == "second"
    assert last_word(b"only this\n\n") == "only this"
    assert last_word(b"") == "srun gave no reason"
