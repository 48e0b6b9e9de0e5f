"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster import cluster as scripts
from tests.cluster.cluster import Cluster


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
