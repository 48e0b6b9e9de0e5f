"""Fixtures of the steps on the cluster."""

from __future__ import annotations

import itertools
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.attached import BatchJob, Submit
from tests.cluster.cluster import ORDINARY_USER
from tests.cluster.lab import Lab
from tests.cluster.screen import Screen

_numbers = itertools.count()


@pytest.fixture
def journal(public_directory: Path) -> Path:
    """A JOBWATT_DIR that does not exist yet."""
    return public_directory / f"state{next(_numbers)}"


@pytest.fixture
def user_journal(journal: Path) -> Path:
    """A JOBWATT_DIR of the ordinary user's."""
    account = pwd.getpwnam(ORDINARY_USER)
    journal.mkdir()
    os.chown(journal, account.pw_uid, account.pw_gid)
    return journal


@pytest.fixture
def scratch(journal: Path) -> Path:
    """A folder for scripts that every user may run."""
    folder = journal.with_suffix(".files")
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def submit(lab: Lab, scratch: Path) -> Iterator[Submit]:
    """Starts a batch job, as root unless another `user` is named; all are cancelled at the end."""
    jobs: list[BatchJob] = []

    def start(script: str, *options: str, user: str = "root", head: str = "") -> BatchJob:
        jobs.append(BatchJob(lab, scratch, script, *options, user=user, head=head))
        return jobs[-1]

    yield start
    for job in jobs:
        lab.cluster.run("scancel", job.id)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    """Terminals to close at the end."""
    opened: list[Screen] = []
    yield opened
    for screen in opened:
        screen.close()
