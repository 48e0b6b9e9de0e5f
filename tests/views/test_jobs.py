"""`jobwatt jobs` in a terminal: the screens as people see them, and what they say."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings

from jobwatt.history.rows import JobRow
from jobwatt.history.select import lines, ordered
from jobwatt.views.clean import width
from jobwatt.views.jobs import JobList, jobs_lines, total_lines
from jobwatt.views.jobs_data import jobs_csv, jobs_json
from tests.history.month_rows import HOSTILE, NOW, measured, row
from tests.history.values import values
from tests.screens import check_screen

pytestmark = pytest.mark.usefixtures("utc")

HOUR = 3600.0


def some_jobs() -> list[JobRow]:
    """All that a list may hold."""
    array: dict[str, Any] = {"array_job": "510", "name": "sweep-lr", "gpus": 1, "cluster": "a"}
    tasks = [
        measured(str(511 + n), NOW - 9 * HOUR, 1e6, HOUR, array_task=str(n), state=state, **array)
        for n, state in enumerate(("COMPLETED", "COMPLETED", "TIMEOUT", "OUT_OF_MEMORY"))
    ]
    return [
        measured("530", NOW - 600, 4e5, 600.0, state="RUNNING", nodes=2, gpus=8)._replace(
            end_wall_seconds=None
        ),
        measured("529", NOW - 2 * HOUR, 2.5e7, HOUR, name="llama-finetune-3-with-a-very-long-name",
                 state="FAILED", metered_kind="attributed", account="physics", gpus=4, nodes=16),
        measured("528", NOW - 3 * HOUR, 1e5, 60.0, state="CANCELLED", power_mean_watts=1666.7),
        row("527", NOW - 4 * HOUR, name="by-hand", gpus=0, partition="prepost"),
        measured("526", NOW - 5 * HOUR, 0.0, name="hostname", gpus=0, gpu_joules=None,
                 metered_joules=None, metered_kind="", estimated_joules=4000.0, coverage=0.5,
                 gpu_idle_joules=None, utilization_mean_percent=None),
        *tasks,
        measured("500", NOW - 30 * HOUR, 7e6, 20 * HOUR, name=HOSTILE, state="NODE_FAIL",
                 account=HOSTILE, partition=HOSTILE),
        row("499", NOW - 40 * HOUR, name="節電の仕事", state="OF A LATER SLURM"),
        row("codecarbon-1", NOW - 50 * HOUR, origin="imported: CodeCarbon 3.0", state="", gpus=None,
            estimated_joules=7.2e6, source="", account="", partition=""),
    ]  # fmt: skip


def job_list(rows: list[JobRow], every_task: bool = False, **changes: Any) -> JobList:
    known: dict[str, Any] = {
        "lines": lines(rows, every_task), "left_out": 0, "rows": rows,
        "span": "since 26 Oct 2026", "states": "",
    }  # fmt: skip
    return JobList(**(known | changes))


def screen(found: JobList, columns: int) -> str:
    shown = [line.plain for line in jobs_lines(found, columns)]
    table = shown[: shown.index("")] if "" in shown else shown
    assert max(map(width, table)) <= columns
    text = "\n".join(shown)
    assert not {"\x1b", "\u202e", "\x07"} & set(text)
    return text


@pytest.mark.parametrize("columns", [80, 200])
def test_screens(columns: int) -> None:
    check_screen(f"jobs-{columns}", screen(job_list(some_jobs()), columns))


def test_every_task_on_a_line_of_its_own() -> None:
    text = screen(job_list(some_jobs(), every_task=True), 200)
    assert [f"510_{n} " in text for n in range(4)] == [True] * 4
    assert "tasks]" not in text


@pytest.mark.parametrize("columns", [20, 40, 60, 100, 132, 400])
def test_any_width(columns: int) -> None:
    text = screen(job_list(some_jobs()), columns)
    titles = text.splitlines()[0].split()
    assert columns < 80 or {"job", "name", "state", "elapsed", "energy"} <= set(titles)


def test_an_array_is_the_sum_of_its_tasks_and_says_its_worst() -> None:
    (line,) = [t for t in screen(job_list(some_jobs()), 200).splitlines() if "4 tasks" in t]
    for said in ("510_[4 tasks]", "1 out of memory", "1 h 00 min", "1.11 kWh", "556 Wh"):
        assert said in line


def test_none_at_all() -> None:
    assert [line.plain for line in jobs_lines(job_list([]), 80)] == ["no jobs since 26 Oct 2026"]


def test_sums_beside_their_shares() -> None:
    said = total_lines(job_list(some_jobs(), left_out=3))
    text = "\n".join(said)
    assert said[0] == (
        "12 jobs since 26 Oct 2026, 10 of them measured; 3 more lines by --limit 0"
    )
    # 4e5 + 2.5e7 + 1e5 + 4 * 1e6 + 7e6 J; the estimate and the import are beside it.
    assert "10.1 kWh measured and attributed; apart from it 2.00 kWh estimated or imported" in text
    lost = "1 failed, 1 out of memory, 1 timed out, 1 node failure"
    assert f"9.44 kWh (93 %) in 4 jobs: {lost}" in text
    assert "cancelled 27.8 Wh" in text and "by GPUs at 0 % use" in text


def test_unknown_is_never_zero() -> None:
    bare = [row("1", NOW, name="", elapsed_seconds=None, nodes=None, gpus=None)]
    text = screen(job_list(bare), 200)
    assert "0 J" not in text and "energy    unavailable" in text
    assert total_lines(job_list(bare))[0] == "1 job since 26 Oct 2026, 0 of them measured"


def test_states_of_which_slurm_says_nothing() -> None:
    rows = [measured("1", NOW, 5.0)]
    said = total_lines(job_list(rows, states="told before: Slurm was not asked"))[-1]
    assert said == "  states    told before: Slurm was not asked"
    assert "states" not in "\n".join(total_lines(job_list(rows)))


def test_colours_are_not_all_that_tells_states_apart() -> None:
    styled = {line.plain.split()[0]: line for line in jobs_lines(job_list(some_jobs()), 200)[1:9]}
    styles = {str(span.style) for span in styled["529"].spans}
    assert "red" in styles and "failed" in styled["529"].plain
    assert "green" in {str(span.style) for span in styled["530"].spans}


@settings(max_examples=60, deadline=None)
@given(values(JobRow))
def test_any_row_at_all_is_a_line(any_row: JobRow) -> None:
    start = None if any_row.start_wall_seconds is None else 1e9
    bounded = any_row._replace(start_wall_seconds=start, days="", gpu_models="")
    for columns in (40, 120):
        screen(job_list([bounded, *some_jobs()]), columns)
    ordered(lines([bounded], True), "energy")
    jobs_csv([bounded])
    json.loads(jobs_json([bounded], ""))


def test_json_is_one_document() -> None:
    rows = some_jobs()
    document = json.loads(jobs_json(rows, "sacct"))
    assert document["schema"] == 1 and document["slurm_source"] == "sacct"
    assert [job["job"] for job in document["jobs"]] == [row.job for row in rows]
    failed = document["jobs"][1]
    assert failed["metered_joules"] == 2.5e7 and failed["outcome"] == "failed"
    assert document["jobs"][3]["metered_joules"] is None
    assert json.loads(jobs_json([], "")) == {"schema": 1, "slurm_source": None, "jobs": []}


def test_csv_has_a_line_per_job() -> None:
    rows = some_jobs()
    records = list(csv.DictReader(io.StringIO(jobs_csv(rows))))
    assert [record["job"] for record in records] == [row.job for row in rows]
    assert records[1]["metered_joules"] == "25000000.0" and records[3]["metered_joules"] == ""
    assert "\x1b" not in jobs_csv(rows)
    assert jobs_csv([]).count("\n") == 1


