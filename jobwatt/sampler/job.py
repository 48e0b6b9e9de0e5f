"""A job on this node, seen from a step of our own in it: what its other steps use, who they are.

Slurm's cgroups say which processes are the job's: `…/job_3/step_0/…`, and `step_batch` for its
script. Where no cgroup counts CPU time (version 1 without jobacct_gather/cgroup), that of the
processes is added up.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobwatt.sampler.proc import (
    ProcessTree,
    StepCgroup,
    Usage,
    cgroup_paths,
    job_level,
    stat_fields,
)
from jobwatt.sources.files import read_text

_EXTERN = "step_extern"
"""Slurm's own keeper of the job: it lives until the job has ended."""
_LOOK_FRACTION = 0.01
_LEADING = ("step_batch", "step_interactive")
"""With the first process of one of these the whole job ends."""


class Job:
    """The job of this process on this node, without the step of this process."""

    def __init__(self, proc_text: str, base: Path) -> None:
        """From the text of `/proc/self/cgroup` and the mount point (`/sys/fs/cgroup`)."""
        self._whole = StepCgroup(proc_text, base, job_level)
        self._own = StepCgroup(proc_text, base)
        self._folder, self._own_step = _job_folder(proc_text, base)
        self._look_seconds = 0.0
        self._cpu_seconds: dict[int, float] = {}
        self._cpu_seconds_before: dict[int, float] = {}

    def usage(self) -> Usage:
        """Cumulative use by the job's steps. None where neither cgroups nor processes tell."""
        whole, own = self._whole.usage(), self._own.usage()
        rest = Usage(
            _minus(whole.cpu_seconds, own.cpu_seconds),
            _minus_whole(whole.memory_bytes, own.memory_bytes),
            _minus_whole(whole.read_bytes, own.read_bytes),
            _minus_whole(whole.written_bytes, own.written_bytes),
        )
        if rest.cpu_seconds is None:
            return rest._replace(cpu_seconds=self._cpu_seconds_of_processes())
        return rest

    def processes(self) -> list[int]:
        """Those that Slurm started in the job's steps, and theirs."""
        return [pid for step in self._steps() for pid in _pids(step)]

    def leaders(self) -> list[int]:
        """The batch script (or the shell of salloc's step), if it runs on this node."""
        leading = [step for step in self._steps() if step.endswith(_LEADING)]
        return [pid for step in leading for pid in _pids(step) if _is_stepd(_parent(pid))]

    def look(self) -> None:
        """Note what the processes have used, where no cgroup will tell once they are gone.

        To be called often: a step that comes and goes between two looks is not seen. Does nothing
        as long as that would cost more than 1 % of a CPU.
        """
        began = time.monotonic()
        if self._whole.counts_cpu or began < self._look_seconds:
            return
        self._cpu_seconds_of_processes()
        ended = time.monotonic()
        self._look_seconds = ended + (ended - began) / _LOOK_FRACTION

    def _steps(self) -> list[str]:
        try:
            names = os.listdir(self._folder) if self._folder else []
        except OSError:
            names = []
        others = [name for name in names if name not in (self._own_step, _EXTERN)]
        return [f"{self._folder}/{name}" for name in others if name.startswith("step_")]

    def _cpu_seconds_of_processes(self) -> float | None:
        """By step: its slurmstepd, which collects what the dead have used, and all below it."""
        if not self._folder:
            return None
        pids = set(self.processes())
        tops = {pid: parent for pid in pids if (parent := _parent(pid)) not in pids}
        stepds = {parent for parent in set(tops.values()) if _is_stepd(parent)}
        for stepd in stepds:
            self._count(stepd, is_new=True)
        for orphan in (pid for pid, parent in tops.items() if parent not in stepds):
            self._count(orphan, is_new=False)  # so far the step that it left has counted it
        return sum(self._cpu_seconds.values())

    def _count(self, root: int, is_new: bool) -> None:
        seconds = ProcessTree(root).usage().cpu_seconds or 0.0
        before = self._cpu_seconds_before.setdefault(root, 0.0 if is_new else seconds)
        self._cpu_seconds[root] = max(self._cpu_seconds.get(root, 0.0), seconds - before)


def _pids(step: str) -> list[int]:
    """All processes of a step's cgroup and those below it, without slurmstepd."""
    found: list[int] = []
    for folder, _, _ in os.walk(step):
        text = read_text(f"{folder}/cgroup.procs") or ""
        found.extend(int(word) for word in text.split())
    return [pid for pid in found if not _is_stepd(pid)]


def _job_folder(proc_text: str, base: Path) -> tuple[str, str]:
    """The job's folder in one of the hierarchies, and the name of our own step in it."""
    for controller, path in cgroup_paths(proc_text).items():
        level = job_level(path)
        folder = str(base / controller.removeprefix("name=") / level.strip("/"))
        if level and os.path.isdir(folder):  # noqa: PTH112
            return folder, path[len(level) :].split("/")[1]
    return "", ""


def _is_stepd(pid: int) -> bool:
    return read_text(f"/proc/{pid}/comm") == "slurmstepd"


def _parent(pid: int) -> int:
    fields = stat_fields(pid)
    return int(fields[1]) if fields else 0


def _minus(whole: float | None, own: float | None) -> float | None:
    return None if whole is None else max(0.0, whole - (own or 0.0))


def _minus_whole(whole: int | None, own: int | None) -> int | None:
    return None if whole is None else max(0, whole - (own or 0))
