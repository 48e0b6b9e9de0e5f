"""Screens as text, to read in a review. JOBWATT_TEST_SCREENS=write writes them anew."""

from __future__ import annotations

import os
from pathlib import Path


def check_screen(name: str, text: str) -> None:
    """The text is what `NAME.txt` here holds, but for the blanks at the ends of lines."""
    path = Path(__file__).with_name(f"{name}.txt")
    seen = "".join(f"{line.rstrip()}\n" for line in text.rstrip("\n").split("\n"))
    if os.environ.get("JOBWATT_TEST_SCREENS") == "write":
        path.write_text(seen, encoding="utf-8")
    assert seen == path.read_text(encoding="utf-8")
