"""A row's own answers."""

from __future__ import annotations

import pytest

from jobwatt.history.rows import JobRow
from jobwatt.slurm.jobs import OUTCOMES


def test_ids() -> None:
    assert JobRow("7").shown_id == "7" and JobRow("7", "a").key == ("7", "a")
    assert JobRow("7", array_job="5", array_task="1").shown_id == "5_1"


@pytest.mark.parametrize(
    ("state", "lost"),
    [
        ("COMPLETED", 0.0),
        ("RUNNING", 0.0),
        ("PENDING", 0.0),
        ("CANCELLED", 0.0),
        ("", 0.0),
        ("OF A LATER SLURM", 0.0),
        ("FAILED", 9.0),
        ("OUT_OF_MEMORY", 9.0),
        ("TIMEOUT", 9.0),
        ("NODE_FAIL", 9.0),
    ],
)
def test_energy_without_result(state: str, lost: float) -> None:
    assert JobRow("7", state=state, metered_joules=9.0).no_result_joules == lost
    assert JobRow("7", state=state).no_result_joules is None
    assert JobRow("7", state=state).outcome == OUTCOMES.get(state, "unknown")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ('{"a": 1.5, "b": null}', {"a": 1.5}),
        ("junk", {}),
        ("[1]", {}),
        ("null", {}),
        ('{"a": "b", "c": true, "d": [1], "e": 2}', {"e": 2}),
        ('{"a": NaN, "b": -Infinity}', {}),
        ("[" * 100_000, {}),
    ],
)
def test_what_is_no_number_is_not_there(text: str, found: dict[str, float]) -> None:
    row = JobRow("7", days=text, gpu_models=text)
    assert row.joules_by_day() == row.joules_by_model() == found
