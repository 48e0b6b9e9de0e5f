"""`jobwatt show`: the screens as people see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobwatt.energy.series import series_of
from jobwatt.history.measured import row_of
from jobwatt.history.rows import JobRow
from jobwatt.journal.store import read_job, steps_of
from jobwatt.model import Account
from jobwatt.views.clean import to_ascii, width
from jobwatt.views.plot import ASCII, BLOCKS, BRAILLE, Glyphs
from jobwatt.views.report import build
from jobwatt.views.show import Known, not_measured_lines, report_lines
from tests.screens import check_screen
from tests.views.made_jobs import HOSTILE, TRAIN, write_job

pytestmark = pytest.mark.usefixtures("utc")

GONE = "Nothing over time: the journals are gone, these are the figures that were kept."


def measured(directory: Path, job: str = "2001", row: JobRow = TRAIN) -> tuple[Account, Known]:
    account, journals = read_job(steps_of(directory, job))
    return account, Known(row, True, series_of(journals))


def screen(
    account: Account, known: Known, glyphs: Glyphs = BRAILLE, size: tuple[int, int] = (80, 24)
) -> str:
    lines = report_lines(build(account), known, glyphs, size)
    assert max(width(line.plain) for line in lines) <= size[0]
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize(
    ("name", "glyphs", "size"),
    [
        ("show-80x24", BRAILLE, (80, 24)),
        ("show-80x24-blocks", BLOCKS, (80, 24)),
        ("show-80x24-ascii", ASCII, (80, 24)),
        ("show-132x43", BRAILLE, (132, 43)),
        ("show-200x50", BRAILLE, (200, 50)),
    ],
)
def test_two_nodes_of_four_gpus(
    tmp_path: Path, name: str, glyphs: Glyphs, size: tuple[int, int]
) -> None:
    write_job(tmp_path)
    text = screen(*measured(tmp_path), glyphs, size)
    check_screen(name, to_ascii(text) if glyphs.is_ascii else text)


def test_no_gpu(tmp_path: Path) -> None:
    write_job(tmp_path, "2003", nodes=1, gpus=0)
    account, known = measured(tmp_path, "2003")
    row = JobRow("2003", name="spectra", start_wall_seconds=TRAIN.start_wall_seconds, nodes=1,
                 node_list="n1", cpus=32, gpus=0, source="journal")  # fmt: skip
    check_screen("show-no-gpu-80x24", screen(account, known._replace(row=row)))


def test_gpus_that_could_not_be_read(tmp_path: Path) -> None:
    """As for a job without GPUs, which this is not."""
    probe = {"source": "nvml", "state": "absent", "detail": "NVML Shared Library Not Found"}
    changes = {"gpus_allocated": 2, "rejected": [probe]}
    write_job(tmp_path, "2004", gpus=0, changes=changes)
    account, known = measured(tmp_path, "2004")
    row = row_of(account, {}, 0.0)
    check_screen("show-unread-gpus-80x24", screen(account, known._replace(row=row)))


def test_kept_figures_alone(tmp_path: Path) -> None:
    write_job(tmp_path)
    account, known = measured(tmp_path)
    text = screen(account, known._replace(series=None, no_series=GONE))
    assert GONE in text.split("\n")
    assert "│" not in text
    assert "GPU-00010000" in text


def test_not_measured() -> None:
    row = TRAIN._replace(state="OUT_OF_MEMORY", reason="", exit_signal=9, restarts=2)
    lines = not_measured_lines(Known(row, True), 80)
    assert max(width(line.plain) for line in lines) <= 80
    check_screen("show-not-measured-80x24", "\n".join(line.plain for line in lines))


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 100, 131, 220])
def test_any_width(tmp_path: Path, columns: int) -> None:
    write_job(tmp_path, hours=0.05)
    lines = screen(*measured(tmp_path), size=(columns, 24)).split("\n") if columns > 79 else []
    account, known = measured(tmp_path)
    report = report_lines(build(account), known, BRAILLE, (columns, 24))
    tables = [line.plain for line in report if line.plain.startswith(("n1 ", "n2 ", "node "))]
    assert max(map(width, tables)) <= columns
    assert len(tables) >= 8 + 4 + 2
    assert not lines or any("GPU-00020003" in line for line in lines)


def test_one_gpu_for_a_minute_in_ascii(tmp_path: Path) -> None:
    write_job(tmp_path, hours=0.02, nodes=1, gpus=1)
    text = screen(*measured(tmp_path), ASCII)
    assert "Power of the GPU, measured" in text
    assert "07:00:00" in text
    assert to_ascii(text).isascii()


def test_hostile_names(tmp_path: Path) -> None:
    write_job(tmp_path, hours=0.02, nodes=1, gpus=1, details={HOSTILE: HOSTILE})
    words: dict[str, Any] = dict.fromkeys(
        ("name", "user", "account", "partition", "command", "state", "reason", "node_list",
         "array_task", "source"),
        HOSTILE,
    )  # fmt: skip
    row = TRAIN._replace(**words)
    account, known = measured(tmp_path, row=row)
    names: dict[str, Any] = dict.fromkeys(("node", "name", "device_id", "source"), HOSTILE)
    account = replace(
        account,
        devices=tuple(replace(device, **names) for device in account.devices),
        nodes=tuple(replace(node, node=HOSTILE) for node in account.nodes),
        problems=(HOSTILE,),
        events=(HOSTILE,),
        cluster=HOSTILE,
    )
    for text in (
        screen(account, known),
        "\n".join(line.plain for line in not_measured_lines(known, 80)),
    ):
        assert "\x1b" not in text and "\x9b" not in text and "\u202e" not in text
        assert "new line" in text.replace("\n", " ")
        assert not any(line.startswith("new line") for line in text.split("\n"))
        assert to_ascii(text).isascii()


def test_gpus_of_two_kinds(tmp_path: Path) -> None:
    write_job(tmp_path, hours=0.05, nodes=1, gpus=2)
    account, known = measured(tmp_path)
    first, *rest = account.devices
    energy = replace(first.energy, kind="estimated")
    account = replace(
        account, devices=(replace(first, energy=energy, name="NVIDIA H100 MIG 1g.10gb"), *rest)
    )
    lines = screen(account, known, size=(132, 24)).split("\n")
    table = lines[lines.index("GPUs") :]
    assert table[1].split()[:5] == ["node", "GPU", "model", "energy", "kind"]
    assert "H100 MIG 1g.10gb" in table[2] and "estimated" in table[2]
    assert "A100-SXM4-40GB" in table[3] and "measured" in table[3]
