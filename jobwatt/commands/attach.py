"""`jobwatt attach JOB`: measure a running job of one's own from beside it, until it or we end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jobwatt.commands.attach_screen import Screen, interrupts, write
from jobwatt.config import Settings, load
from jobwatt.errors import JobwattError, NotFoundError, UsageError
from jobwatt.filesystems import SHARED_FILESYSTEMS, filesystem_kind
from jobwatt.journal.store import StepFiles, account_of_job, record_end, steps_of
from jobwatt.sampler.attach import REQUEST
from jobwatt.sampler.proc import cgroup_paths, job_level
from jobwatt.slurm.commands import cluster_name
from jobwatt.slurm.side_ask import TIME_LIMIT_SECONDS, find, plan
from jobwatt.slurm.side_run import SideRun
from jobwatt.slurm.side_step import check_job, side_environment
from jobwatt.sources.files import read_text
from jobwatt.views.clean import clean
from jobwatt.views.report import build
from jobwatt.views.summary import summary_lines

START_SECONDS = 60.0
_PREFIX = "attach-"


def attach(job: str, environ: Mapping[str, str]) -> int:
    """Measure it; the summary goes to stderr. 0 where it was measured.

    NotFoundError: no such job, or it does not run. UsageError: no job id, somebody else's job, or
    the one that this process is a part of.
    JobwattError: Slurm refuses, or jobwatt is not on the nodes.
    """
    check_job(job)
    settings = load(environ)
    if settings.disable:
        raise JobwattError("measuring is turned off (journal.disable)", "see: jobwatt config")
    if shutil.which("srun", path=environ.get("PATH")) is None:
        raise JobwattError("srun is not on the PATH", "run this where Slurm is installed")
    components = find(job, os.getuid(), environ)
    _check_outside(components[0].job, environ)
    _check_install(settings, [each.node_list for each in components])
    steps, restart, problems = plan(components, environ)
    target = _Target(settings, job, components[0].job, cluster_name(environ, TIME_LIMIT_SECONDS))
    request = {
        "step": target.step,
        "restart": restart,
        "cluster": target.cluster,
        "details": dict(components[0].details),
    }
    told = {REQUEST: json.dumps(request), "JOBWATT_DIR": str(settings.directory)}
    with interrupts() as interrupted:
        run = SideRun(steps, _sampler(), side_environment(environ) | told)
        run.problems.extend(problems)
        run.watch(interrupted.fileno())
        return _follow(run, target, interrupted)


class _Target:
    """What is measured, and where its journals are."""

    def __init__(self, settings: Settings, shown: str, job: str, cluster: str) -> None:
        self.settings = settings
        self.shown = shown
        self.job = job
        self.cluster = cluster
        numbers = [0]
        for files in self._all_files():
            number = files.step.partition("+")[0].removeprefix(_PREFIX)
            numbers += [int(number)] if number.isdecimal() and len(number) < 6 else []
        self.step = f"{_PREFIX}{max(numbers) + 1}"

    def files(self) -> list[StepFiles]:
        """This measurement's; of a het job one step for each component."""
        return [each for each in self._all_files() if each.step.partition("+")[0] == self.step]

    def _all_files(self) -> list[StepFiles]:
        try:
            found = steps_of(self.settings.directory, self.job, self.cluster or None)
        except NotFoundError:
            return []
        return [each for each in found if each.step.startswith(_PREFIX)]


def _follow(run: SideRun, target: _Target, interrupted: socket.socket) -> int:
    """Until every srun has ended. A first signal ends the measurement, a second one waits no more.

    JobwattError: nothing was measured.
    """
    screen = Screen(target.shown, target.files, target.settings.quiet)
    deadline = time.monotonic() + START_SECONDS
    said, is_stopped = 0, False
    while run.is_alive:
        if run.wait(min(1.0, max(0.0, screen.due - time.monotonic()))):
            interrupted.recv(4096)
            is_stopped = True
            if run.is_detaching:
                run.abandon()
            run.detach()
        if run.starts and run.starts >= run.nodes:
            screen.announce(run.starts)
            for problem in run.problems[said:]:
                screen.say(clean(problem, 300))
            said = len(run.problems)
        elif time.monotonic() > deadline:
            run.detach()
        if not run.is_detaching:
            screen.refresh()
    screen.clear()
    if run.starts:
        write([f"jobwatt: {clean(problem, 300)}" for problem in run.problems[said:]])
    return _conclude(run, target, is_stopped)


def _conclude(run: SideRun, target: _Target, is_stopped: bool) -> int:
    if run.is_busy:
        raise JobwattError(
            f"job {target.shown} is being measured by another jobwatt attach",
            f"see: jobwatt show {target.shown}",
        )
    if not run.starts:
        if is_stopped:
            return 128 + signal.SIGINT
        reason = run.problems[-1] if run.problems else "no sampler started"
        raise JobwattError(f"job {target.shown} is not measured: {clean(reason, 300)}")
    if run.broken and _runs(target.shown):
        write([f"jobwatt: the measurement was broken off: {clean(run.broken, 300)}"])
    ended = time.time()
    files = [record_end(each, ended) for each in target.files()]
    if not files:
        raise JobwattError(
            f"no figures of job {target.job}: no journal in {target.settings.directory}",
            f"nodes that cannot write there keep theirs in /var/tmp/jobwatt-{os.getuid()}",
        )
    if not target.settings.quiet:
        report = build(replace(account_of_job(files), step=target.step))
        write([*target.settings.problems[:1], *summary_lines(report)])
    return 0


def _runs(job: str) -> bool:
    try:
        return bool(find(job, os.getuid(), os.environ))
    except JobwattError:
        return False


def _check_outside(job: str, environ: Mapping[str, str]) -> None:
    """Slurm ends us with the job's script, which then waits some seconds for the step that we left.

    UsageError: we are part of the job.
    """
    paths = cgroup_paths(read_text("/proc/self/cgroup") or "").values()
    if environ.get("SLURM_JOB_ID") == job and any(map(job_level, paths)):
        raise UsageError(
            f"this shell is in job {job}, and attach measures from outside",
            "use it on the login node; in a script, srun-green or jobwatt run -- COMMAND",
        )


def _check_install(settings: Settings, node_lists: Sequence[str]) -> None:
    """The sampler must stand at the same path on every node. JobwattError: it may not."""
    package = Path(__file__).resolve().parents[1]
    mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    if (
        settings.shared_install
        or set(node_lists) == {os.uname().nodename}
        or filesystem_kind(str(package), mountinfo) in SHARED_FILESYSTEMS
    ):
        return
    raise JobwattError(
        f"{package} may not exist on the nodes", "if it does: export JOBWATT_SHARED_INSTALL=1"
    )


def _sampler() -> list[str]:
    package = Path(__file__).resolve().parents[1]
    if package.parent.name in ("site-packages", "dist-packages"):  # all that it needs is there
        return [sys.executable, "-I", "-S", str(package / "sampler" / "__main__.py"), "attach"]
    return [sys.executable, "-I", "-m", "jobwatt.sampler", "attach"]
