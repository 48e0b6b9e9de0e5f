"""Commands. Bodies import what they need; nothing else prints errors or exits."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from jobwatt import __version__
from jobwatt.errors import JobwattError, UsageError

app = typer.Typer(
    help="What a Slurm job used and wasted, in joules.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jobwatt {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def show(
    job: Annotated[
        str, typer.Argument(metavar="[JOB[.STEP]]", help="Default: the last step measured.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    cluster: Annotated[str, typer.Option(help="Where job ids of several clusters meet.")] = "",
) -> None:
    """What a job or step used, device by device."""
    from jobwatt.commands.show import show as body

    body(job, json, cluster, os.environ)


@app.command()
def doctor(
    load_seconds: Annotated[
        float, typer.Option("--load-seconds", min=0.0, max=60.0, help="Length of the test load.")
    ] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Every power source of this machine: its state, what it covers, how to open a better one."""
    from jobwatt.commands.doctor import doctor as body

    body(load_seconds, json, os.environ)


@app.command()
def config() -> None:
    """Each setting, its value and where that comes from."""
    from jobwatt.commands.config import config as body

    body(os.environ)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    help="Measure one command on this machine: jobwatt run -- COMMAND [ARGUMENT]...",
)
def run(context: typer.Context) -> None:
    """Only for the help: `main` takes `run` before typer sees a command's own options."""
    raise UsageError("no command to run", "write: jobwatt run -- COMMAND")


def main() -> NoReturn:
    """Entry point of the `jobwatt` command."""
    try:
        arguments = sys.argv[1:]
        if arguments[:1] == ["run"] and arguments[1:2] not in (["--help"], ["-h"], []):
            from jobwatt.commands.run import run as body

            command = arguments[2:] if arguments[1] == "--" else arguments[1:]
            if not command:
                raise UsageError("no command to run", "write: jobwatt run -- COMMAND")
            sys.exit(body(command, os.environ))
        app()
    except JobwattError as error:
        sys.stderr.write(f"jobwatt: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # `jobwatt show | head` is no error; nothing is left to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


if __name__ == "__main__":
    main()
