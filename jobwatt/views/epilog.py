"""srun's epilog: note that the step ended, print its summary. Started by `jobwatt-srun-epilog`.

Whatever goes wrong, the job's exit code is srun's and nothing but one line is said.
"""

from __future__ import annotations

import os
import sys

TIME_LIMIT_SECONDS = 5.0

UNMEASURED = "no figures: the step was shorter than a second, or had a --task-prolog of its own"


def main() -> None:
    """Print the summary of the step in the environment on stderr."""
    if sys.flags.no_site:
        folder = os.path.abspath(__file__)  # noqa: PTH100 - before anything of ours is found
        for _ in range(3):
            folder = os.path.dirname(folder)  # noqa: PTH120
        sys.path.append(folder)
    import time

    from jobwatt.config import load
    from jobwatt.errors import JobwattError, NotFoundError
    from jobwatt.journal.store import account_of_step, record_end, steps_of
    from jobwatt.slurm.env import step_identity
    from jobwatt.views.report import build
    from jobwatt.views.summary import summary_lines

    now = time.time()
    settings = load(os.environ)
    identity = step_identity(os.environ, os.uname().nodename)
    if settings.disable or identity is None:
        return
    lines: list[str] = []
    try:
        steps = [
            files
            for files in steps_of(settings.directory, identity.job, identity.cluster or None)
            if files.step.partition("+")[0] == identity.step.partition("+")[0]
            and files.restart == identity.restart
        ]
        if not steps:
            raise NotFoundError("none")
        for files in steps:
            lines += summary_lines(build(account_of_step(record_end(files, now))))
    except NotFoundError:
        lines = [f"jobwatt {identity.job}.{identity.step}: {UNMEASURED}"]
    except JobwattError as error:
        lines = [f"jobwatt {identity.job}.{identity.step}: {error}"]
    if not settings.quiet:
        # Under `srun --pty` the terminal is still raw here: a line needs its carriage return.
        end = "\r\n" if sys.stderr.isatty() else "\n"
        sys.stderr.write("".join(f"{line}{end}" for line in (*settings.problems[:1], *lines)))


def _report() -> None:
    try:
        main()
    except Exception as error:
        sys.stderr.write(f"jobwatt: no summary: {type(error).__name__}: {error}\n")


if __name__ == "__main__":
    import threading

    # A file server that is gone must not keep srun: the wait is over when this process ends.
    worker = threading.Thread(target=_report, daemon=True)
    worker.start()
    try:
        worker.join(TIME_LIMIT_SECONDS)
        if worker.is_alive():
            sys.stderr.write("jobwatt: no summary: the journal's directory does not answer\n")
        sys.stderr.flush()
    finally:
        os._exit(0)
