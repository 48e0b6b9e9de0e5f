"""`jobwatt run -- COMMAND` is to its caller what COMMAND would be, but for the summary."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobwatt.journal.reader import read_journal
from tests.truth import REPOSITORY, RUN, environment, journals_below, sampler_of


def run(
    folder: Path, *command: str, stdin: bytes = b"", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*RUN, *command], env={**environment(folder), **environ}, cwd=REPOSITORY, input=stdin,
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 1, 2, 77, 126, 127, 128, 255])
def test_exit_codes(tmp_path: Path, code: int) -> None:
    done = run(tmp_path, "bash", "-c", f"echo out; echo err >&2; exit {code}")
    assert (done.returncode, done.stdout) == (code, b"out\n")
    assert done.stderr.startswith(b"err\n")


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, "no-such-command-here")
    assert done.returncode == 127
    assert done.stderr == b"jobwatt: no-such-command-here: No such file or directory\n"
    assert journals_below(tmp_path) == []


def test_a_command_that_is_not_executable(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    for path in (script, tmp_path):
        done = run(tmp_path, str(path))
        assert done.returncode == 126
        assert b"Permission denied" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR2])
def test_a_death_by_signal_is_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    done = run(tmp_path, "bash", "-c", f"ulimit -c 0; kill -{int(number)} $$")
    assert done.returncode == -number


TRAPPED = "trap 'echo {0}; exit 9' {0}; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("name", ["TERM", "INT", "USR1", "HUP", "QUIT", "USR2"])
def test_signals_are_passed_on(tmp_path: Path, name: str) -> None:
    with subprocess.Popen(
        [*RUN, "bash", "-c", TRAPPED.format(name)], env=environment(tmp_path), cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        watchdog = threading.Timer(10, process.kill)  # a signal that is lost must not hang us
        watchdog.start()
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.readline() == f"{name}\n"
        assert process.wait(10) == 9
        watchdog.cancel()
    (journal,) = journals_below(tmp_path)
    assert read_journal(journal).end is not None


def test_an_untrapped_signal_ends_both(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*RUN, "sleep", "60"], env=environment(tmp_path), cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        sampler = sampler_of(process.pid)
        until(lambda: journals_below(tmp_path))
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM
    until(lambda: not Path(f"/proc/{sampler}").exists())


def test_killing_the_run_kills_the_command(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*RUN, "bash", "-c", "echo $$; exec sleep 60"], env=environment(tmp_path), cwd=REPOSITORY,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        command = int(process.stdout.readline())
        sampler = sampler_of(process.pid)
        process.kill()
    until(lambda: not Path(f"/proc/{command}/cwd").exists())
    until(lambda: not Path(f"/proc/{sampler}").exists())


def test_stdin_and_stdout_pass_through_untouched(tmp_path: Path) -> None:
    noise = os.urandom(300_000) + b"\0\r\n\xff"
    done = run(tmp_path, "cat", stdin=noise)
    assert done.returncode == 0
    assert done.stdout == noise


def test_arguments_environment_and_descriptors(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.write(write, b"abc")
    where = f"os.getcwd(), os.environ['A'], os.read({read}, 3)"
    code = f"import os, sys; print(sys.argv[1:], {where})"
    done = subprocess.run(
        [*RUN, sys.executable, "-c", code, "--help", "-h", "--", "", "two words"], cwd=REPOSITORY,
        env={**environment(tmp_path), "A": "b"}, pass_fds=[read], capture_output=True, timeout=30,
        check=False,
    )  # fmt: skip
    os.close(read)
    os.close(write)
    expected = f"['--help', '-h', '--', '', 'two words'] {REPOSITORY} b b'abc'\n"
    assert done.stdout.decode() == expected, done.stderr


def test_the_command_sees_the_callers_signal_mask_and_no_sampler(tmp_path: Path) -> None:
    wanted = ("SigBlk", "SigIgn")
    code = f"print([line for line in open('/proc/self/status') if line.startswith({wanted!r})])"
    plain = subprocess.check_output([sys.executable, "-c", code], text=True)
    done = run(tmp_path, sys.executable, "-c", code)
    assert done.stdout.decode() == plain


def test_quiet_and_disabled(tmp_path: Path) -> None:
    assert run(tmp_path / "q", "true", JOBWATT_QUIET="1").stderr == b""
    assert len(journals_below(tmp_path / "q")) == 1
    assert run(tmp_path / "d", "true", JOBWATT_DISABLE="1").stderr == b""
    assert journals_below(tmp_path / "d") == []


def test_no_directory_to_write_to_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "bash", "-c", "exit 3", JOBWATT_DIR=str(tmp_path / "file/below"))
    assert done.returncode == 3


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    codes = (3, 4)
    processes = [
        subprocess.Popen(
            [*RUN, "bash", "-c", f"sleep 1.5; echo {code}; exit {code}"], cwd=REPOSITORY,
            env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for code in codes
    ]  # fmt: skip
    for process, code in zip(processes, codes, strict=True):
        out, said = process.communicate(timeout=30)
        assert (process.returncode, out) == (code, f"{code}\n")
        assert "jobwatt local-" in said
    journals = [read_journal(path) for path in journals_below(tmp_path)]
    assert len({journal.path.parent for journal in journals}) == 2
    assert [journal.bad_lines for journal in journals] == [0, 0]
    assert all(journal.last_seconds > 1.0 for journal in journals)


class Terminal:
    """An interactive bash in a tmux of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = tempfile.mkdtemp()  # a socket's path is short
        self._tmux = ("tmux", "-S", f"{self._folder}/socket", "-f", "/dev/null")
        environ = {**environment(folder), "TERM": "xterm"}
        command = "PS1='PROMPT> ' exec bash --norc --noprofile -i"
        self._call("new-session", "-d", "-x", "100", "-y", "40", "-s", "t", command, **environ)

    def _call(self, *arguments: str, **environ: str) -> str:
        return subprocess.run(
            [*self._tmux, *arguments], env=environ or None, cwd=REPOSITORY, text=True,
            stdout=subprocess.PIPE, timeout=10, check=True,
        ).stdout  # fmt: skip

    def type(self, text: str) -> None:
        self._call("send-keys", "-t", "t", "-l", text)
        self.press("Enter")

    def press(self, key: str) -> None:
        self._call("send-keys", "-t", "t", key)

    def screen(self) -> str:
        return self._call("capture-pane", "-p", "-t", "t")

    def wait_for(self, text: str) -> None:
        try:
            until(lambda: text in self.screen())
        except AssertionError:
            pytest.fail(f"{text!r} did not appear on:\n{self.screen()}")

    def close(self) -> None:
        self._call("kill-server")
        shutil.rmtree(self._folder)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")
    made = Terminal(tmp_path)
    try:
        made.wait_for("PROMPT>")
        yield made
    finally:
        made.close()


COUNTER = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i > {0}; sleep 0.05; done"


def test_stopping_and_continuing_in_a_shell(terminal: Terminal, tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = shlex.join([*RUN, "bash", "-c", COUNTER.format(count)])
    terminal.type(command)
    until(lambda: count.exists() and count.read_text())
    terminal.press("C-z")
    terminal.wait_for("Stopped")
    before = count.read_text()
    time.sleep(0.3)
    assert count.read_text() == before
    terminal.type("fg")
    until(lambda: count.read_text().strip() and int(count.read_text()) > int(before) + 3)
    terminal.press("C-c")
    terminal.wait_for("jobwatt local-")  # the summary, and then the prompt again
    terminal.type("echo code=$?")
    terminal.wait_for("code=130")


def test_a_full_screen_program_has_the_terminal(terminal: Terminal) -> None:
    code = "import sys, tty; tty.setraw(0); print('key', repr(sys.stdin.read(1)))"
    terminal.type(shlex.join([*RUN, sys.executable, "-c", f"print('go'); {code}"]))
    terminal.wait_for("go\n")
    time.sleep(0.2)
    terminal.press("C-c")
    terminal.wait_for(r"key '\x03'")
