"""One job of each kind on the real cluster, submitted by an ordinary user, ended all but two."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from jobwatt.slurm.ask import Answer, ask
from jobwatt.slurm.jobs import SlurmJob
from tests.cluster.cluster import ORDINARY_USER, Cluster

TIME_LIMIT_SECONDS = 120.0
ODD_NAME = "a|b\"c'd é \x1b[31mred\x1b[0m\n7\x1fline2"
EATS_MEMORY = "python3 -c 'x = bytearray(300 << 20)'"

SCRIPTS = {
    "good": (("-N2", "--gres=gpu:2"), "srun true"),
    "fails": ((), "exit 3"),
    "fails loudly": ((), "exit 200"),
    "killed": ((), "kill -9 $$"),
    "step killed": ((), "srun sh -c 'kill -9 $$'"),
    "eats": (("--mem=50",), EATS_MEMORY),
    "step eats": (("--mem=50",), f"srun {EATS_MEMORY}"),
    "array": (("--array=1-2",), "sleep 1"),
    ODD_NAME: ((), "echo first\nsleep 1"),
    "cancelled": ((), "sleep 300"),
    "too slow": (("-t", "5"), "sleep 300"),
    "again": (("--requeue",), "[ -n \"$SLURM_RESTART_COUNT\" ] || sleep 300"),
    "runs": (("-t", "30"), "sleep 300"),
    "waits": (("--hold", "--array=3-9%2"), "true"),
}


@dataclass(frozen=True)
class Submitted:
    """The jobs' ids by name, and from when on they are."""

    cluster: Cluster
    ids: dict[str, str]
    since_wall_seconds: float

    def ask(self, environ: dict[str, str], time_limit_seconds: float = 10.0) -> Answer:
        """What Slurm knows of them: other tests' jobs are left out."""
        answer = ask(
            self.since_wall_seconds, ORDINARY_USER, "commands", environ, time_limit_seconds
        )
        ours = tuple(
            job for job in answer.jobs if {job.job, job.array_job} & set(self.ids.values())
        )
        return answer._replace(jobs=ours)

    def by_name(self, answer: Answer) -> dict[str, SlurmJob]:
        """Jobs by the names that they were submitted with; of an array the last task."""
        names = {job: name for name, job in self.ids.items()}
        return {names.get(job.job) or names[job.array_job]: job for job in answer.jobs}


def submitted(cluster: Cluster) -> Iterator[Submitted]:
    """Submit them, wait for those that end, and cancel the rest at the end."""
    since = time.time() - 1
    ids = {name: _sbatch(cluster, "-J", name, *options, script=script)
           for name, (options, script) in SCRIPTS.items()}  # fmt: skip
    ids["het"] = _sbatch(
        cluster, "-J", "het", "-n1", "--gres=gpu:1", "--mem=100", ":", "-n2", "--gres=gpu:2",
        "--mem=200", script="srun --het-group=0,1 sleep 1",
    )  # fmt: skip
    stay = [ids["runs"], ids["waits"]]
    try:
        _wait(cluster, [ids[name] for name in ("cancelled", "too slow", "again", "runs")], "R")
        _run(cluster, "scancel", ids["cancelled"])
        # Ends at the next look at time limits, each 30 s, without the minute that is the least.
        _run(cluster, "scontrol", "update", f"JobId={ids['too slow']}", "EndTime=now")
        _run(cluster, "scontrol", "requeue", ids["again"])
        _wait(cluster, [ids["again"]], "PD")
        # Slurm would wait 2 min. At once is too soon: the node may not be rid of the first run.
        _run(cluster, "scontrol", "update", f"JobId={ids['again']}", "StartTime=now+5")
        ending = [job for job in ids.values() if job not in stay]
        _wait(cluster, ending, "CA,CD,F,NF,OOM,TO")
        yield Submitted(cluster, ids, since)
    finally:
        cluster.run("scancel", *ids.values())  # those that have ended are no matter to it


def _sbatch(cluster: Cluster, *options: str, script: str) -> str:
    """Every component of a het job has options of its own."""
    output = ("-o", "/dev/null")
    parts: list[str] = []
    for option in options:
        parts.extend((*output, ":") if option == ":" else (option,))
    command = ("sbatch", "--parsable", *parts, *output, "--wrap", script)
    return _run(cluster, *command, user=ORDINARY_USER).strip()


def _run(cluster: Cluster, *command: str, user: str = "root") -> str:
    done = cluster.run(*command, user=user)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _wait(cluster: Cluster, jobs: list[str], states: str) -> None:
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    ids = ",".join(jobs)
    while True:
        rest = [line for line in _run(cluster, "squeue", "-h", "-j", ids, "-t", "all",
                                      "-o", "%i %t").splitlines()
                if line.split()[1] not in states.split(",")]  # fmt: skip
        if not rest:
            return
        assert time.monotonic() < deadline, f"not {states}: {rest}"
        time.sleep(0.3)
