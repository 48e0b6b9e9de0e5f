"""Installed size and import time of jobwatt, CodeCarbon and perun."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.overhead_row import Row, times

TOOLS = ("jobwatt", "codecarbon", "perun")
IMPORTS = (
    ("jobwatt", "jobwatt.sampler.session"),
    ("jobwatt", "jobwatt.cli"),
    ("codecarbon", "codecarbon"),
    ("perun", "perun"),
)
REPEATS = 9
_NOT_THEIRS = ("pip", "setuptools", "wheel", "_distutils_hack", "distutils-precedence.pth")


class Package(NamedTuple):
    """What one tool brings along, without what every virtual environment has."""

    size_bytes: int
    versions: dict[str, str]


def package(prefix: Path) -> Package:
    """Of a virtual environment."""
    size, versions = 0, {}
    for entry in prefix.glob("lib/python3*/site-packages/*"):
        name, dash, rest = entry.name.removesuffix(".dist-info").partition("-")
        if name in _NOT_THEIRS or entry.name in _NOT_THEIRS:
            continue
        if dash and entry.suffix == ".dist-info":
            versions[name] = rest
        files = entry.rglob("*") if entry.is_dir() else [entry]
        size += sum(file.stat().st_size for file in files if file.is_file())
    return Package(size, versions)


def run_seconds(python: Path, code: str) -> float:
    """Wall time of a Python that runs this."""
    began = time.monotonic()
    subprocess.run([python, "-I", "-c", code], check=True, capture_output=True)
    return time.monotonic() - began


def measure(cache: Path) -> list[Row]:
    """Sizes, numbers of distributions, import times above an empty Python's."""
    found = {tool: package(cache / tool) for tool in TOOLS}
    own = found["jobwatt"]
    rows = [
        Row("installed size (site-packages)", tool, f"{size / 1e6:.1f} MB",
            times(size, own.size_bytes))
        for tool, (size, _) in found.items()
    ]  # fmt: skip
    rows += [
        Row("distributions, its own included", tool, str(len(versions)),
            times(len(versions), len(own.versions)))
        for tool, (_, versions) in found.items()
    ]  # fmt: skip
    milliseconds: dict[str, list[float]] = {module: [] for _, module in IMPORTS}
    for repeat in range(-1, REPEATS):
        for tool, module in IMPORTS:
            python = cache / tool / "bin" / "python"
            net = run_seconds(python, f"import {module}") - run_seconds(python, "pass")
            if repeat >= 0:
                milliseconds[module].append(net * 1e3)
    medians = {module: statistics.median(values) for module, values in milliseconds.items()}
    return rows + [
        Row("import time, above an empty Python's", f"`import {module}`", f"{value:.0f} ms",
            times(value, medians["jobwatt.cli"]))
        for module, value in medians.items()
    ]  # fmt: skip
