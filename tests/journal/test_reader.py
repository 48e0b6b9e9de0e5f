"""Whatever lies in a journal: every good line counts, every bad one is counted once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobwatt.energy.account import account_step
from jobwatt.errors import UnreadableError
from jobwatt.journal.reader import read_journal
from tests.journal.journals import CPU0, GPU0, gpu_row, head, power_row, raw, span, write

DEEP = b"[" * 100_000
BIG = "1" + "0" * 400
HOSTILE: dict[str, bytes] = {
    "torn": b"[2,1,17000",
    "torn object": b'{"t":2,"event":"wr',
    "not JSON": b"\x00\xff\xfe binary",
    "UTF-16": '{"t": 1}'.encode("utf-16"),
    "array": b"[1,2,3]",
    "number": b"5",
    "null": b"null",
    "empty object": b"{}",
    "foreign object": b'{"hello":"world"}',
    "deep": DEEP,
    "deep object": b'{"t":2,"d":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "many digits": b"[2," + b"9" * 10_000 + b"]",
    "two in a line": raw(span(2), "[2,", "[2,1],[2,"),
    "ends another's": raw(span(2), "[2,", "2],[2,"),
    "NaN": raw(span(2), "[2,", "[NaN,"),
    "infinite": raw(span(2), "[2,", "[-Infinity,"),
    "NaN in a row": raw(span(2), "300.0", "NaN"),
    "1e400": raw(span(2), "[2,1.0", "[2,1e400"),
    "1e400 in a row": raw(span(2), "300.0", "1e400"),
    "10**400 in a row": raw(span(2), "300.0", BIG),
    "10**400 as a time": raw(span(2), "[2,", f"[{BIG},"),
    "text for a time": raw(span(2), "[2,", '["2",'),
    "text for a number": raw(span(2), "300.0", '"300.0"'),
    "true for a time": raw(span(2), "[2,", "[true,"),
    "true for a length": raw(span(2), "[2,1.0", "[2,true"),
    "true for a number": raw(span(2), "300.0,290,310,90", "300.0,290,310,true"),
    "null for a time": raw(span(2), "[2,", "[null,"),
    "list in a row": raw(span(2), "300.0", "[300.0]"),
    "object in a row": raw(span(2), "300.0", '{"a":1}'),
    "negative energy": raw(span(2), "300.0", "-300.0"),
    "negative length": raw(span(2), "[2,1.0", "[2,-1.0"),
    "negative time": raw(span(2), "[2,", "[-2,"),
    "too many GPUs": json.dumps(span(2, gpus=[gpu_row(), gpu_row()])).encode(),
    "no GPU": json.dumps(span(2, gpus=[])).encode(),
    "short GPU row": json.dumps(span(2, gpus=[gpu_row()[:-1]])).encode(),
    "long power row": json.dumps(span(2, others=[[*power_row(), 1]])).encode(),
    "no node row": json.dumps(span(2, node=[])).encode(),
}  # fmt: skip


def check(path: Path, bad: int, times: tuple[float, ...]) -> None:
    journal = read_journal(path)
    assert journal.bad_lines == bad
    assert journal.time_seconds == times
    assert journal.gpu_columns[0]["energy_joules"] == (300.0,) * len(times)
    assert journal.other_columns[0]["energy_joules"] == (100.0,) * len(times)
    account = account_step([journal], None, 0.0)
    assert account.nodes[0].bad_lines == bad
    assert account.devices[0].energy.joules == (300.0 * len(times) if times else None)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_line_is_counted_once_and_harms_no_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / "0.0.n1.0.jsonl"
    bad = HOSTILE[name].replace(b"\n", b"")
    check(write(path, head(), span(1), bad, span(3)), 1, (1.0, 3.0))
    check(write(path, head(), bad, bad, span(1), span(2)), 2, (1.0, 2.0))


def test_all_at_once(tmp_path: Path) -> None:
    lines = [line.replace(b"\n", b"") for line in HOSTILE.values()]
    check(write(tmp_path / "j", head(), span(1), *lines, span(3)), len(HOSTILE), (1.0, 3.0))


def test_a_torn_last_line(tmp_path: Path) -> None:
    path = write(tmp_path / "j", head(), span(1), span(2))
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(last + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        check(path, 1, (1.0,))
    path.write_bytes(whole[:-1])  # nothing but the line end is missing
    check(path, 0, (1.0, 2.0))
    path.write_bytes(whole[:last])
    check(path, 0, (1.0,))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.integers(0, 10_000))
def test_any_bytes_anywhere(tmp_path: Path, noise: bytes, place: int) -> None:
    """Only the lines that the noise touches may be lost; the head may make it unreadable."""
    path = write(tmp_path / "j", head(), *(span(number) for number in range(1, 6)))
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    place = start + place % (len(whole) - start)
    path.write_bytes(whole[:place] + b"\n" + noise + b"\n" + whole[place:])
    journal = read_journal(path)
    assert len(journal.time_seconds) >= 4
    account_step([journal], None, 0.0)


def test_events_and_the_end(tmp_path: Path) -> None:
    event = {"t": 1.0, "w": 1.0, "event": "wrap", "device": "package-0"}
    hostile: list[Any] = [
        raw(event, '"t":1.0', f'"t":{BIG}'),
        raw(event, '"t":1.0', '"t":1e400'),
        {"event": ["\x1b[2J"], "device": {"a": 1}, "t": "soon"},
        {"event": None},
    ]
    end = {"t": 2, "w": 2, "end": "dying" * 100}
    journal = read_journal(write(tmp_path / "j", head(), event, span(1), *hostile, end))
    assert journal.events[0] == event
    assert journal.end == ("dying" * 100)[:40]
    assert journal.bad_lines == 0
    lines = account_step([journal], None, 0.0).events
    assert lines[0] == "1 s, n1 package-0: the counter wrapped; accounted for"
    assert len(lines) == 5


def test_no_span_at_all(tmp_path: Path) -> None:
    journal = read_journal(write(tmp_path / "j", head()))
    assert journal.time_seconds == ()
    assert journal.last_seconds == 0.0
    account = account_step([journal], None, 0.0)
    assert account.devices[0].energy.joules is None
    assert account.devices[0].coverage == 0.0


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"{",
        b"[]",
        b'{"version":1}',
        DEEP,
        raw(head(), '"jobwatt":1', '"jobwatt":2'),
        raw(head(), '"jobwatt":1', '"jobwatt":"1"'),
        raw(head(), '"jobwatt":1', '"jobwatt":null'),
        json.dumps(head() | {"devices": [{"kind": "gpu"}]}).encode(),
        json.dumps(head() | {"devices": [1, "gpu"]}).encode(),
        json.dumps(head() | {"devices": [GPU0._asdict() | {"share": "all"}]}).encode(),
        json.dumps(head() | {"devices": [GPU0._asdict() | {"error_fraction": None}]}).encode(),
        json.dumps(head() | {"devices": [GPU0._asdict() | {"id": ["GPU-0"]}]}).encode(),
        raw(head(), '"share":1.0', f'"share":{BIG}'),
        json.dumps(span(1)).encode(),
    ],
    ids=lambda line: line[:30],
)
def test_a_head_that_cannot_be_used(tmp_path: Path, first: bytes) -> None:
    path = write(tmp_path / "0.0.n1.0.jsonl", first, span(1))
    with pytest.raises(UnreadableError, match=r"0\.0\.n1\.0\.jsonl|device list"):
        read_journal(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"wall_seconds": "now", "age_seconds": None, "monotonic_seconds": [], "restart": "x"},
        {"cpus_total": None, "cpus_allocated": "all", "whole_node": "yes", "node": 5},
        {"rejected": [1, {"state": "denied"}], "problems": 5, "details": [1], "job": None},
        {"wall_seconds": True, "details": {"a": {"b": []}}, "rejected": {}},
    ],
)
def test_odd_values_in_the_head_do_no_harm(tmp_path: Path, changes: dict[str, Any]) -> None:
    journal = read_journal(write(tmp_path / "j", head(**changes), span(1)))
    assert account_step([journal], None, 0.0).devices[0].energy.joules == 300.0


@pytest.mark.parametrize("name", ["wall_seconds", "age_seconds", "restart", "cpus_total"])
@pytest.mark.parametrize("value", ["1e400", "-1e400", BIG, "-" + BIG])
def test_numbers_beyond_all_bounds_in_the_head(tmp_path: Path, name: str, value: str) -> None:
    key = json.dumps({name: head()[name]})[1:-1].replace(": ", ":")
    line = raw(head(), key, f'"{name}":{value}')
    account = account_step([read_journal(write(tmp_path / "j", line, span(1)))], None, 0.0)
    assert account.devices[0].energy.joules == 300.0


def test_a_head_without_its_cpus(tmp_path: Path) -> None:
    few = {key: value for key, value in head().items() if not key.startswith("cpus")}
    account = account_step([read_journal(write(tmp_path / "j", few, span(1)))], None, 0.0)
    assert account.devices[1].energy.joules == pytest.approx(25.0)  # the busy part


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    devices = [GPU0._asdict() | {"colour": "green"}, CPU0._asdict()]
    path = write(tmp_path / "j", head() | {"devices": devices, "later": 1}, span(1))
    check(path, 0, (1.0,))


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", head(), span(1))
    fifo, link, folder = tmp_path / "fifo", tmp_path / "link", tmp_path / "folder"
    os.mkfifo(fifo)
    link.symlink_to(good)
    folder.mkdir()
    empty = tmp_path / "empty"
    empty.touch()
    for path in (fifo, link, folder, empty, tmp_path / "absent", Path("/dev/zero")):
        with pytest.raises(UnreadableError):
            read_journal(path)
    check(good, 0, (1.0,))


def test_a_line_of_line_ends_is_nothing(tmp_path: Path) -> None:
    check(write(tmp_path / "j", head(), b"\n\n", span(1), b"\n"), 0, (1.0,))
