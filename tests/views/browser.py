"""A real browser, driven by its debugging pipe: what a page shows, says and asks for."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIME_LIMIT_SECONDS = 60.0


def program() -> str | None:
    """The browser of this machine."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Browser:
    """One page of a headless Chromium. `requests` and `complaints` grow as it works."""

    def __init__(self, path: str, profile: Path) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = 0
        self._waiting = b""
        self._session: str | None = None
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # Chromium reads commands on descriptor 3 and answers on 4: the shell moves them there,
        # from where they are not in each other's way.
        low = (commands, answers)
        commands, answers = (fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in low)
        for descriptor in low:
            os.close(descriptor)
        command = [
            path, "--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking",
            "--disable-component-update", "--hide-scrollbars", f"--user-data-dir={profile}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []), "about:blank",
        ]  # fmt: skip
        shell = f'exec "$@" 3<&{commands} 4>&{answers} {commands}<&- {answers}>&-'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command],
            env={**os.environ, "HOME": str(profile), "TZ": "UTC"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(commands, answers), start_new_session=True,
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Load a file to its end."""
        self.requests.clear()
        self.complaints.clear()
        self.ask("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while self.value("document.readyState + location.href") != f"complete{path.as_uri()}":
            assert time.monotonic() < deadline, "the page does not load"
            time.sleep(0.05)

    def value(self, script: str) -> Any:
        """What an expression is in the page. It comes from outside: the page's policy allows it."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """What the elements that a selector finds say."""
        return list(self.value(
            f"Array.from(document.querySelectorAll({json.dumps(selector)}), e => e.textContent)"
        ))  # fmt: skip

    def numbers(self, selector: str) -> list[float]:
        """The values of `data` elements."""
        return [float(value) for value in self.value(
            f"Array.from(document.querySelectorAll({json.dumps(selector)}), e => e.value)"
        )]  # fmt: skip

    def look(self, width: int, scheme: str = "light", media: str = "screen") -> bytes:
        """The whole page as PNG, `width` pixels wide."""
        self.ask("Emulation.setEmulatedMedia", media=media,
                 features=[{"name": "prefers-color-scheme", "value": scheme}])  # fmt: skip
        for height in (800, None):
            height = height or self.value("document.documentElement.scrollHeight")
            self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=False)  # fmt: skip
        return base64.b64decode(self.ask("Page.captureScreenshot")["data"])

    def ask(self, method: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol, and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer.get("method", ""), answer.get("params", {}))

    def close(self) -> None:
        """End it."""
        self._session = None
        with contextlib.suppress(AssertionError, OSError):
            self.ask("Browser.close")
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(TIME_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _next(self) -> Any:
        while b"\0" not in self._waiting:
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser has ended"
            self._waiting += chunk
        line, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(line)

    def _note(self, method: str, said: Any) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(said))


@contextlib.contextmanager
def browser(path: str, profile: Path) -> Iterator[Browser]:
    """For the time of a `with`."""
    found = Browser(path, profile)
    try:
        yield found
    finally:
        found.close()
