"""Single values as Slurm's commands print them. Pure; what cannot be read is None, never an error.

Forms of Slurm 20.11 to 26.05: sacct(1), squeue(1), and their sources (print.c).
"""

from __future__ import annotations

import re
from datetime import datetime

OUT_OF_MEMORY_SIGNAL = 125
"""What sacct prints as signal of a step that the kernel's out-of-memory killer ended."""

_HIGHEST_SIGNAL = 64
_DURATION = re.compile(r"(?:(\d+)-)?(\d+(?::\d+){0,2})(?:\.\d+)?")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]?)i?B?([nc]?)", re.IGNORECASE)
_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40, "P": 50, "E": 60}
_LARGEST = 1 << 62


def integer(text: str) -> int | None:
    """A count of 1 or more digits; None for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def wall_seconds(text: str) -> float | None:
    """Unix seconds of `1795433312` or of `2026-11-23T11:28:32` in local time.

    None for `Unknown`, `None`, `N/A`, the empty text and 0.
    """
    number = integer(text)
    if number is not None:
        return float(number) if 0 < number < 1 << 40 else None
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def duration_seconds(text: str) -> float | None:
    """Seconds of `[DAYS-]HOURS:MINUTES:SECONDS`, `MINUTES:SECONDS`, `DAYS-HOURS`.

    None for `UNLIMITED`, `NOT_SET`, `INVALID`, `Partition_Limit`.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match or len(text) > 40:
        return None
    parts = [int(part) for part in match[2].split(":")]
    if match[1] is not None:  # Slurm reads D-HH:MM, and D-HH, from the left
        parts = [*parts, 0, 0][:3]
    parts = [0, 0, *parts][-3:]
    total = ((int(match[1] or 0) * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]
    return float(total) if total < 1 << 40 else None


def memory_bytes(text: str, nodes: int | None, cpus: int | None) -> int | None:
    """Bytes of `4000M`, `976.50G`, or of `4Gn` and `4Gc`, a node's and a CPU's (before 21.08).

    A number without a unit is in MiB. 0 means all of a node's, which this cannot know: None.
    """
    match = _MEMORY.fullmatch(text.strip())
    if not match or len(text) > 40:
        return None
    times = {"": 1, "n": nodes, "c": cpus}[match[3].lower()]
    if times is None:
        return None
    size = round(float(match[1]) * 2.0 ** _UNITS[match[2].upper() or "M"]) * times
    return size if 0 < size < _LARGEST else None


def tres(text: str) -> dict[str, str]:
    """`cpu=1,gres/gpu:a100=2` -> {"cpu": "1", "gres/gpu:a100": "2"}."""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip(): value for name, sign, value in pairs if sign}


def tres_gpus(text: str) -> int | None:
    """GPUs in a list of trackable resources; None where it names none.

    A site that counts GPUs by type has both `gres/gpu=2` and `gres/gpu:a100=2`: two GPUs.
    """
    counts = tres(text)
    whole = integer(counts.get("gres/gpu", ""))
    if whole is not None:
        return whole
    typed = [integer(value) for name, value in counts.items() if name.startswith("gres/gpu:")]
    known = [count for count in typed if count is not None]
    return sum(known) if known else None


def gres_gpus(text: str) -> int | None:
    """GPUs in `gpu:2`, `gres:gpu:a100:2(S:0-1)`, `gres/gpu:2`; None where it names none."""
    found: int | None = None
    for part in re.sub(r"\([^)]*\)", "", text).split(","):
        words = re.split(r"[:/]", part.strip().removeprefix("gres:").removeprefix("gres/"))
        if words[0] == "gpu":
            count = integer(words[-1])
            found = (found or 0) + (1 if count is None else count)
    return found


def exit_status(text: str) -> tuple[int | None, int | None]:
    """Exit code and signal, as sacct prints them (`3:0`, `0:9`) or as the raw status of wait(2).

    One of them at most: who was killed by a signal has no exit code. Slurm's 125 for out of memory
    is no signal. sacct prints exit codes from 128 on less 128: 137 is `9:0`.
    """
    code_text, sign, signal_text = text.strip().partition(":")
    code, signal = integer(code_text), integer(signal_text) if sign else 0
    if code is None or signal is None:
        return None, None
    if not sign:
        code, signal = code >> 8 & 0xFF, code & 0x7F
    if signal:
        return None, signal if signal <= _HIGHEST_SIGNAL else None
    return code, None


def state_word(text: str) -> str:
    """Slurm's word in capitals: `CANCELLED` of `CANCELLED by 1000`, and of `CANCELLED+`."""
    words = text.upper().split()
    return words[0].rstrip("+") if words else ""


def known(text: str) -> str:
    """The text, or nothing for Slurm's ways to say that there is none."""
    text = text.strip()
    return "" if text in ("None assigned", "N/A", "(null)", "None", "Unknown") else text
