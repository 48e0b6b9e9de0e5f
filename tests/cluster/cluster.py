"""The test cluster for Python: start it, stop it, run commands as its clients.

The shell scripts beside this file do the work; see ``up`` for what they need and build.
"""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
ORDINARY_USER = "jwuser"
START_TIME_LIMIT_SECONDS = 600.0  # the first start may install packages
STOP_TIME_LIMIT_SECONDS = 60.0


class ClusterError(Exception):
    """A script of the cluster failed; the message is what it said."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: nodes n1 and n2, 8 CPUs, 4000 MB and 4 GPUs each, all of them fictional.

    ``directory`` holds configuration, logs and the GPUs' device files ``dev/nvidia0`` to
    ``dev/nvidia7``: the first four are n1's, the others n2's; Slurm counts 0 to 3 on each node.
    ``env`` is what a client's environment needs in addition to its own.
    """

    directory: Path
    env: Mapping[str, str]

    def run(
        self,
        *command: str | Path,
        user: str = "root",
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout_seconds: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a client command as ``user`` in the state directory; its output and exit status.

        The command gets this process's environment without Slurm's variables, the cluster's, and
        ``env``. Raises ``subprocess.TimeoutExpired``: the command is killed, its job may live on.
        """
        account = pwd.getpwnam(user)
        full_env = {
            k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SRUN"))
        }
        full_env |= {"HOME": account.pw_dir, "USER": user, "LOGNAME": user}
        return subprocess.run(
            [str(part) for part in command],
            env={**full_env, **self.env, **(env or {})},
            input=stdin,
            cwd=self.directory,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=os.getgrouplist(user, account.pw_gid),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )


def missing() -> str | None:
    """Why this machine cannot run the cluster, in one line, or None if it can."""
    check = _script("up", "--check", timeout_seconds=START_TIME_LIMIT_SECONDS)
    return None if check.returncode == 0 else _last_line(check.stderr)


def running() -> Cluster | None:
    """The cluster that is up now, or None."""
    answer = _script("env", timeout_seconds=STOP_TIME_LIMIT_SECONDS)
    if answer.returncode != 0:
        return None
    # Each line is `export NAME=VALUE`, quoted for a shell.
    words = [shlex.split(line)[1] for line in answer.stdout.splitlines()]
    env = dict(word.split("=", 1) for word in words)
    return Cluster(directory=Path(env["SLURM_CONF"]).parent.parent, env=env)


def start() -> Cluster:
    """Start the cluster, or take the healthy one that is up. Raises ClusterError."""
    answer = _script("up", timeout_seconds=START_TIME_LIMIT_SECONDS)
    cluster = running()
    if answer.returncode != 0 or cluster is None:
        raise ClusterError(_last_line(answer.stderr))
    return cluster


def stop() -> None:
    """Stop the cluster and remove all of it, if there is one. Raises ClusterError."""
    answer = _script("down", timeout_seconds=STOP_TIME_LIMIT_SECONDS)
    if answer.returncode != 0:
        raise ClusterError(_last_line(answer.stderr))


def _script(name: str, *arguments: str, timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPTS / name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
