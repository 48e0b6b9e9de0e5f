"""The name of this machine's cluster, as journals carry it in `SLURM_CLUSTER_NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

CONFIGURATIONS = (
    Path("/etc/slurm/slurm.conf"),
    Path("/run/slurm/conf/slurm.conf"),
    Path("/etc/slurm-llnl/slurm.conf"),
    Path("/usr/local/etc/slurm.conf"),
)
"""Where slurm.conf lies if SLURM_CONF does not say; the second is where slurmd keeps the one that
it was sent (slurm.conf(5), "configless")."""

_NAME = re.compile(r"^\s*ClusterName\s*=\s*([^\s#]+)", re.IGNORECASE | re.MULTILINE)


def configured_name(
    environ: Mapping[str, str], files: tuple[Path, ...] = CONFIGURATIONS
) -> str:
    """ClusterName of the first slurm.conf that names one; else nothing."""
    named = environ.get("SLURM_CONF", "")
    for file in (Path(named),) if named else files:
        try:
            name = name_in(file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if name:
            return name
    return ""


def name_in(text: str) -> str:
    """ClusterName in the text of slurm.conf or of `scontrol show config`; else nothing.

    Slurm writes it in small letters wherever it uses it, since accounting does.
    """
    match = _NAME.search(text)
    return match[1].lower() if match else ""
