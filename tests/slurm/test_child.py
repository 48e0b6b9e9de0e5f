"""Commands side by side within a limit: whole answers, and nothing left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from jobwatt.slurm.child import Said, run_all

ENVIRON = {"PATH": os.environ["PATH"]}


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def gone(pid: int) -> bool:
    """Whether the process ends within some seconds; an orphan may be reaped late, or never."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def test_answers_in_order_with_code_and_errors() -> None:
    scripts = ("sleep 0.2; echo a", "echo é; echo no >&2; exit 3")
    first, second = run_all([sh(script) for script in scripts], ENVIRON, 9)
    assert first == Said(0, b"a\n")
    assert (second.code, second.text, second.why()) == (3, "é\n", "no")


def test_more_than_a_pipe_holds_on_both_streams() -> None:
    program = "import sys; sys.stdout.write('x' * 3000000); sys.stderr.write('y' * 3000000)"
    said = run_all([[sys.executable, "-c", program]] * 2, ENVIRON, 30)
    assert [(len(one.out), len(one.err), one.code) for one in said] == [(3000000, 3000000, 0)] * 2


def test_at_the_limit_the_child_and_its_children_are_killed(tmp_path: Path) -> None:
    slow, quick = run_all(
        [sh(f"echo part; echo why >&2; sleep 300 & echo $! > {tmp_path}/pid; wait"), sh("echo b")],
        ENVIRON,
        0.5,
    )
    assert (slow.code, slow.out, slow.why()) == (None, b"part\n", "no answer within 0.5 s (why)")
    assert quick == Said(0, b"b\n")
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_child_that_closes_its_streams_and_stays_is_killed_too() -> None:
    [said] = run_all([sh("echo $$; exec >&- 2>&-; sleep 300")], ENVIRON, 0.5)
    assert said.reason == "no answer within 0.5 s"
    assert gone(int(said.out))


def test_a_grandchild_that_keeps_the_streams_open_does_not_keep_us() -> None:
    [said] = run_all([sh("echo a; setsid sleep 3 & exit 0")], ENVIRON, 0.5)
    assert (said.code, said.out) == (0, b"a\n")


def test_an_endless_answer_is_cut_short() -> None:
    [said] = run_all([["yes"]], ENVIRON, 30, max_bytes=100_000)
    assert (said.code, said.reason) == (None, "its answer is too long")


def test_what_cannot_be_started(tmp_path: Path) -> None:
    broken = tmp_path / "sacct"
    broken.write_text("no program")
    broken.chmod(0o755)
    said = run_all([["/no/such/command"], [str(broken)], ["echo", "\0"]], ENVIRON, 9)
    assert [one.code for one in said] == [None] * 3
    assert said[0].why() == "cannot be started: No such file or directory"
    assert said[1].why() == "cannot be started: Exec format error"


def test_an_interrupt_kills_the_child(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), 2)

    thread = threading.Thread(target=interrupt)
    thread.start()
    script = f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 300"
    with pytest.raises(KeyboardInterrupt):
        run_all([sh(script)], ENVIRON, 60)
    thread.join()
    assert gone(int((tmp_path / "pid").read_text()))
