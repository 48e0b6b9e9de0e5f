"""Who imports what, and how much. Imports are watched in fresh processes, not guessed from text."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hardware.build import CompilerMissing
from tests.hardware.nvml import FakeNvml, gpus
from tests.hardware.power import Constant
from tests.hardware.powercap import PowercapTree, package
from tests.truth import environment, journals_below

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "jobwatt"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 250
NEVER_IN_THE_SAMPLER = (
    "typer", "rich", "textual", "sqlite3", "dataclasses", "subprocess", "inspect", "logging",
    "asyncio", "click", "jobwatt.views", "jobwatt.commands", "jobwatt.energy.account",
    "jobwatt.journal.reader",
)  # fmt: skip
MODULE_BUDGET = 128
"""Modules in a sampler that measures a GPU and a CPU: 116 on Python 3.11, and a tenth more."""

# Runs the sampler's entry as `jobwatt run` does, and says at its end what was imported.
WATCHED_SAMPLER = """
import os, sys, json
def leave(code):
    names = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    with open(sys.argv[2], "w") as file:
        json.dump(names, file)
    os.kill(os.getpid(), 9)
os._exit = leave
path = sys.argv[1]
sys.argv = [path, "run", *sys.argv[2:]]
exec(compile(open(path).read(), path, "exec"), {"__name__": "__main__", "__file__": path})
"""


def imports_of(path: Path) -> set[str]:
    """Full names that a file imports anywhere in it, with those that `from` takes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def importers(package: str) -> set[str]:
    """Files, relative to the package, that import this or something below it."""
    return {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if any(name == package or name.startswith(f"{package}.") for name in imports_of(path))
    }


@pytest.fixture(scope="module")
def sampler_modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Name and file of each module in a sampler that has measured, started under -I -S.

    pynvml's folder is given by hand, since without `site` only the standard library is found.
    """
    folder = tmp_path_factory.mktemp("sampler")
    try:
        fake = FakeNvml(folder)
    except CompilerMissing as error:
        pytest.skip(str(error))
    fake.write(gpus(1))
    PowercapTree(folder, (package(0, Constant(50.0)),))
    environ = {**environment(folder), **fake.env()}
    (folder / "site").mkdir()
    import pynvml

    (folder / "site/pynvml.py").symlink_to(pynvml.__file__)
    entry = str(PACKAGE / "sampler/__main__.py")
    add = f"import sys; sys.path.append({str(folder / 'site')!r})\n"
    said = folder / "modules.json"
    with subprocess.Popen(["sleep", "1.2"]) as command:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", add + WATCHED_SAMPLER, entry, str(said)],
            env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        request = {"pid": command.pid, "job": "j", "step": "0", "command": ["sleep"]}
        process.communicate(json.dumps(request) + "\n", timeout=20)
    assert len(journals_below(folder)) == 1
    assert b'"nvml"' in journals_below(folder)[0].read_bytes()
    found: dict[str, Any] = json.loads(said.read_text())
    return found


def test_the_sampler_is_the_standard_library_and_pynvml(sampler_modules: dict[str, Any]) -> None:
    top = {name.partition(".")[0] for name in sampler_modules}
    foreign = top - set(sys.stdlib_module_names) - {"__main__"}
    assert foreign == {"jobwatt", "pynvml"}


@pytest.mark.parametrize("name", NEVER_IN_THE_SAMPLER)
def test_what_the_sampler_never_imports(sampler_modules: dict[str, Any], name: str) -> None:
    assert not [each for each in sampler_modules if each == name or each.startswith(f"{name}.")]


def test_the_sampler_stays_small(sampler_modules: dict[str, Any]) -> None:
    assert len(sampler_modules) <= MODULE_BUDGET, sorted(sampler_modules)


def test_the_sampler_writes_nothing_on_stderr_and_exits_0(tmp_path: Path) -> None:
    entry = str(PACKAGE / "sampler/__main__.py")
    for arguments in (["run"], ["step", "1"], ["step", "x"], [], ["step"], ["what"]):
        run = subprocess.run(
            [sys.executable, "-I", "-S", entry, *arguments], env=environment(tmp_path),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert (run.returncode, run.stderr) == (0, ""), arguments
        assert run.stdout in ("", "ready\n")


@pytest.mark.parametrize("name", ["typer", "rich"])
def test_only_views_and_commands_draw(name: str) -> None:
    allowed = ("views/", "commands/", "cli.py")
    assert importers(name), "the test looks for what nobody uses"
    assert not [path for path in importers(name) if not path.startswith(allowed)]


def test_only_one_module_knows_nvml() -> None:
    assert importers("pynvml") == {"sources/nvml.py"}


def test_nothing_below_knows_the_views() -> None:
    allowed = ("views/", "commands/", "cli.py")
    assert importers("jobwatt.views"), "the test looks for what nobody uses"
    assert not [path for path in importers("jobwatt.views") if not path.startswith(allowed)]


def test_the_middle_is_pure() -> None:
    """No clock, path, process or environment where figures are computed."""
    for path in sorted((PACKAGE / "energy").glob("*.py")):
        impure = {"os", "time", "subprocess", "pathlib", "socket", "sys"} & imports_of(path)
        assert not impure, f"{path.name} imports {impure}"


def test_sources_know_nothing_of_those_who_read_them() -> None:
    above = ("jobwatt.sampler", "jobwatt.journal", "jobwatt.energy", "jobwatt.commands")
    for name in above:
        assert not [path for path in importers(name) if path.startswith("sources/")], name


def test_the_summary_needs_no_drawing_library() -> None:
    code = (
        "import sys, jobwatt.views.epilog, jobwatt.commands.run\n"
        "print(*sorted({'typer', 'rich', 'textual', 'click'} & set(sys.modules)))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], cwd=REPOSITORY, text=True)
    assert said.strip() == ""


def texts() -> Iterator[Path]:
    yield from MODULES
    yield from sorted(path for path in (REPOSITORY / "shell").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", list(texts()), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


def test_every_module_says_what_it_is() -> None:
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path} has no docstring"
