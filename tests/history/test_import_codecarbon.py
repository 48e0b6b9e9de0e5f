"""CodeCarbon's emissions.csv: files of real versions, and what damage does to them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from jobwatt.history.imports.codecarbon import is_header, is_of_tasks, parse
from jobwatt.history.imports.common import Entry, Imported
from jobwatt.model import ESTIMATED
from jobwatt.sources.base import CPU_ESTIMATE, DRAM, GPU

DATA = Path(__file__).parent / "data"
HEADER = "timestamp,project_name,run_id,duration,emissions,energy_consumed,cpu_energy,pue"


def read(name: str) -> Imported:
    header, *lines = (DATA / name).read_text().splitlines()
    assert is_header(header)
    return parse(header, lines, timezone.utc)


def rows(*lines: str, header: str = HEADER) -> Imported:
    return parse(header, lines, timezone.utc)


def joules(entry: Entry) -> dict[str, float]:
    found = {}
    for device in entry[1].devices:
        assert device.energy.kind == ESTIMATED
        found[device.device_kind] = device.energy.joules or 0.0
    return found


@pytest.mark.parametrize("version", ["2.3.5", "3.0.4", "3.3.2"])
def test_two_runs_of_a_real_file(version: str) -> None:
    found = read(f"codecarbon_{version}.csv")
    assert (found.tool, dict(found.skipped)) == ("CodeCarbon", {})
    (first, account), (second, _) = found.entries
    assert (first.name, second.name) == ("resnet50-baseline", "bert, large")
    assert first.origin == f"imported: CodeCarbon {version}"
    # `flush()` wrote a row after 4 s; only the one of the end, after 7 s, counts.
    assert first.elapsed_seconds == pytest.approx(7.0, abs=0.1)
    assert first.measured_seconds == pytest.approx(7.0, abs=0.1)
    assert second.elapsed_seconds == pytest.approx(3.0, abs=0.1)
    assert set(joules(found.entries[0])) == {CPU_ESTIMATE, DRAM}
    assert first.estimated_joules == pytest.approx(sum(joules(found.entries[0]).values()))
    assert (first.metered_joules, first.cpu_joules, first.dram_joules) == (None, None, None)
    assert dict(account.details)["cpu_model"] == "AMD EPYC"


def test_an_import_is_never_metered() -> None:
    for name in DATA.glob("codecarbon_*[0-9s].csv"):
        if "tasks" in name.name:
            continue
        for row, account in read(name.name).entries:
            assert row.metered_joules is None and row.metered_kind == "" and row.days == ""
            assert row.metered_low_joules is None and row.power_mean_watts is None
            assert row.estimated_joules is not None and row.estimated_joules > 0
            assert row.coverage is None and account.coverage is None


def test_the_energy_is_that_of_the_last_row_in_joules() -> None:
    lines = (DATA / "codecarbon_3.0.4.csv").read_text().splitlines()
    kwh = float(lines[2].split(",")[13])
    assert lines[0].split(",")[13] == "energy_consumed"
    assert read("codecarbon_3.0.4.csv").entries[0][0].estimated_joules == pytest.approx(kwh * 3.6e6)


def test_the_pue_is_taken_out() -> None:
    """The same machine at rest: 42.5 W and 20 W, with the PUE of 1.5 and without."""
    with_pue = read("codecarbon_3.0.4.csv").entries[1]
    watts = {device.device_kind: device.power_mean_watts for device in with_pue[1].devices}
    assert watts[CPU_ESTIMATE] == pytest.approx(42.5, rel=0.01)
    assert watts[DRAM] == pytest.approx(20.0, rel=0.01)
    assert any("PUE of 1.5" in problem for problem in with_pue[1].problems)


def test_a_tracker_that_was_started_again_is_one_run() -> None:
    """Its second row has the energy of both times, but only the second's duration."""
    ((row, account),) = read("codecarbon_3.3.2_gpus.csv").entries
    assert row.measured_seconds == pytest.approx(10.0, abs=0.1)
    assert row.elapsed_seconds == pytest.approx(10.0, abs=1.5)  # its clock is in whole seconds
    gpu = next(device for device in account.devices if device.device_kind == GPU)
    assert gpu.power_mean_watts == pytest.approx(450.0, rel=0.01)
    assert gpu.utilization_mean_percent is None  # of the second time alone
    assert (gpu.name, row.gpus) == ("NVIDIA A100-SXM4-40GB", 2)


