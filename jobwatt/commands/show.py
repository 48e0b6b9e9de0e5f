"""`jobwatt show [JOB[.STEP]]`: one job or step in full."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path

from jobwatt.config import load
from jobwatt.errors import NotFoundError, UsageError
from jobwatt.journal.store import account_of_job, account_of_step, last_step, steps_of
from jobwatt.model import Account
from jobwatt.views.report import build


def show(job: str, as_json: bool, cluster: str, ascii_only: bool, environ: Mapping[str, str]) -> None:
    """Print it on stdout. NotFoundError: no such job or step."""
    gc.disable()  # a million numbers and no garbage, in a process that ends right after
    settings = load(environ)
    account = _account(job, cluster, settings.directory)
    report = build(account)
    if as_json:
        from jobwatt.views.json import report_json

        print(report_json(report))
        return
    from jobwatt.views.text import print_report

    print_report(report, environ)


def _account(name: str, cluster: str, folder: Path) -> Account:
    if not name:
        return account_of_step(last_step(folder))
    job, _, step = name.partition(".")
    if not job:
        raise UsageError(f"{name!r} names no job", "write: jobwatt show JOB or JOB.STEP")
    steps = steps_of(folder, job, cluster or None)
    if not step:
        return account_of_job(steps)
    wanted = [files for files in steps if files.step == step]
    if not wanted:
        names = ", ".join(sorted({files.step for files in steps})[:20])
        raise NotFoundError(f"job {job} has no measured step {step!r}", f"it has: {names}")
    return account_of_step(max(wanted, key=lambda files: files.restart))
