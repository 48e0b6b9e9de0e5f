"""One sampler's life: from the environment to a running `Sampling`, and its end."""

from __future__ import annotations

import _socket
import json
import os
import signal
import sys
import time
from binascii import crc32
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jobwatt import __version__
from jobwatt.config import Settings, load
from jobwatt.journal.format import VERSION
from jobwatt.paths import fallback_directory, journal_path
from jobwatt.sampler import proc
from jobwatt.sampler.condense import Totals, encode
from jobwatt.sampler.loop import Clocks, Sampling, Watch, sample
from jobwatt.sampler.meters import Meters, Wish
from jobwatt.sampler.slim import slim
from jobwatt.sampler.tasks import Tasks
from jobwatt.sampler.writer import Place, Writer
from jobwatt.slurm.env import DETAILS, StepIdentity, step_identity
from jobwatt.sources.files import read_text

WATCH_FILE = "watch"
WATCH_SECONDS = 15.0

_IGNORED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGTSTP", "SIGPIPE")
"""Signals meant for the job's processes. A sampler ends with the tasks."""


def measure_step(pid: int, environ: Mapping[str, str]) -> None:
    """Sample a Slurm step on this node until its tasks end. `pid`: the task that started us."""
    settings = load(environ)
    identity = step_identity(environ, os.uname().nodename)
    if settings.disable or identity is None:
        return
    become_unobtrusive()
    tasks = Tasks(pid, siblings=True, device_files=gpu_files(settings.sys_root / "dev"))
    meters = open_meters(settings, environ, identity, gpus_only=identity.local_rank != 0)
    uuids = [track.device.id for track in meters.tracks]
    lock = claim(identity, uuids)
    if lock is None or (identity.local_rank != 0 and not uuids):
        return
    usage = _step_usage(pid) if identity.local_rank == 0 else proc.Usage
    details = {name: environ[name] for name in DETAILS if environ.get(name)}
    measure(settings, identity, meters, tasks, usage, details, pid, "step")


def measure_command(environ: Mapping[str, str]) -> None:
    """Sample one command of `jobwatt run`, which says on stdin what it started."""
    settings = load(environ)
    become_unobtrusive()
    in_slurm = step_identity(environ, os.uname().nodename)
    meters = open_meters(settings, environ, in_slurm)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    request = json.loads(sys.stdin.readline())
    pid = int(request["pid"])
    identity = StepIdentity(
        job=request["job"],
        step=request["step"],
        restart=in_slurm.restart if in_slurm else 0,
        node=in_slurm.node if in_slurm else os.uname().nodename,
        cluster=in_slurm.cluster if in_slurm else "",
        cpus_allocated=in_slurm.cpus_allocated if in_slurm else None,
    )
    tree = proc.ProcessTree(pid)
    details = {"command": request["command"]}
    tasks = Tasks(pid, siblings=False)
    measure(settings, identity, meters, tasks, tree.usage, details, pid, "run")


def holds_whole_node(identity: StepIdentity, cpus_total: int) -> bool:
    """Whether the job has all CPUs, so that the node's whole energy is its own."""
    return identity.cpus_allocated is not None and identity.cpus_allocated >= cpus_total


def open_meters(
    settings: Settings,
    environ: Mapping[str, str],
    identity: StepIdentity | None,
    gpus_only: bool = False,
) -> Meters:
    """All that this node can meter for the job."""
    return Meters(
        Wish(
            settings.sys_root,
            environ,
            settings.nvml_library,
            settings.disabled_sources,
            whole_node=identity is not None and holds_whole_node(identity, os.cpu_count() or 1),
            gpus_only=gpus_only,
        )
    )


def measure(
    settings: Settings,
    identity: StepIdentity,
    meters: Meters,
    tasks: Watch,
    usage: Callable[[], proc.Usage],
    details: Mapping[str, Any],
    pid: int,
    kind: str,
) -> None:
    """Sample until `tasks` end. `kind`: `step`, `run` or `attach`; `pid`: whose start counts."""
    clocks = Clocks()
    writer = Writer(_places(settings, identity, clocks.wall()), is_watched)
    sampling = Sampling(
        meters,
        lambda: read_totals(usage, clocks),
        writer,
        clocks,
        settings.tick_seconds,
        settings.line_seconds,
    )
    head = _head(settings, identity, meters, sampling, clocks, pid, kind)
    writer.start(encode({**head, "details": details}))
    slim()
    sample(sampling, tasks, kind == "step")


