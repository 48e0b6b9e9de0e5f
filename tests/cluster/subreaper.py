"""Run one daemon and own every process that it leaves behind.

Usage: subreaper.py PID_FILE COMMAND [ARGUMENT...]

slurmstepd detaches from slurmd, so its end is reaped by process 1. Where that process is slow
(some virtual machines and containers need more than a second), every job step ends late. As a
child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) this process reaps such orphans at once, and at
SIGTERM, or when the daemon ends by itself, it kills them all. Exits with the daemon's status.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
GRACE_TIME_SECONDS = 3.0  # between SIGTERM and SIGKILL for the daemon


def children(parent: int) -> list[int]:
    """The processes whose parent is ``parent``: field 4 of ``/proc/PID/stat`` (proc(5))."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state_and_parent = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended in the meantime
        if int(state_and_parent[1]) == parent:
            found.append(int(entry.name))
    return found


def kill_all_descendants() -> None:
    """Kill children until none is left; grandchildren become children when their parent dies."""
    while True:
        for pid in children(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def main(pid_file: Path, command: list[str]) -> int:
    """Run ``command`` to its end and return its exit status."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    daemon = os.fork()
    if daemon == 0:
        os.execvp(command[0], command)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        os.kill(daemon, signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, GRACE_TIME_SECONDS)

    def stop_now(_signal: int, _frame: FrameType | None) -> None:
        os.kill(daemon, signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop_now)
    pid_file.write_text(f"{os.getpid()}\n")
    while True:
        pid, status = os.wait()
        if pid == daemon:
            break
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    kill_all_descendants()
    pid_file.unlink(missing_ok=True)
    return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
