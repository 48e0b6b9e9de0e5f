"""`jobwatt doctor`: what this machine lets anyone measure, and how to open what it does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from jobwatt.checkup.findings import Checkup
from jobwatt.checkup.meters import MIN_WATCH_SECONDS, examine
from jobwatt.checkup.surroundings import (
    check_cpu_time,
    check_journal,
    check_settings,
    check_srun,
    check_srun_green,
    check_versions,
)
from jobwatt.config import load
from jobwatt.errors import JobwattError
from jobwatt.sampler.meters import Wish
from jobwatt.sampler.session import holds_whole_node
from jobwatt.slurm.env import step_identity


def doctor(load_seconds: float, json: bool, environ: Mapping[str, str]) -> None:
    """Print the checkup on stdout. JobwattError if nothing at all can be measured here."""
    show_wait = not json and sys.stderr.isatty() and load_seconds >= MIN_WATCH_SECONDS
    if show_wait:
        sys.stderr.write(f"watching the meters under load for {load_seconds:g} s …")
        sys.stderr.flush()
    checkup = _checkup(load_seconds, environ)
    if show_wait:
        sys.stderr.write("\r\033[K" if environ.get("TERM", "dumb") != "dumb" else "\n")
    if json:
        from jobwatt.views.doctor_json import checkup_json

        print(checkup_json(checkup))
    else:
        from jobwatt.views.doctor import print_checkup

        print_checkup(checkup, environ)
    if not any(use.source for use in checkup.uses):
        sys.stdout.flush()
        raise JobwattError(
            "nothing can be measured on this machine",
            "no source works, not even the estimate from CPU time",
        )


def _checkup(load_seconds: float, environ: Mapping[str, str]) -> Checkup:
    settings = load(environ)
    node = os.uname().nodename
    identity = step_identity(environ, node)
    wish = Wish(
        settings.sys_root,
        environ,
        settings.nvml_library,
        settings.disabled_sources,
        whole_node=identity is not None and holds_whole_node(identity, os.cpu_count() or 1),
    )
    metering = examine(wish, load_seconds)
    srun = check_srun(environ)
    checks = (
        check_journal(settings.directory, os.getuid(), _text(Path("/proc/self/mountinfo"))),
        srun,
        check_srun_green(settings, environ, srun),
        check_cpu_time(_text(Path("/proc/self/cgroup")), Path("/sys/fs/cgroup"), environ),
        check_settings(settings),
        check_versions(settings.nvml_library),
    )
    return Checkup(
        identity.node if identity else node,
        load_seconds,
        metering.gpu_rule,
        metering.uses,
        metering.sources,
        checks,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