def _step_usage(pid: int) -> Callable[[], proc.Usage]:
    """The step's cgroup; its CPU time from slurmstepd's descendants where no cgroup counts it."""
    cgroup = proc.StepCgroup(read_text("/proc/self/cgroup") or "", Path("/sys/fs/cgroup"))
    fields = proc.stat_fields(pid)
    if cgroup.counts_cpu or fields is None:
        return cgroup.usage
    tree = proc.ProcessTree(int(fields[1]))
    return lambda: cgroup.usage()._replace(cpu_seconds=tree.usage().cpu_seconds)


def read_totals(usage: Callable[[], proc.Usage], clocks: Clocks) -> Totals:
    """The step's, the node's and our own cumulative figures at this instant."""
    used = usage()
    node = proc.node_cpu_seconds(read_text("/proc/stat"))
    busy, total = node if node else (None, None)
    return Totals(*used, busy, total, clocks.own_cpu())


def is_watched(folder: Path) -> bool:
    """Whether a live view has touched the job's watch file lately."""
    try:
        return time.time() - os.stat(folder / WATCH_FILE).st_mtime < WATCH_SECONDS
    except OSError:
        return False


def gpu_files(folder: Path) -> list[str]:
    """The device files that a process using an NVIDIA GPU holds open."""
    try:
        return [str(folder / name) for name in os.listdir(folder) if name.startswith("nvidia")]
    except OSError:
        return []


def _head(
    settings: Settings,
    identity: StepIdentity,
    meters: Meters,
    sampling: Sampling,
    clocks: Clocks,
    pid: int,
    kind: str,
) -> dict[str, Any]:
    """First line of the journal: who, where, with what."""
    started = proc.start_boot_seconds(pid)
    age = None if started is None else time.clock_gettime(time.CLOCK_BOOTTIME) - started
    cpus_total = os.cpu_count() or 1
    return {
        "jobwatt": VERSION,
        "version": __version__,
        "kind": kind,
        "job": identity.job,
        "cluster": identity.cluster,
        "step": identity.step,
        "restart": identity.restart,
        "node": identity.node,
        "rank": identity.rank,
        "step_nodes": identity.step_nodes,
        "user_id": os.getuid(),
        "wall_seconds": round(clocks.wall(), 3),
        "monotonic_seconds": round(sampling.start_seconds, 3),
        "age_seconds": None if age is None else round(age, 3),
        "tick_seconds": settings.tick_seconds,
        "cpus_total": cpus_total,
        "cpus_allocated": identity.cpus_allocated,
        "whole_node": holds_whole_node(identity, cpus_total),
        "gpu_rule": meters.gpu_rule,
        "gpus_allocated": meters.gpus_allocated,
        "devices": [track.device._asdict() for track in meters.tracks],
        "rejected": [
            {"source": probe.source, "state": probe.state, "detail": probe.detail}
            for probe in meters.rejected
        ],
        "problems": list(settings.problems),
    }


def _places(settings: Settings, identity: StepIdentity, wall_seconds: float) -> list[Place]:
    month = time.strftime("%Y-%m", time.localtime(wall_seconds))
    places = []
    for root, must_own in ((settings.directory, False), (fallback_directory(os.getuid()), True)):
        path = journal_path(
            root,
            month,
            identity.job,
            identity.cluster,
            identity.step,
            identity.restart,
            identity.node,
            identity.rank,
        )
        places.append(Place(root, path, must_own))
    return places


def become_unobtrusive() -> None:
    """Private files, no signals of the job's, any CPU of the step instead of task 0's."""
    os.umask(0o077)
    os.chdir("/")
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    except OSError:
        pass


def claim(identity: StepIdentity, uuids: list[str]) -> _socket.socket | None:
    """One sampler per node and device set. A name in the abstract namespace dies with us."""
    devices = crc32(" ".join(sorted(uuids)).encode())
    step = f"{identity.job}.{identity.step}.{identity.restart}"
    name = f"\0jobwatt/{os.getuid()}/{step}/{identity.node[:40]}/{devices:08x}"
    claim = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        claim.bind(name)
    except OSError:
        return None
    return claim
