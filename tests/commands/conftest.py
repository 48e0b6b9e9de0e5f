"""Fixtures of the commands' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.machine import Machine
from tests.hardware.build import CompilerMissing
from tests.hardware.nvml import FakeNvml


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> FakeNvml:
    try:
        return FakeNvml(tmp_path / "nvml")
    except CompilerMissing as error:
        pytest.skip(str(error))