def test_version_1_has_one_figure_for_all() -> None:
    found = read("codecarbon_1.2.0.csv")
    assert len(found.entries) == 2
    row, account = found.entries[0]
    assert row.origin == "imported: CodeCarbon"
    assert row.job == "codecarbon-11ca2381dfa8"  # of its experiment_id
    assert [device.name for device in account.devices] == ["CPU and GPUs together"]
    assert row.estimated_joules == pytest.approx(4.7294401838578944e-05 * 3.6e6)
    assert row.gpus is None


def test_times_are_of_the_zone_given() -> None:
    row, _ = read("codecarbon_3.0.4.csv").entries[0]
    end = datetime(2026, 11, 25, 13, 55, 31, tzinfo=timezone.utc).timestamp()
    assert row.end_wall_seconds == end
    assert row.start_wall_seconds == pytest.approx(end - 7.0, abs=0.1)


def test_columns_in_another_order_and_unknown_ones() -> None:
    header = (
        "new_one,pue,energy_consumed,cpu_energy,run_id,emissions,project_name,duration,timestamp"
    )
    found = rows("x,,0.001,0.001,r1r1r1r1r1,0.1,p,60,2025-01-02T03:04:05", header=header)
    ((row, _),) = found.entries
    assert (row.name, row.estimated_joules, row.elapsed_seconds) == ("p", 3600.0, 60.0)


def test_a_file_that_grew_gives_the_same_runs() -> None:
    header, *lines = (DATA / "codecarbon_3.3.2.csv").read_text().splitlines()
    early, late = (parse(header, part, timezone.utc) for part in (lines[:1], lines))
    assert early.entries[0][0].job == late.entries[0][0].job
    assert early.entries[0][0].estimated_joules != late.entries[0][0].estimated_joules
    assert late == parse(header, lines, timezone.utc)


def test_without_an_id_a_run_is_known_by_its_row() -> None:
    header = "timestamp,project_name,duration,emissions,energy_consumed"
    lines = [f"2025-01-02T03:04:0{second},p,5,0.1,0.001" for second in (1, 2, 1)]
    assert len(rows(*lines, header=header).entries) == 2


GOOD = "2025-01-02T03:04:05,p,aaaaaaaaaaaa,60,0.1,0.001,0.001,"


@pytest.mark.parametrize(
    "bad",
    [
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,nan,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,inf,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,-0.001,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,0.001,-0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,1e300,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,40,40,",  # 144 MJ in a minute: 2.4 MW
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,1_0,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,0,0,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,-1,0.1,0.001,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,1e12,0.1,0.001,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,sixty,0.1,0.001,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,0.001,0.001,0.5",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,0.001,0.001,nan",
        "yesterday,p,bbbbbbbbbbbb,60,0.1,0.001,0.001,",
        "0001-01-01T00:00:00,p,bbbbbbbbbbbb,60,0.1,0.001,0.001,",
        ",p,bbbbbbbbbbbb,60,0.1,0.001,0.001,",
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1",
        '2025-01-02T03:04:05,"p,bbbbbbbbbbbb,60,0.1,0.001,0.001,',
        "2025-01-02T03:04:05,p,bbbbbbbbbbbb,60,0.1,0.001,0.001,,,,",
        "\0\0\0",
    ],
)
def test_a_damaged_row_is_counted_and_takes_no_other_along(bad: str) -> None:
    found = rows(bad, GOOD)
    assert [row.job for row, _ in found.entries] == ["codecarbon-aaaaaaaaaaaa"]
    assert sum(found.skipped.values()) == 1


def test_what_a_header_is() -> None:
    assert is_header(HEADER) and not is_of_tasks(HEADER)
    assert is_of_tasks((DATA / "codecarbon_3.3.2_tasks.csv").read_text().splitlines()[0])
    assert not is_header("timestamp,duration,energy_consumed")
    assert not is_header("")
    assert not is_header('"' * 200_000)
