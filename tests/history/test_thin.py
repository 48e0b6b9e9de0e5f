"""One line a minute: nothing that figures rest on is lost, whatever is unknown where."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobwatt.energy import integrate
from jobwatt.energy.account import account_step
from jobwatt.history.thin import THINNED, difference, is_thinned, thinned
from jobwatt.journal.format import GPU_COLUMNS, POWER_COLUMNS
from jobwatt.journal.reader import Journal, read_journal
from tests.journal.journals import CPU0, GPU0, Row, gpu_row, head, raw, span, write

GPU1 = GPU0._replace(id="GPU-1")
EVENT = {"t": 3.0, "w": 5.0, "event": "reset", "device": "GPU-0"}


def journal(*lines: Any, devices: tuple[Any, ...] | None = None) -> Journal:
    with tempfile.TemporaryDirectory() as folder:
        first = head(devices) if devices else head()
        return read_journal(write(Path(folder) / "0.0.n1.0.jsonl", first, *lines))


def reread(found: Journal) -> Journal:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.0.n1.0.jsonl"
        path.write_bytes(thinned(found))
        return read_journal(path)


numbers = st.integers(0, 10**9).map(lambda n: n / 1000) | st.sampled_from(
    [0, 0.001, 123456789012.5]
)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Lines of two GPUs and a package, any cell but the times unknown now and then."""
    found, time = [], 0.0
    unknown = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    dice = draw(st.randoms(use_true_random=False))

    def cells(count: int) -> Row:
        return [None if dice.random() < unknown else draw(numbers) for _ in range(count)]

    for _ in range(draw(st.integers(0, 30))):
        length = draw(st.sampled_from([0.5, 1.0, 2.125, 10.0, 59.9, 75.0]))
        time = round(time + length + draw(st.sampled_from([0.0, 0.0, 0.0, 3.3, 200.0])), 3)
        own = [cells(len(GPU_COLUMNS)), cells(len(GPU_COLUMNS))]
        for row in own:
            row[10] = None if row[10] is None else int(row[10]) % 512
        found.append(
            span(time, length, own, [cells(len(POWER_COLUMNS))], cells(4), cells(2), cells(2))
        )
    return found


def sums(found: Journal) -> list[float]:
    """What the figures rest on, device by device, unknown as -1."""
    values: list[float | None] = [found.last_seconds, integrate.known_sum(found.length_seconds)]
    for own in (*found.gpu_columns, *found.other_columns):
        for name, column in own.items():
            if name.endswith(("_joules", "_seconds")):
                values.append(integrate.known_sum(column))
            elif "_max" in name:
                values.append(integrate.peak(column))
        values.append(integrate.covered_seconds(own["energy_joules"], found.length_seconds))
    for group in (found.step_columns, found.node_columns, found.self_columns):
        values += [
            integrate.peak(column) if "_max" in name else integrate.known_sum(column)
            for name, column in group.items()
        ]
    return [-1.0 if value is None else value for value in values]


@settings(max_examples=120, deadline=None)
@given(rows())
def test_sums_coverage_and_peaks_stay(lines: list[Row]) -> None:
    found = journal(*lines, EVENT, {"t": 9, "w": 9, "end": "done"}, devices=(GPU0, GPU1, CPU0))
    after = reread(found)
    assert after.bad_lines == found.bad_lines == 0
    assert difference(found, after) == ""
    assert sums(after) == pytest.approx(sums(found), rel=1e-6, abs=0.01)
    assert (after.events, after.end) == (found.events, found.end)
    masks = [[integrate.bits(own["event_reasons"]) for own in one.gpu_columns]
             for one in (found, after)]  # fmt: skip
    assert masks[0] == masks[1]
    assert is_thinned(after) and not is_thinned(found)
    again = reread(after)
    assert again.gpu_columns == after.gpu_columns and again.other_columns == after.other_columns
    assert again.time_seconds == after.time_seconds and again.head == after.head


def test_thinning_twice_is_thinning_once() -> None:
    found = journal(*(span(10.0 * n, 10.0) for n in range(1, 60)))
    assert thinned(reread(found)) == thinned(found)


def test_an_hour_of_lines_is_sixty() -> None:
    found = journal(*(span(10.0 * n, 10.0) for n in range(1, 361)))
    after = reread(found)
    assert len(after.time_seconds) == 60
    assert set(after.length_seconds) == {60.0}
    assert after.gpu_columns[0]["energy_joules"] == (18_000.0,) * 60
    assert after.gpu_columns[0]["utilization_mean_percent"] == (90,) * 60
    assert after.gpu_columns[0]["power_min_watts"] == (290,) * 60
    assert after.head[THINNED] == 60.0
    before, later = (account_step([one], None, 0.0) for one in (found, after))
    assert later.devices[0] == before.devices[0]
    assert later.devices[1].energy.joules == pytest.approx(before.devices[1].energy.joules)
    assert later.coverage == before.coverage
    assert later.nodes[0].cpu_seconds == before.nodes[0].cpu_seconds == 7200.0


def test_unknown_energy_is_not_spread_over_known() -> None:
    known, unknown = gpu_row(300.0), gpu_row(None)
    lines = [span(n, gpus=[unknown if 20 < n <= 40 else known]) for n in range(1, 61)]
    after = reread(journal(*lines))
    assert after.gpu_columns[0]["energy_joules"] == (6000.0, None, 6000.0)
    assert after.length_seconds == (20.0, 20.0, 20.0)


def test_bad_lines_and_a_torn_end_are_left_behind() -> None:
    found = journal(span(1), b"junk", span(2), b"[1,2")
    after = reread(found)
    assert (found.bad_lines, after.bad_lines) == (2, 0)
    assert difference(found, after) == ""


def test_no_exponent_is_written() -> None:
    """The reader takes digits alone; small values become what four digits hold."""
    tiny = raw(span(1), "300.0,290,310", "0.00001,0.00002,0.00003")
    found = journal(tiny, span(2))
    after = reread(found)
    assert found.gpu_columns[0]["power_min_watts"][0] == 0.00002
    assert (found.bad_lines, after.bad_lines, len(after.time_seconds)) == (0, 0, 1)
    assert b"e-" not in thinned(after).split(b"\n", 1)[1]


CHANGES: dict[str, Any] = {
    "energy": lambda one: (one, "gpu_columns", "energy_joules", 1.0),
    "idle": lambda one: (one, "gpu_columns", "idle_energy_joules", 1.0),
    "package": lambda one: (one, "other_columns", "energy_joules", 1.0),
    "unknown": lambda one: (one, "gpu_columns", "energy_joules", None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_loss_is_seen(name: str) -> None:
    found, column, key, value = CHANGES[name](journal(span(1), span(2)))
    (own,) = getattr(found, column)
    cells = own[key]
    changed = {**own, key: (None if value is None else cells[0] + value, *cells[1:])}
    assert difference(found, dataclasses.replace(found, **{column: (changed,)})) != ""


def test_a_lost_event_end_or_stretch_is_seen() -> None:
    found = journal(span(1), span(2), EVENT, {"t": 2, "end": "done"})
    assert "events" in difference(found, dataclasses.replace(found, events=()))
    assert "events" in difference(found, dataclasses.replace(found, end=None))
    short = journal(span(1), EVENT, {"t": 2, "end": "done"})
    assert difference(found, short) != ""
    late = dataclasses.replace(found, time_seconds=(1.0, 3.0))
    assert difference(found, late) == "the end differs"


def test_the_head_stays() -> None:
    found = journal(span(1))
    first = json.loads(thinned(found).split(b"\n", 1)[0])
    assert first == {**found.head, THINNED: 60.0}
