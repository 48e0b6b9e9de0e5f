"""A month as JSON: what programs may rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jobwatt.history.month import build_month
from jobwatt.history.periods import periods
from jobwatt.history.rows import JobRow
from jobwatt.views.month_json import month_json
from tests.history.month_rows import HOSTILE, NOW, measured, row, two_months, wall

pytestmark = pytest.mark.usefixtures("utc")

TODAY = wall("2026-11-25 01:00")
UNITS = ("_joules", "_seconds", "_watts", "_percent", "_ratio", "joules")


def told(rows: list[JobRow], wish: str = "") -> Any:
    text = month_json(build_month(rows, *periods(wish, NOW), NOW))
    assert text.isascii()
    return json.loads(text, parse_constant=_no_such_number)


def _no_such_number(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def floats(value: Any, key: str = "") -> Iterator[str]:
    """Keys of all numbers with a fraction."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from floats(item, key if key.endswith("_ratio") else name)
    elif isinstance(value, list):
        for item in value:
            yield from floats(item, key)
    elif isinstance(value, float):
        yield key


def test_every_quantity_has_its_unit() -> None:
    keys = set(floats(told(two_months())))
    bare = {key for key in keys if not key.endswith(UNITS)}
    assert bare == {"coverage"} | {key for key in keys if key.endswith("share")}
    assert len(keys) > 15


def test_one_job() -> None:
    found = told([measured("1", TODAY, 4000.0)])
    assert found["schema"] == 1
    assert found["period"] | {"end_wall_seconds": 0} == {
        "label": "last 30 days", "first_day": "2026-10-27", "last_day": "2026-11-25",
        "start_wall_seconds": wall("2026-10-27 00:00"), "end_wall_seconds": 0, "under_way": True,
    }  # fmt: skip
    assert found["totals"]["metered_energy"] == {
        "joules": 4000.0, "kind": "measured",
        "low_joules": pytest.approx(3600), "high_joules": pytest.approx(4400),
    }  # fmt: skip
    assert found["days"][-1] == {"day": "2026-11-25", "metered_joules": 4000.0}
    assert found["by_name"] == {
        "largest": [{"label": "train", "metered_joules": 4000.0, "share": 1.0, "jobs": 1}],
        "others": None,
    }
    largest = found["largest_jobs"][0]
    assert (largest["job"], largest["metered_energy"]["joules"]) == ("1", 4000.0)
    assert largest["whole_job_in_period"] is True


def test_unknown_is_null() -> None:
    found = told([row("1", TODAY, name="", gpus=None)])
    assert found["totals"]["metered_energy"]["joules"] is None
    assert found["totals"]["power_mean_watts"] is None
    assert found["totals"]["gpu_held_seconds"] is None
    assert found["days"][-1]["metered_joules"] is None
    assert found["by_name"]["largest"][0]["label"] is None
    assert set(found["change_ratio"].values()) == {None}


def test_change_against_the_month_before() -> None:
    rows = [measured("1", wall("2026-11-02 10:00"), 300.0),
            measured("2", wall("2026-10-02 10:00"), 200.0)]  # fmt: skip
    found = told(rows, "2026-11")
    assert found["change_ratio"]["metered"] == pytest.approx(0.5)
    assert found["change_ratio"]["no_result"] is None  # nothing before: no base
    assert found["before"]["last_day"] == "2026-10-25"


def test_what_is_not_finite_is_null_and_names_are_whole() -> None:
    odd = measured("1", TODAY, 5.0, name=HOSTILE, estimated_joules=float("inf"))
    found = told([odd])
    assert found["totals"]["estimated_joules"] is None
    assert found["largest_jobs"][0]["name"] == HOSTILE
