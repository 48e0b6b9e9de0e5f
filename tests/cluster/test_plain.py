"""Where srun-green does not measure, or says nothing: plain srun, and one line at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.lab import SRUN, Finished, Lab

pytestmark = pytest.mark.cluster


def only_line(step: Finished, words: str) -> None:
    """jobwatt said one line and measured nothing."""
    assert len(step.summary) == 1, step.stderr
    assert words in step.summary[0]
    assert step.summary[0].startswith("jobwatt: ")
    assert step.journals == ()


def test_reasons_for_plain_srun(lab: Lab, journal: Path) -> None:
    """Each says its reason in one line; the step is plain srun's."""
    job = ("bash", "-c", "sleep 0.6; echo ${SLURM_TASK_PROLOG-plain}; exit 3")
    silent = lab.both("-w", "n1", *job, journal=journal, env={"JOBWATT_DISABLE": "1"})
    assert silent.summary == []
    assert silent.journals == ()
    local = lab.both("-w", "n1", *job, journal=journal, env={"JOBWATT_SHARED_INSTALL": "0"})
    only_line(local, "export JOBWATT_SHARED_INSTALL=1")
    inside = lab.both("-w", "n1", *job, journal=journal, env={"SLURM_CONTAINER": "/none"})
    only_line(inside, "container")
    assert [step.code for step in (silent, local)] == [3, 3]
    assert [step.lines for step in (silent, local)] == [["plain"]] * 2


@pytest.mark.parametrize("arguments", [["--container=/bundle"], ["--container-image", "x"]])
def test_container_arguments(lab: Lab, journal: Path, arguments: list[str]) -> None:
    only_line(lab.both("-w", "n1", *arguments, "true", journal=journal), "container")


def test_argument_of_the_command_is_not_srun_s(lab: Lab, journal: Path) -> None:
    script = "sleep 1; echo $1"
    step = lab.both("-w", "n1", "bash", "-c", script, "x", "--container-image=y", journal=journal)
    assert step.lines == ["--container-image=y"]
    assert step.journal.spans


def test_no_srun(lab: Lab, journal: Path) -> None:
    step = lab.start("/bin/bash", lab.installed.srun_green, "true", journal=journal,
                     env={"PATH": "/nowhere"}).finish()  # fmt: skip
    assert step.code == 127
    assert step.stdout == b""
    assert len(step.stderr.splitlines()) == 1
    only_line(step, "srun is not on the PATH")


def test_link_and_quiet(lab: Lab, journal: Path, scratch: Path) -> None:
    """A link elsewhere finds the installation; JOBWATT_QUIET measures and says nothing."""
    link = scratch / "measured-srun"
    link.symlink_to(lab.installed.srun_green)
    job = ("-w", "n1", "bash", "-c", "sleep 1.5; echo out")
    step = lab.start(link, *job, journal=journal, env={"JOBWATT_QUIET": "1"}).finish()
    assert (step.code, step.lines, step.stderr) == (0, ["out"], "")
    assert step.journal.spans
    plain = lab.start(SRUN, *job, journal=journal).finish()
    assert plain.stdout == step.stdout
