"""AIPowerMeter's power_metrics.json: shares, gaps, several recordings, and damage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobwatt.history.imports.aipowermeter import parse
from jobwatt.history.imports.common import Entry, Imported
from jobwatt.model import ESTIMATED, DeviceEnergy
from jobwatt.sources.base import DRAM, GPU, NODE, PACKAGE

DATA = Path(__file__).parent / "data"
START = datetime(2025, 1, 2, 3, 4, 5)
END_LINE = b'"END OF RECORDING SEGMENT"'


def read(name: str) -> Imported:
    return parse((DATA / name).read_bytes().splitlines(), timezone.utc)


def line(seconds: float, cpu: Any = None, gpu: Any = None) -> bytes:
    metrics = {"cpu": {"intel_power": 100.0} if cpu is None else cpu, "gpu": gpu}
    when = str(START + timedelta(seconds=seconds))
    return json.dumps({"date": when, "metrics": metrics}).encode()


def run(lines: Sequence[bytes]) -> Entry:
    (entry,) = parse(lines, timezone.utc).entries
    return entry


def device(entry: Entry, device_id: str) -> DeviceEnergy:
    return next(device for device in entry[1].devices if device.device_id == device_id)


def test_shares_of_2023_and_two_recordings_in_one_file() -> None:
    found = read("aipowermeter_2023.json")
    assert (found.tool, dict(found.skipped)) == ("AIPowerMeter", {})
    assert [row.measured_seconds for row, _ in found.entries] == pytest.approx([6.0, 3.0])
    row, account = found.entries[0]
    # A quarter of 64 W by CPU time, 4 of 12 W by memory, the card's whole 70 W: never the 100 W
    # that AIPowerMeter gives at first, nor the other card, which the run did not use.
    energies = {d.device_id: d.energy.joules for d in account.devices}
    assert energies == pytest.approx({"package": 16 * 6.0, "dram": 4 * 6.0, "gpu-1": 70 * 6.0})
    wholes = {d.device_id: d.whole_joules for d in account.devices}
    assert wholes == pytest.approx({"package": 64 * 6.0, "dram": 12 * 6.0, "gpu-1": 70 * 6.0})
    assert {d.energy.kind for d in account.devices} == {ESTIMATED}
    assert row.estimated_joules == pytest.approx(90 * 6.0)
    assert row.metered_joules is None and row.power_mean_watts is None
    assert (row.origin, row.gpus, row.coverage) == ("imported: AIPowerMeter", 1, 1.0)
    gpu = device(found.entries[0], "gpu-1")
    assert gpu.utilization_mean_percent == pytest.approx(8.0)
    assert gpu.memory_peak_bytes == 1821376512


def test_figures_of_2021() -> None:
    """All GPUs together; psys holds the package and is in no sum; no memory, which was 0."""
    entry = run((DATA / "aipowermeter_2021.json").read_bytes().splitlines())
    kinds = {d.device_id: d.device_kind for d in entry[1].devices}
    assert kinds == {"package": PACKAGE, "psys": NODE, "gpus": GPU}
    assert device(entry, "package").energy.joules == pytest.approx(0.75 * 28 * 24)
    assert device(entry, "psys").energy.joules == pytest.approx(42 * 24)
    assert device(entry, "gpus").energy.joules == pytest.approx(80 * 24)
    assert device(entry, "gpus").whole_joules == pytest.approx(110 * 24)
    assert entry[0].estimated_joules == pytest.approx((21 + 80) * 24)
    assert entry[0].gpus is None


def test_without_shares_it_is_the_whole_machine() -> None:
    gpu = {"nvidia_draw_absolute": 50.0, "per_gpu_power_draw": {"0": 20.0, "1": 30.0}}
    cpu = {"intel_power": 100.0, "total_dram_power": 10.0, "psys_power": -1}
    entry = run([line(0, cpu, gpu), line(10, cpu, gpu)])
    joules = {d.device_id: d.energy.joules for d in entry[1].devices}
    assert joules == {"package": 1000.0, "dram": 100.0, "gpu-0": 200.0, "gpu-1": 300.0}
    assert {d.whole_joules for d in entry[1].devices} == {None}
    assert all("whole machine" in d.rule for d in entry[1].devices)
    assert {d.device_kind for d in entry[1].devices} == {PACKAGE, DRAM, GPU}


def test_a_share_by_its_product() -> None:
    cpu = {"intel_power": 100.0, "rel_intel_power": {"1": 30.0, "2": 5.0}}
    assert run([line(0, cpu), line(2, cpu)])[0].estimated_joules == pytest.approx(70.0)


def test_trapezoids_over_uneven_intervals() -> None:
    powers = [(0, 10.0), (1, 30.0), (4, 10.0)]
    entry = run([line(at, {"intel_power": watts}) for at, watts in powers])
    assert entry[0].estimated_joules == pytest.approx(20.0 * 1 + 20.0 * 3)


def test_a_gap_is_not_guessed_and_shows_in_the_coverage() -> None:
    entry = run([line(at) for at in (*range(0, 21, 2), *range(80, 101, 2))])
    row, account = entry
    assert row.estimated_joules == pytest.approx(100.0 * 40)
    assert row.measured_seconds == 100.0
    assert row.coverage == account.coverage == pytest.approx(0.4)
    assert account.problems == ("1 gaps between samples, 60 s in all, left out",)


def test_slow_sampling_is_no_gap() -> None:
    entry = run([line(at) for at in range(0, 601, 60)])
    assert (entry[0].estimated_joules, entry[0].coverage) == (60_000.0, 1.0)


def test_a_device_that_comes_late_is_covered_in_part() -> None:
    both = {"intel_power": 10.0, "total_dram_power": 1.0}
    lines = [line(at, both if at >= 5 else {"intel_power": 10.0}) for at in range(11)]
    entry = run(lines)
    assert device(entry, "dram").coverage == pytest.approx(0.5)
    assert device(entry, "package").coverage == 1.0
    assert entry[0].coverage == pytest.approx(0.5)


@pytest.mark.parametrize(
    "between",
    [
        pytest.param([line(10), END_LINE, line(11)], id="the line that ends a recording"),
        pytest.param([line(10), line(3600)], id="killed, and continued an hour later"),
        pytest.param([line(10), line(-3590)], id="a clock set back"),
    ],
)
def test_where_a_recording_ends(between: list[bytes]) -> None:
    last = json.loads(between[-1])["date"]
    offset = (datetime.fromisoformat(last) - START).total_seconds()
    found = parse([line(0), line(5), *between, line(offset + 5)], timezone.utc)
    assert [row.measured_seconds for row, _ in found.entries] == [10.0, 5.0]
    assert len({row.job for row, _ in found.entries}) == 2


def test_a_file_that_grew_gives_the_same_runs() -> None:
    lines = [*(line(at) for at in range(10)), END_LINE, *(line(at) for at in range(20, 30))]
    early, late = parse(lines[:5], timezone.utc), parse(lines, timezone.utc)
    assert early.entries[0][0].job == late.entries[0][0].job
    assert early.entries[0][0].estimated_joules == 400.0
    assert [row.estimated_joules for row, _ in late.entries] == [900.0, 900.0]
    assert parse(lines, timezone.utc) == late


def test_what_the_site_told_of_the_job() -> None:
    told = {"jobid": 4242, "node_id": "n7", "job_name": "train", "start_date": "x", "more": [1]}
    (entry,) = parse([line(0), line(1)], timezone.utc, told).entries
    assert (entry[0].name, entry[0].node_list) == ("train", "n7")
    assert dict(entry[1].details)["slurm_job"] == "4242"
    assert {d.node for d in entry[1].devices} == {"n7"}


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([line(0)], id="a single sample"),
        pytest.param([line(0), line(0)], id="no time"),
        pytest.param([line(0), line(1, {"total_dram_power": 1.0})], id="no two of one device"),
        pytest.param([line(at, {"intel_power": 0.0}) for at in (0, 1)], id="0 W"),
    ],
)
def test_a_recording_without_energy(lines: list[bytes]) -> None:
    found = parse(lines, timezone.utc)
    assert found.entries == () and dict(found.skipped) == {"recordings without energy": 1}


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[" * 100_000,
        b'"END"',
        b"null",
        b"[]",
        b'{"date": "2025-01-02 03:04:06", "metrics": 5}',
        b'{"date": "2025-01-02 03:04:06", "metrics": {"cpu": []}}',
        b'{"date": 5, "metrics": {"cpu": {"intel_power": 100.0}}}',
        b'{"date": "x", "metrics": {"cpu": {"intel_power": 100.0}}}',
        b'{"metrics": {"cpu": {"intel_power": 100.0}}}',
        line(1, {"intel_power": float("nan")}),
        line(1, {"intel_power": float("inf")}),
        line(1, {"intel_power": -5.0}),
        line(1, {"intel_power": 1e300}),
        line(1, {"intel_power": True}),
        line(1, {"intel_power": "a hundred"}),
        line(1, {"intel_power": [100.0]}),
        line(1, {"intel_power": 100.0, "psys_power": -2}),
        line(1, {"intel_power": 100.0, "cpu_uses": {"1": -0.5}}),
        line(1, gpu={"nvidia_draw_absolute": None, "per_gpu_power_draw": {"0": "N/A"}}),
        line(1, gpu={"per_gpu_power_draw": {str(n): 1.0 for n in range(1000)}}),
        b'{"date": "2025-01-02 03:04:06", "metrics": {"cpu": {"intel_power": 1e999}}}',
        b'{"date": "2025-01-02 03:04:06", "metrics": {"cpu": {"intel_power": %s}}}' % (b"9" * 9999),
        b"\xff\xfe\x00",
    ],
)  # fmt: skip
def test_a_damaged_line_is_counted_and_takes_no_other_along(bad: bytes) -> None:
    found = parse([line(0), bad, line(2)], timezone.utc)
    assert [row.estimated_joules for row, _ in found.entries] == [200.0]
    assert sum(found.skipped.values()) == 1


@settings(max_examples=100, deadline=None)
@given(
    watts=st.floats(0.1, 1000.0),
    steps=st.lists(st.integers(200, 3000), min_size=1, max_size=50),
)
def test_constant_power_times_time(watts: float, steps: list[int]) -> None:
    at, lines = 0, [line(0, {"intel_power": watts})]
    for milliseconds in steps:
        at += milliseconds
        lines.append(line(at / 1000, {"intel_power": watts}))
    assert run(lines)[0].estimated_joules == pytest.approx(watts * at / 1000, rel=1e-3)
