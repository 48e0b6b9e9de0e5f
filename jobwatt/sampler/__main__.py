"""Entry of the sampler: `python -I -S …/sampler/__main__.py step PID [PARENT]`, by the prolog.

`run` instead of `step`: a command of `jobwatt run`, described by a line of JSON on stdin once
it has started. `attach`: a running job, from a step of our own in it. Nothing is ever
printed in a step of the job's, and nothing raised: the job must not notice.
"""

from __future__ import annotations

import os
import select
import sys

SETTLE_SECONDS = 0.2
"""A step that ends within this time meets a small process that leaves at once, not half-way
through its imports: slurmstepd sleeps 1 s if anybody is left."""


def main(arguments: list[str]) -> None:
    """Dispatch; an unknown mode is a programming error and ends silently."""
    if arguments[:1] == ["step"] and len(arguments) in (2, 3):
        pid, parent = (int(number) for number in (*arguments[1:], "0")[:2])
        if _ends_within(pid, SETTLE_SECONDS):
            pid = _other_task(pid, parent)
            if not pid:
                os._exit(0)
        _find_package()
        from jobwatt.sampler.session import measure_step

        measure_step(pid, dict(os.environ))
    elif arguments[:1] == ["run"]:
        _find_package()
        from jobwatt.sampler.session import measure_command

        measure_command(dict(os.environ))
    elif arguments[:1] == ["attach"] and len(arguments) == 2:
        _find_package()
        from jobwatt.sampler.attach import measure_job

        measure_job(arguments[1], dict(os.environ))


def _ends_within(pid: int, seconds: float) -> bool:
    try:
        poll = select.poll()
        poll.register(os.pidfd_open(pid), select.POLLIN)
    except (OSError, AttributeError):
        return not os.path.exists(f"/proc/{pid}")  # noqa: PTH110 - no pathlib yet
    return bool(poll.poll(seconds * 1000))


def _other_task(pid: int, parent: int) -> int:
    """A task of ours on this node that goes on although the first has ended; 0 if there is none."""
    try:
        for thread in os.listdir(f"/proc/{parent}/task") if parent > 1 else ():
            with open(f"/proc/{parent}/task/{thread}/children") as file:  # noqa: PTH123
                for other in map(int, file.read().split()):
                    if other != pid and os.stat(f"/proc/{other}").st_uid == os.getuid():
                        return other
    except (OSError, ValueError):
        pass
    return 0


def _find_package() -> None:
    """Under `-I -S` only the standard library is found: add the folder that holds jobwatt."""
    if sys.flags.no_site:
        folder = os.path.abspath(__file__)  # noqa: PTH100
        for _ in range(3):
            folder = os.path.dirname(folder)  # noqa: PTH120
        sys.path.append(folder)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BaseException:
        if os.environ.get("JOBWATT_DEBUG"):
            raise
    finally:
        os._exit(0)
