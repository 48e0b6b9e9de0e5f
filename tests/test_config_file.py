"""Whatever lies at a configuration file's path: read at once, or ignored with one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobwatt.config import Settings, load
from jobwatt.config_file import MAX_FILE_BYTES, read_config


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "USER": "ada"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def only(problems: tuple[str, ...]) -> str:
    assert len(problems) == 1, problems
    assert "\n" not in problems[0]
    return problems[0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[journal\n", "at line 1"),
        (b"[journal]\ntick_seconds = ", "at end of document"),
        (b"[journal]\ndirectory = '/a", "at end of document"),
        (b"[journal]\ntick_seconds = 1\ntick_seconds = 2", "overwrite"),
        (b"[journal]\n# \xff\xfe\n", "not UTF-8 at byte 12"),
        (b"\x00" * 100, "at line 1"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"a = " + b"9" * 5_000, ""),
        (b"a." * 20_000 + b"a = 1", "line 1 has more than 128 dots"),
        (b"#" * (MAX_FILE_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_damaged_file_is_one_line_and_ignored(
    data: bytes, reason: str, environ: dict[str, str], site: Path
) -> None:
    site.write_bytes(data)
    environ["JOBWATT_QUIET"] = "1"
    settings = load(environ, site)
    problem = only(settings.problems)
    assert problem.startswith(f"{site}: ") and problem.endswith("; the file is ignored")
    assert reason in problem and len(problem) < 500
    assert settings._replace(problems=()) == Settings(
        directory=Path(environ["HOME"]) / ".local/state/jobwatt", quiet=True
    )


def test_largest_file_is_read(site: Path) -> None:
    text = "[summary]\nquiet = true\n"
    site.write_text(text + "#" * (MAX_FILE_BYTES - len(text)))
    assert read_config(site) == ({"summary": {"quiet": True}}, "")


def test_byte_order_mark_and_dos_lines(site: Path) -> None:
    site.write_bytes(b"\xef\xbb\xbf[summary]\r\nquiet = true\r\n")
    assert read_config(site) == ({"summary": {"quiet": True}}, "")


def test_things_that_are_not_files(tmp_path: Path) -> None:
    fifo, loop, dangling = tmp_path / "fifo", tmp_path / "loop", tmp_path / "dangling"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    dangling.symlink_to(tmp_path / "nothing")
    assert read_config(tmp_path).problem == "not a regular file"
    assert read_config(fifo).problem == "not a regular file"  # and returns at once
    assert read_config(Path("/dev/zero")).problem == "not a regular file"
    assert "symbolic links" in read_config(loop).problem
    assert "too long" in read_config(tmp_path / ("x" * 300)).problem
    assert read_config(Path("a\0b")).problem
    for missing in (dangling, tmp_path / "none", fifo / "below-no-directory"):
        assert read_config(missing) == ({}, "")


def test_fifo_with_a_writer_does_not_block(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        assert read_config(fifo).problem == "not a regular file"
    finally:
        os.close(descriptor)


def test_link_to_a_good_file_is_read(tmp_path: Path, site: Path) -> None:
    site.write_text("[summary]\nquiet = true\n")
    link = tmp_path / "link"
    link.symlink_to(site)
    assert read_config(link).tables == {"summary": {"quiet": True}}


def test_forbidden_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[summary]\nquiet = true\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        # Root reads everything: become somebody else, in a child.
        for parent in tmp_path.parents[:3]:
            if parent != Path("/tmp"):
                parent.chmod(0o755)
        tmp_path.chmod(0o755)
        script = (
            "import os, sys; from pathlib import Path; import jobwatt.config_file as c\n"
            "os.setuid(54321); print(c.read_config(Path(sys.argv[1])).problem)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stdout.strip() == "cannot be read (Permission denied)", done.stderr
    else:
        assert read_config(path).problem == "cannot be read (Permission denied)"
