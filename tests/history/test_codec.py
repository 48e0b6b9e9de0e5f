"""Frozen values as JSON: what goes in comes out, and nothing else comes in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobwatt.history.codec import MAX_TEXT, plain, restore
from jobwatt.history.rows import JobRow
from jobwatt.model import MEASURED, Account, DeviceEnergy, Energy, NodeUse
from tests.history.values import values

GPU = DeviceEnergy("n1", "gpu", "GPU-0", "A100", "nvml", "counter", Energy(5.0, MEASURED, 4.0, 6.0))
NODE = NodeUse("n1", 1.0, 4, 1 << 30, 0.0, None, 0.1, 0, 0)
STEP = Account("7", "0", 0, "", 1e9, 60.0, False, 1.0, (NODE,), (GPU,), details=(("a", "b"),))

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(plain(value), allow_nan=False))


@settings(max_examples=60)
@given(values(JobRow))
def test_any_row_comes_back(row: JobRow) -> None:
    assert restore(JobRow, through_json(row)) == row


@settings(max_examples=60)
@given(values(Account))
def test_any_account_comes_back(account: Account) -> None:
    assert restore(Account, through_json(account)) == account


def test_defaults_take_no_room() -> None:
    assert plain(JobRow("7")) == {"job": "7"}
    device = plain(STEP)["devices"][0]
    assert "rule" not in device
    assert set(device["energy"]) == {"joules", "kind", "low_joules", "high_joules"}


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert restore(JobRow, {"job": "7", "colour": [1, 2]}) == JobRow("7")


def test_a_default_that_is_missing_is_the_default() -> None:
    data = through_json(STEP)
    del data["details"]
    assert restore(Account, data) == replace(STEP, details=())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job", None),
        ("job", 7),
        ("job", "x" * (MAX_TEXT + 1)),
        ("steps", True),
        ("steps", 1.5),
        ("steps", 10**400),
        ("steps", "3"),
        ("coverage", float("nan")),
        ("coverage", float("inf")),
        ("coverage", 1e300),
        ("coverage", 10**400),
        ("coverage", False),
        ("coverage", [1.0]),
        ("coverage", {"a": 1.0}),
        ("bad_lines", None),
        ("name", {"a": "b"}),
    ],
)
def test_a_wrong_row_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        restore(JobRow, {"job": "7"} | {field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("running", 0),
        ("running", None),
        ("nodes", {}),
        ("nodes", "n1"),
        ("nodes", [["n1"]]),
        ("devices", [1]),
        ("details", [["a"]]),
        ("details", [["a", "b", "c"]]),
        ("details", [["a", 1]]),
        ("details", ["ab"]),
        ("steps", [None]),
        ("duration_seconds", "60"),
    ],
)
def test_a_wrong_account_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError):
        restore(Account, through_json(STEP) | {field: value})


@pytest.mark.parametrize("field", ["job", "devices", "duration_seconds", "coverage"])
def test_what_has_no_default_must_be_there(field: str) -> None:
    data = through_json(STEP)
    del data[field]
    with pytest.raises(ValueError, match=f"{field} is missing"):
        restore(Account, data)


@pytest.mark.parametrize("data", [None, [], "7", 7, True])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ValueError):
        restore(JobRow, data)


def test_what_is_nested_without_end_is_refused() -> None:
    """Even where no text of it can be made any more."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for field in ("job", "coverage", "steps"):
        with pytest.raises(ValueError):
            restore(JobRow, {"job": "7"} | {field: deep})
    with pytest.raises(ValueError):
        restore(Account, through_json(STEP) | {"nodes": deep, "details": deep})


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(JobRow._fields), JSON))
def test_junk_is_a_row_or_a_value_error(junk: dict[str, Any]) -> None:
    try:
        row = restore(JobRow, {"job": "7"} | junk)
    except ValueError:
        return
    assert restore(JobRow, through_json(row)) == row


@settings(max_examples=200)
@given(st.data())
def test_junk_in_any_place_of_an_account(data: st.DataObject) -> None:
    account = through_json(STEP)
    place = account
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
        else:
            break
    place[key] = data.draw(JSON)
    try:
        found = restore(Account, account)
    except ValueError:
        return
    assert isinstance(found, Account)
