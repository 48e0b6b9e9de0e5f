"""Commands on the history killed at random moments, 200 times: nothing is lost, all goes on after.

The commands run in forked processes, so that most kills fall into their work and not into the start
of Python. SIGKILL, as a scheduler or a closing login session sends it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from jobwatt.commands import export, history, import_, jobs, month, show
from jobwatt.config import load
from jobwatt.history.history import open_history
from jobwatt.history.rows import JobRow
from tests.journal.journals import head, span, write

KILLS = 200
ROUNDS = 10
DAY_SECONDS = 86400.0
AGES_DAYS = (0.5, 0.5, 2.0, 20.0, 40.0, 40.0, 200.0, 400.0, 400.0, 800.0)
"""Of the jobs: every stage of compaction has some to work on."""
SPANS = 300
EMISSIONS = (
    "timestamp,project_name,run_id,duration,emissions,energy_consumed\n"
    "2026-10-01T10:00:00,train,5b0f3c1e-0000-4000-8000-000000000001,3600.0,0.05,1.5\n"
)

Body = Callable[[Mapping[str, str]], None]


def settings(folder: Path, index: str) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": "/nonexistent",
        "TERM": "dumb",
        "JOBWATT_DIR": str(folder / "state"),
        "JOBWATT_INDEX_DIR": str(folder / index),
        "JOBWATT_SLURM_API": "none",
        "JOBWATT_AUTO_COMPACT": "0",
    }


def make_history(folder: Path) -> None:
    """Ended jobs of all ages, two steps each on one node, and another tool's file."""
    now = time.time()
    for number, age_days in enumerate(AGES_DAYS):
        start = now - age_days * DAY_SECONDS - 2 * SPANS
        month_name = time.strftime("%Y-%m", time.localtime(start))
        job = f"local-{number}"
        for step in ("0", "1"):
            begin = start + SPANS * int(step)
            path = folder / f"state/journal/{month_name}/{job}/{step}.0.n1.0.jsonl"
            lines = [span(float(end)) for end in range(1, SPANS + 1 + number)]
            for line in lines:
                line[2] = round(begin + (line[0] or 0.0))
            first = head(job=job, step=step, wall_seconds=begin, age_seconds=0.0,
                         monotonic_seconds=begin)  # fmt: skip
            write(path, first, *lines, {"t": SPANS, "w": begin + SPANS, "end": "gone"})
            os.utime(path, (begin + SPANS, begin + SPANS))
    (folder / "emissions.csv").write_text(EMISSIONS)


def commands(folder: Path) -> list[tuple[str, Body]]:
    """What gets killed. `compact` most often: it is the one that deletes."""
    everything = jobs.Wish(since="2000-01-01", limit=0)
    csv = export.Wish("devices", "", "", "", "", "csv", str(folder / "out.csv"))
    return [
        ("compact", lambda environ: history.compact(True, environ)),
        ("compact", lambda environ: history.compact(True, environ)),
        ("compact", lambda environ: history.compact(True, environ)),
        ("rebuild", history.rebuild),
        ("jobs", lambda environ: jobs.jobs(everything, "json", environ)),
        ("month", lambda environ: month.month("", False, str(folder / "m.html"), True, environ)),
        ("show", lambda environ: show.show("local-4", True, "", True, environ)),
        ("export", lambda environ: export.export(csv, environ)),
        ("import", lambda environ: import_.import_(
            (str(folder / "emissions.csv"),), False, environ)),
    ]  # fmt: skip


def start(body: Body, environ: Mapping[str, str]) -> int:
    """The command in a process of its own, its output thrown away."""
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            body(environ)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


def run_for(seconds: float, body: Body, environ: Mapping[str, str]) -> bool:
    """Start it and kill it after a while; whether it was still at work."""
    pid = start(body, environ)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def seconds_of(body: Body, environ: Mapping[str, str]) -> float:
    """How long it takes when nobody kills it."""
    began = time.monotonic()
    _, status = os.waitpid(start(body, environ), 0)
    assert status == 0
    return time.monotonic() - began


def figures(environ: Mapping[str, str]) -> dict[str, JobRow]:
    """Every job of ours as a command sees it."""
    found = open_history(load(environ), environ, 0.0)
    return {row.job: row for row in found.rows(0.0, 1e12) if not row.job.startswith("local-2026")}


def same_figures(found: Mapping[str, JobRow], expected: Mapping[str, JobRow]) -> None:
    """To the joule, and of the same days."""
    assert expected.keys() <= found.keys()
    for job, row in expected.items():
        own = found[job]
        assert own.metered_joules == pytest.approx(row.metered_joules, rel=1e-6), job
        assert own.gpu_joules == pytest.approx(row.gpu_joules, rel=1e-6), job
        assert own.measured_seconds == pytest.approx(row.measured_seconds, rel=1e-6), job
        assert own.steps == row.steps == 2
        assert sum(json.loads(own.days).values()) == pytest.approx(row.metered_joules, rel=1e-5)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_random_moments(tmp_path: Path, number: int) -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    print(f"seed {seed}")
    template = tmp_path / "template"
    make_history(template)
    expected = figures(settings(template, "index"))
    assert len(expected) == len(AGES_DAYS)
    folder = tmp_path / "history"
    shutil.copytree(template, folder)
    environ = settings(folder, "index")
    took: dict[str, float] = {}
    for name, body in commands(folder):
        trial = tmp_path / f"trial-{name}"
        if not trial.exists():
            shutil.copytree(template, trial)
            took[name] = seconds_of(body, settings(trial, "index"))
    killed = 0
    for kill in range(KILLS // ROUNDS):
        name, body = dice.choice(commands(folder))
        was_killed = run_for(dice.uniform(0.0, took[name]), body, environ)
        killed += was_killed
        fresh = settings(folder, f"fresh-{kill}")
        same_figures(figures(fresh), expected)  # from the files alone
        if kill % 4 == 3:
            same_figures(figures(environ), expected)  # with the index that was left
        if name == "compact" and not was_killed:  # all done: back to where there is work
            shutil.rmtree(folder)
            shutil.copytree(template, folder)
    assert killed > KILLS / ROUNDS / 5, "most commands had ended before they were killed"
    history.compact(True, environ)
    same_figures(figures(environ), expected)
    shutil.rmtree(folder / "index")
    same_figures(figures(environ), expected)
    left = [path.parent.name for path in folder.glob("state/journal/*/*/[!.]*")]
    assert set(left) <= {f"local-{n}" for n, age in enumerate(AGES_DAYS) if age < 366}
