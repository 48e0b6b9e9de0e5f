"""A terminal of 100 columns and 40 lines that a test types into: a tmux server of its own."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

TIME_LIMIT_SECONDS = 20.0


class Screen:
    """A shell in tmux."""

    def __init__(self, socket: Path, env: Mapping[str, str]) -> None:
        self._socket = str(socket)
        environ = {**env, "TERM": "xterm", "PS1": "", "LC_ALL": "C.UTF-8"}
        shell = "exec bash --norc --noprofile"
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "40", shell, env=environ
        )
        self.type("PS1='> '; clear")
        self.wait_for(r"^> ?\Z")

    def type(self, line: str) -> None:
        """A line and Enter."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """A key by tmux's name: `C-c`."""
        self._tmux("send-keys", key)

    def text(self) -> str:
        """What is to be seen, without the empty lines at the end; the lines that left above too."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-").rstrip("\n")

    def wait_for(self, pattern: str) -> str:
        """The text once it matches."""
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while not re.search(pattern, text := self.text(), re.MULTILINE):
            assert time.monotonic() < deadline, f"no {pattern!r} on the screen:\n{text}"
            time.sleep(0.05)
        return text

    def close(self) -> None:
        """End the server and all in it."""
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False
        )

    def _tmux(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, check=True, cwd="/"
        ).stdout
