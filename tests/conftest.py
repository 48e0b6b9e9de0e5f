"""Fixtures for every test."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from jobwatt.paths import fallback_directory
from tests.cluster import cluster as scripts
from tests.cluster.cluster import Cluster
from tests.cluster.install import Installation, install
from tests.cluster.lab import Lab
from tests.hardware.nvml import FakeNvml, gpus
from tests.hardware.power import Constant, idle
from tests.hardware.powercap import PowercapTree, package

IDLE_GPU = 5
"""n2's second GPU is held and not used."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real two-node Slurm, left up if it was. Skips where it cannot run, but fails in CI."""
    reason = scripts.missing()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    was_up = scripts.running() is not None
    yield scripts.start()
    if not was_up:
        scripts.stop()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC: recorded answers, clock times on screens."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def public_directory() -> Iterator[Path]:
    """A folder that every user may read, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="jobwatt-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def installation(public_directory: Path) -> Installation:
    """The checkout, installed: about 15 s, once a session."""
    return install(public_directory / "venv")


@pytest.fixture(scope="session")
def lab(
    cluster: Cluster, installation: Installation, public_directory: Path
) -> Iterator[Lab]:
    """The cluster with fake GPUs of 200 W, 250 W, … behind its device files, and a CPU of 100 W."""
    nvml = FakeNvml(public_directory / "hardware")
    models = list(gpus(8, device_dir=cluster.directory / "dev"))
    models[IDLE_GPU] = replace(
        models[IDLE_GPU],
        power=idle(),
        utilisation_gpu_percent=0,
        utilisation_memory_percent=0,
    )
    nvml.write(models)
    with PowercapTree(public_directory / "hardware", (package(0, Constant(100.0)),)) as tree:
        yield Lab(cluster, installation, nvml, tree)


@pytest.fixture
def no_stand_in() -> Iterator[None]:
    """This node's stand-in for journals is moved aside for as long as a test runs.

    Nothing is ever deleted: what was written there meanwhile is put to what was there before.
    """
    folder = fallback_directory(os.getuid())
    aside = folder.with_name(f"{folder.name}.aside.{os.getpid()}")
    names = [name for name in ("journal", "history") if (folder / name).exists()]
    for name in names:
        aside.mkdir(mode=0o700, exist_ok=True)
        (folder / name).rename(aside / name)
    yield
    for name in names:
        _put_back(aside / name, folder / name)
    with suppress(OSError):  # never made, or a name was taken: then it stays
        aside.rmdir()


def _put_back(source: Path, target: Path) -> None:
    """Move a directory to where another may have been made meanwhile; both keep their files."""
    if not target.exists():
        source.rename(target)
        return
    for path in list(source.iterdir()):
        if path.is_dir() or not (target / path.name).exists():
            _put_back(path, target / path.name)
    if not any(source.iterdir()):
        source.rmdir()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a real GPU, tests marked `gpu` are skipped, or in CI not even selected."""
    if Path("/dev/nvidiactl").exists():
        return
    needs_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if os.environ.get("CI") == "true":
        items[:] = [item for item in items if item not in needs_gpu]
        config.hook.pytest_deselected(items=needs_gpu)
    for item in needs_gpu:
        item.add_marker(pytest.mark.skip(reason="needs a real NVIDIA GPU"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that skips has failed: nobody would notice that it checks nothing."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    expected_failure = hasattr(report, "wasxfail")
    if os.environ.get("CI") == "true" and report.outcome == "skipped" and not expected_failure:
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed in CI: {report.longrepr}"
