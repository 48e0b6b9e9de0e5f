"""What lies around the meters: journal directory, Slurm, cgroup, settings, versions."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from jobwatt import __version__
from jobwatt.checkup.findings import ABSENT, NOTE, OK, PROBLEM, Check
from jobwatt.config import Settings
from jobwatt.energy.units import format_bytes
from jobwatt.filesystems import SHARED_FILESYSTEMS, filesystem_kind
from jobwatt.paths import fallback_directory
from jobwatt.sampler.proc import StepCgroup
from jobwatt.sources.files import is_there

SMALL_FREE_BYTES = 100 << 20
"""A month of many jobs fits into less; a filesystem this full is about to refuse."""
_PROBE_SECONDS = 10.0


def check_journal(directory: Path, uid: int, mountinfo: str) -> Check:
    """Whether the sampler could write there: by writing, where the directory exists."""
    existing = next(path for path in (directory, *directory.parents) if is_there(path))
    kind = filesystem_kind(os.path.realpath(existing), mountinfo)
    facts: dict[str, object] = {
        "directory": str(directory),
        "filesystem": kind,
        "shared_filesystem": kind in SHARED_FILESYSTEMS,
        "exists": existing == directory,
        "fallback_directory": str(fallback_directory(uid)),
    }
    instead = f"journals go to {fallback_directory(uid)} of each node"
    error = _write_error(existing, existing == directory)
    facts["writable"] = error is None
    if error is not None:
        return Check("journal", PROBLEM, f"{directory}: {error}; {instead}", facts)
    free = shutil.disk_usage(existing).free
    facts["free_bytes"] = free
    text = f"{directory}: {kind}, {format_bytes(free)} free"
    state = OK
    if existing != directory:
        text += ", made when first needed"
    else:
        mode = stat.S_IMODE(directory.stat().st_mode)
        facts["mode_octal"] = f"{mode:04o}"
        text += f", mode {mode:04o}"
        if mode & 0o077:
            state = NOTE
            text += f" (open to others; chmod 700 {directory} closes it)"
    if free < SMALL_FREE_BYTES:
        return Check("journal", PROBLEM, text + ": nearly full", facts)
    return Check("journal", state, text, facts)


def _write_error(folder: Path, is_ours: bool) -> str | None:
    """Why nothing can be written; permissions alone are asked where the folder is not the last."""
    if not is_ours:
        if os.access(folder, os.W_OK | os.X_OK):
            return None
        return f"cannot be made below {folder}"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return None


def check_srun(environ: Mapping[str, str]) -> Check:
    """Whether Slurm's srun is there to be wrapped."""
    path = shutil.which("srun", path=environ.get("PATH"))
    if path is None:
        text = "not on the PATH: measure with `jobwatt run -- COMMAND`"
        return Check("srun", ABSENT, text, {"path": None})
    return Check("srun", OK, path, {"path": path})


def check_srun_green(settings: Settings, environ: Mapping[str, str], srun: Check) -> Check:
    """Whether a step under srun-green would be measured: srun-green itself is asked."""
    name = "srun-green"
    beside = Path(sys.executable).parent / name
    path = shutil.which(name, path=environ.get("PATH"))
    if path is None and os.access(beside, os.X_OK):
        path = str(beside)
    facts: dict[str, object] = {"path": path, "would_measure": False}
    if path is None:
        text = "not on the PATH nor beside this Python: install jobwatt with pip"
        return Check(name, PROBLEM if srun.state == OK else ABSENT, text, facts)
    if srun.state != OK:
        return Check(name, ABSENT, f"{path}: needs srun", facts)
    if settings.disable:
        text = "would run plain srun: measuring is turned off (journal.disable)"
        return Check(name, NOTE, text, facts)
    reason = _why_not_measured(path, environ)
    if reason:
        return Check(name, PROBLEM, f"would run plain srun: {reason}", facts)
    return Check(name, OK, f"{path}: would measure", {**facts, "would_measure": True})


def _why_not_measured(path: str, environ: Mapping[str, str]) -> str:
    """Run srun-green with bash in srun's place, which tells the prolog that srun would run."""
    told = {**environ, "SLURM_TASK_PROLOG": ""}
    try:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "srun").symlink_to("/bin/bash")
            told["PATH"] = f"{folder}:{environ.get('PATH', os.defpath)}"
            result = subprocess.run(
                [path, "-p", "-c", 'printf %s "$SLURM_TASK_PROLOG"'],
                env=told,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PROBE_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path} could not be asked ({type(error).__name__})"
    if result.stdout:
        return ""
    said = result.stderr.strip().splitlines()[:1]
    return (said[0].partition("not measured: ")[2] or said[0]) if said else "it says nothing"


def check_cpu_time(proc_cgroup: str, base: Path, environ: Mapping[str, str]) -> Check:
    """Whether a step's CPU time, by which the node's CPU energy is shared out, can be read."""
    cgroup = StepCgroup(proc_cgroup, base)
    version = 2 if (base / "cgroup.controllers").exists() else 1
    if not base.is_dir():
        return Check("CPU time", NOTE, "no cgroup: summed over the step's processes", {})
    in_step = "SLURM_JOB_ID" in environ and "step_" in cgroup.path
    facts: dict[str, object] = {
        "cgroup_version": version,
        "cgroup_path": cgroup.path,
        "in_step": in_step,
        "readable": cgroup.counts_cpu,
    }
    where = f"cgroup v{version} {cgroup.path}"
    if not cgroup.counts_cpu:
        text = f"not counted by cgroup v{version} here: summed over the step's processes"
        return Check("CPU time", NOTE, text, facts)
    if in_step:
        return Check("CPU time", OK, f"{where}: the step's own", facts)
    return Check("CPU time", OK, f"{where}: readable; in a step, the step's own is read", facts)


def check_settings(settings: Settings) -> Check:
    """Wrong files, keys and values."""
    facts = {"problems": list(settings.problems)}
    if not settings.problems:
        return Check("settings", OK, "no problem (jobwatt config shows them)", facts)
    return Check("settings", PROBLEM, "; ".join(settings.problems), facts)


def check_versions(nvml_library: str) -> Check:
    """Versions that decide what works. Asks NVML for the driver's, if NVML is up."""
    try:
        binding: str | None = metadata.version("nvidia-ml-py")
    except metadata.PackageNotFoundError:
        binding = None
    facts = {
        "jobwatt": __version__,
        "python": platform.python_version(),
        "nvidia_ml_py": binding,
        "nvidia_driver": driver_version(nvml_library),
        "linux": platform.release(),
    }
    text = (
        f"jobwatt {__version__}, Python {facts['python']}, "
        f"nvidia-ml-py {binding or 'not installed'}, "
        f"NVIDIA driver {facts['nvidia_driver'] or 'none'}, Linux {facts['linux']}"
    )
    return Check("versions", OK if binding else NOTE, text, facts)


def driver_version(nvml_library: str) -> str | None:
    """Version of NVIDIA's driver (`nvmlSystemGetDriverVersion`); None without one."""
    text = ctypes.create_string_buffer(80)
    try:
        nvml = ctypes.CDLL(nvml_library or "libnvidia-ml.so.1")
        if nvml.nvmlInit_v2() != 0:
            return None
        try:
            failed = nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(len(text)))
        finally:
            nvml.nvmlShutdown()
    except (OSError, AttributeError):
        return None
    return None if failed else text.value.decode(errors="replace")
