"""The commands on past jobs: their arguments and options. `jobwatt.cli` adds them to its own."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jobwatt.errors import UsageError

Since = Annotated[
    str,
    typer.Option(
        metavar="TIME", help="From this time on: 2026-11-25, 2026-11-25T13:00, 7d, 12h, yesterday."
    ),
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Up to this time.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII letters alone.")]
Cluster = Annotated[
    str, typer.Option(metavar="NAME", help="Whose job, where clusters share job ids.")
]


def jobs(
    job: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB]...", help="These jobs; an array opened.")
    ] = None,
    since: Since = "30d",
    until: Until = "",
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE,...", help="As Slurm's: FAILED, F, RUNNING, …"),
    ] = None,
    name: Annotated[str, typer.Option(metavar="PATTERN", help="Job name; * and ? stand in.")] = "",
    account: Annotated[list[str] | None, typer.Option(metavar="NAME,...")] = None,
    partition: Annotated[list[str] | None, typer.Option(metavar="NAME,...")] = None,
    sort: Annotated[
        str, typer.Option(metavar="[-]COLUMN", help="Default: start, the newest first.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Lines at most; on a screen 30. 0: all.")
    ] = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="Every task of an array.")] = False,
    measured: Annotated[
        bool, typer.Option("--measured", help="Only jobs whose energy is known.")
    ] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
) -> None:
    """Past and running jobs with their energy."""
    from jobwatt.commands.jobs import Wish
    from jobwatt.commands.jobs import jobs as body

    wish = Wish(
        jobs=tuple(job or ()),
        since=since,
        until=until,
        state=",".join(state or ()),
        name=name,
        account=",".join(account or ()),
        partition=",".join(partition or ()),
        sort=sort,
        limit=limit,
        tasks=tasks,
        measured=measured,
    )
    if json and csv:
        raise UsageError("--json and --csv are two forms of the same", "choose one")
    body(wish, "json" if json else "csv" if csv else "text", os.environ)


def month(
    period: Annotated[
        str, typer.Argument(metavar="[YYYY-MM]", help="A calendar month; default: last 30 days.")
    ] = "",
    json: Json = False,
    html: Annotated[
        str,
        typer.Option(metavar="FILE", help="Write one self-contained page; -: on standard output."),
    ] = "",
    ascii: Ascii = False,
) -> None:
    """The last 30 days, or a month, at a glance."""
    from jobwatt.commands.month import month as body

    body(period, json, html, ascii, os.environ)


def compare(
    job: Annotated[list[str], typer.Argument(metavar="JOB...")],
    json: Json = False,
) -> None:
    """Jobs side by side; one job: against the median of earlier runs."""
    from jobwatt.commands.compare import compare as body

    body(tuple(job), json, os.environ)


def attach(job: Annotated[str, typer.Argument(metavar="JOB")]) -> None:
    """Measure a running job that srun-green did not start.

    A job of your own, until it ends or Ctrl-C.
    """
    from jobwatt.commands.attach import attach as body

    raise typer.Exit(body(job, os.environ))


def export(
    what: Annotated[
        str, typer.Argument(metavar="[WHAT]", help="jobs, devices, or series (with --job).")
    ] = "jobs",
    job: Annotated[str, typer.Option(metavar="JOB", help="This job alone.")] = "",
    since: Since = "",
    until: Until = "",
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="jsonl, csv or parquet.")
    ] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Default, and -: standard output.")
    ] = "",
    cluster: Cluster = "",
) -> None:
    """Write figures for other programs: JSON Lines, CSV or Parquet.

    Without --format, the ending of FILE decides. In CSV, a text that a spreadsheet would take for a
    formula gets an apostrophe in front; JSON Lines and Parquet hold what the history holds.
    """
    from jobwatt.commands.export import Wish
    from jobwatt.commands.export import export as body

    body(Wish(what, job, cluster, since, until, form, output), os.environ)


def import_(
    file: Annotated[list[str], typer.Argument(metavar="FILE...")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is in it.")] = False,
) -> None:
    """Take over another tool's figures, labelled as imported.

    AIPowerMeter's power_metrics.json and CodeCarbon's emissions.csv. The same file again adds
    nothing.
    """
    from jobwatt.commands.import_ import import_ as body

    body(tuple(file), dry_run, os.environ)


history = typer.Typer(
    help="The files behind it: journals, figures, index.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@history.command()
def check(json: Json = False) -> None:
    """Read all of it and say what is damaged."""
    from jobwatt.commands.history import check as body

    body(json, os.environ)


@history.command()
def rebuild() -> None:
    """Make the index anew from the figures and journals."""
    from jobwatt.commands.history import rebuild as body

    body(os.environ)


@history.command()
def compact(
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Compress journals of ended jobs, thin out old ones.

    Nothing is deleted that was not first condensed and verified.
    """
    from jobwatt.commands.history import compact as body

    body(quiet, os.environ)


def declare(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for body in (jobs, month, compare, attach, export):
        app.command()(body)
    app.command("import")(import_)
    app.add_typer(history, name="history")
