"""A file is replaced by a whole one, or stays as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jobwatt.commands.whole_file import whole_file
from jobwatt.errors import JobwattError, UsageError
from tests.truth import REPOSITORY


def test_a_new_file_and_one_that_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    for content in (b"one", b"two"):
        with whole_file(str(path)) as file:
            file.write(content)
            assert path.exists() == (content == b"two")
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["out.csv"]


def test_the_mode_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"one")
    path.chmod(0o640)
    with whole_file(str(path)) as file:
        file.write(b"two")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("there", [True, False])
def test_an_error_leaves_what_was(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "out.csv"
    if there:
        path.write_bytes(b"one")
    with pytest.raises(KeyboardInterrupt), whole_file(str(path)) as file:
        file.write(b"two")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == (["out.csv"] if there else [])
    assert not there or path.read_bytes() == b"one"


FULL_DISK = """
import resource, sys
from jobwatt.commands.whole_file import whole_file
from jobwatt.errors import JobwattError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with whole_file(sys.argv[1]) as file:
        file.write(b"x" * 5000)
except JobwattError as error:
    print(error.line())
"""


def test_a_disk_that_takes_no_more_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"one")
    said = subprocess.check_output(
        [sys.executable, "-c", FULL_DISK, str(path)], cwd=REPOSITORY, text=True
    )
    assert said == f"{path} cannot be written: File too large\n"
    assert path.read_bytes() == b"one" and os.listdir(tmp_path) == ["out.csv"]


KILLED = """
import os, signal, sys
from jobwatt.commands.whole_file import whole_file
with whole_file(sys.argv[1]) as file:
    file.write(b"x" * 5000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"one")
    run = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=REPOSITORY, check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"one"


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to("there/out.csv")
    for content in (b"one", b"two"):  # it points to nothing at first
        with whole_file(str(link)) as file:
            file.write(content)
        assert link.is_symlink()
        assert (tmp_path / "there/out.csv").read_bytes() == content


def test_a_fifo_is_written_straight_away(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    with whole_file(str(path)) as file:
        file.write(b"one")
    reader.join(timeout=20)
    assert read == [b"one"] and path.is_fifo()


def test_what_cannot_be_a_file(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for path in (tmp_path, circle):
        with pytest.raises(UsageError), whole_file(str(path)):
            pass
    with pytest.raises(JobwattError, match="No such file"), whole_file(str(tmp_path / "a/b")):
        pass
