"""`jobwatt run -- COMMAND`: one command on this machine, measured; otherwise as `env COMMAND`."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from jobwatt.config import Settings, load
from jobwatt.errors import JobwattError
from jobwatt.journal.store import StepFiles, account_of_step, record_end, steps_of
from jobwatt.paths import fallback_directory
from jobwatt.slurm.env import step_identity
from jobwatt.views.clean import clean
from jobwatt.views.report import build
from jobwatt.views.summary import summary_lines

READY_SECONDS = 0.5
FINISH_SECONDS = 2.0
WATCHED = {
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGWINCH,
}
"""Passed on, but for SIGCHLD."""
_PR_SET_PDEATHSIG = 1
_SI_KERNEL = 128


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it, print the summary on stderr, give its exit code (128 + n where a signal ended it).

    A command that cannot be started gives 127 (not found) or 126, as env does.
    """
    settings = load(environ)
    sampler = None if settings.disable else start_sampler(environ)
    try:
        process = _start(command)
    except OSError as error:
        sys.stderr.write(f"jobwatt: {command[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126
    child = process.pid
    step = step_identity(environ, os.uname().nodename)
    job = step.job if step else time.strftime("local-%Y%m%d-%H%M%S-") + str(child)
    name = f"run-{child}" if step else "0"
    if sampler:
        _tell(sampler, {"pid": child, "job": job, "step": name, "command": list(command)})
    status = _wait(child)
    ended = time.time()
    code = os.waitstatus_to_exitcode(status)
    if sampler:
        _finish(sampler)
        files = _note_end(settings, job, name, step.cluster if step else "", ended, code)
        if not settings.quiet:
            _summarise(settings, f"{job}.{name}", files)
    if code < 0:
        _die_likewise(-code)
    return code


def start_sampler(environ: Mapping[str, str]) -> subprocess.Popen[str] | None:
    """The sampler, ready to read or nearly so (the command waits 0.5 s at most); None: no start."""
    package = Path(__file__).parents[1]
    entry = ["-I", "-m", "jobwatt.sampler"]
    if package.parent.name in ("site-packages", "dist-packages"):  # all that it needs is there
        entry = ["-I", "-S", str(package / "sampler" / "__main__.py")]
    try:
        sampler = subprocess.Popen(
            [sys.executable, *entry, "run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if environ.get("JOBWATT_DEBUG") else subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=dict(environ),
        )
    except OSError:
        return None
    assert sampler.stdout is not None
    # The first reading comes with the command's start, so drivers are opened before it.
    select.select([sampler.stdout], [], [], READY_SECONDS)
    return sampler


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the command with our stdin, terminal, process group and signal dispositions.

    It dies with us: who kills `env COMMAND` by SIGKILL kills the command too.
    """
    libc = ctypes.CDLL(None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)

    def as_it_was() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        return subprocess.Popen(list(command), preexec_fn=as_it_was, close_fds=False)
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise


def _tell(sampler: subprocess.Popen[str], request: Mapping[str, object]) -> None:
    pipe: IO[str] | None = sampler.stdin
    assert pipe is not None
    try:
        pipe.write(json.dumps(request) + "\n")
        pipe.close()
    except OSError:
        pass


def _wait(child: int) -> int:
    """Wait for the end; pass signals on, stop and continue with the child as a shell expects.

    What the terminal's keys send (`SI_KERNEL`) went to the child already, by its process group.
    """
    while True:
        signal_info = signal.sigwaitinfo(WATCHED)
        number = signal_info.si_signo
        if number != signal.SIGCHLD:
            if signal_info.si_code != _SI_KERNEL:
                os.kill(child, number)  # not yet waited for: the process id is still its own
            continue
        found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
        elif found:
            return status


def _finish(sampler: subprocess.Popen[str]) -> None:
    """The sampler sees the end by itself, takes a last reading and leaves."""
    try:
        sampler.wait(FINISH_SECONDS)
    except subprocess.TimeoutExpired:
        sampler.kill()


def _note_end(
    settings: Settings, job: str, step: str, cluster: str, wall_seconds: float, code: int
) -> StepFiles | None:
    """The step's files, with its end and exit code noted; None if there is no journal."""
    try:
        found = steps_of(settings.directory, job, cluster or None)
    except JobwattError:
        return None
    ours = [files for files in found if files.step == step]
    return record_end(ours[0], wall_seconds, code if code >= 0 else 128 - code) if ours else None


def _summarise(settings: Settings, name: str, files: StepFiles | None) -> None:
    lines = [f"jobwatt {name}: no figures: the journal could not be written"]
    if files is not None:
        try:
            lines = summary_lines(build(account_of_step(files)))
        except JobwattError:
            pass
    said = (*settings.problems[:1], *_elsewhere(settings, files), *lines)
    sys.stderr.write("".join(f"{line}\n" for line in said))


def _elsewhere(settings: Settings, files: StepFiles | None) -> list[str]:
    """Where the journal is, if not where it was wanted."""
    stand_in = fallback_directory(os.getuid())
    if files is None or settings.directory == stand_in:
        return []
    if not any(path.is_relative_to(stand_in) for path in files.journals):
        return []
    wanted = clean(str(settings.directory), 200)
    return [f"jobwatt: {wanted} cannot be written: the journal is in {stand_in}"]


def _die_likewise(number: int) -> None:
    """End by the signal that ended the command, so that the caller sees what happened."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has dumped its core
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    sys.stderr.flush()
    os.kill(os.getpid(), number)
