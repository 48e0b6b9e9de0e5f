"""The program: its commands, errors and exit codes. Bodies import what they need when called."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from jobwatt import __version__
from jobwatt.commands.declare_history import Ascii, declare
from jobwatt.errors import JobwattError, UsageError
from jobwatt.streams import ReaderGoneError, open_streams


class _Program(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """As typer's, which ends with 1 where the reader has gone: `jobs | head` is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error


app = typer.Typer(
    cls=_Program,
    help="What a Slurm job used and wasted, in joules.",
    epilog="To measure a step, write srun-green in place of srun.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Click's base of all errors in a command line; some versions of typer carry their own Click.
_CommandLineError: Any = typer.BadParameter.__mro__[2]


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
    cluster: Annotated[
        str, typer.Option(metavar="NAME", help="Whose job, where clusters share job ids.")
    ] = "",
    ascii: Ascii = False,
) -> None:
    """What a job or step used, device by device and over time."""
    from jobwatt.commands.show import show as body

    body(job, json, cluster, ascii, os.environ)


declare(app)


@app.command()
def doctor(
    load_seconds: Annotated[
        float,
        typer.Option(
            "--load-seconds",
            metavar="SECONDS",
            min=0.0,
            max=60.0,
            help="Length of the test load; below 0.5 the meters are not watched.",
        ),
    ] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """The power sources of this machine.

    The state of each, what it covers, why a better one is not used and how to open it;
    then what else measuring needs: the journal directory, srun, cgroups, settings.
    """
    from jobwatt.commands.doctor import doctor as body

    body(load_seconds, json, os.environ)


@app.command()
def config() -> None:
    """Each setting, its value and where that comes from."""
    from jobwatt.commands.config import config as body

    body(os.environ)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="-- COMMAND [ARGUMENT]...",
    short_help="Measure one command on this machine.",
    help="Measure one command on this machine, in a Slurm job or without Slurm. "
    "What it prints and its exit code stay its own; the summary goes to stderr.",
)
def run(context: typer.Context) -> None:
    """Only for the help: `main` takes `run` before typer sees a command's own options."""
    raise UsageError("no command to run", "write: jobwatt run -- COMMAND")


def _usage_line(error: Any) -> str:
    """One line on what is wrong with the command line; the help where there is no command."""
    message = str(error.format_message())
    if "\n" in message:
        return f"{message}\n"
    path = error.ctx.command_path if getattr(error, "ctx", None) else "jobwatt"
    message = message.rstrip(".")
    return f"jobwatt: {message}{'' if message.endswith('?') else ';'} see: {path} --help\n"


def main() -> NoReturn:
    """Entry point of the `jobwatt` command."""
    open_streams()
    try:
        try:
            code = _run(sys.argv[1:])
        finally:
            sys.stdout.flush()
        sys.exit(code)
    except JobwattError as error:
        from jobwatt.views.clean import clean  # the line may hold names of files

        sys.stderr.write(f"jobwatt: {clean(error.line(), 2000)}\n")
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except _CommandLineError as error:
        sys.stderr.write(_usage_line(error))
        sys.exit(2)
    except ReaderGoneError:
        sys.exit(0)


def _run(arguments: list[str]) -> Any:
    """One command; its exit code."""
    if arguments[:1] != ["run"] or arguments[1:2] in (["--help"], ["-h"], []):
        return app(prog_name="jobwatt", standalone_mode=False)
    from jobwatt.commands.run import run as body

    command = arguments[2:] if arguments[1] == "--" else arguments[1:]
    if arguments[1] != "--" and arguments[1].startswith("-"):
        raise UsageError(f"run has no option {arguments[1]}", "write: jobwatt run -- COMMAND")
    if not command:
        raise UsageError("no command to run", "write: jobwatt run -- COMMAND")
    return body(command, os.environ)


if __name__ == "__main__":
    main()
