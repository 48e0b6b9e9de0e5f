"""`jobwatt run` where its journal cannot go where it was wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobwatt.paths import fallback_directory
from tests.truth import REPOSITORY, RUN, environment


@pytest.fixture
def stand_in() -> Iterator[Path]:
    """Where journals go instead; the test's own are removed."""
    folder = fallback_directory(os.getuid())
    before = set(folder.glob("journal/*/*"))
    yield folder
    for path in set(folder.glob("journal/*/*")) - before:
        shutil.rmtree(path)


def said(folder: Path, directory: Path, **variables: str) -> list[str]:
    environ = {**environment(folder), "JOBWATT_DIR": str(directory), **variables}
    done = subprocess.run(
        [*RUN, sys.executable, "-c", "print(1)"], env=environ, cwd=REPOSITORY, text=True,
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "1\n")
    return done.stderr.splitlines()


def test_a_journal_that_went_elsewhere_is_told(tmp_path: Path, stand_in: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    first, second, *_ = said(tmp_path, blocked)
    assert first == f"jobwatt: {blocked} cannot be written: the journal is in {stand_in}"
    assert second.startswith("jobwatt local-")
    assert said(tmp_path, blocked, JOBWATT_QUIET="1") == []


def test_nothing_is_told_of_the_wanted_place(tmp_path: Path, stand_in: Path) -> None:
    for directory in (tmp_path / "state", stand_in):
        assert said(tmp_path, directory)[0].startswith("jobwatt local-")
