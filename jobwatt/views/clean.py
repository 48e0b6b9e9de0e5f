"""Names that come from jobs, made safe for a terminal: anybody may call a job anything."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"  # two-letter escapes, character sets
)
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_INVISIBLE = frozenset(
    chr(point)
    for first, last in (
        *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
        *((0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0)),
        (0xE0100, 0xE01EF),
    )
    for point in range(first, last + 1)
)
"""Fillers and variation selectors: letters to Unicode, nothing or a change of width to the eye."""
_MAX_MARKS = 2
_ELLIPSIS = "…"


def clean(text: str, limit: int = 80) -> str:
    """`text` on one line, at most `limit` terminal columns wide, `…` where it was cut.

    Without escape sequences, control characters (C0, C1, DEL), format characters (bidirectional
    overrides, zero-width), fillers and piled-up marks. White space of any kind becomes one space.
    Markup of a text library is not touched: the caller escapes it.
    """
    letters: list[str] = []
    marks = 0
    for letter in _ESCAPES.sub("", text):
        if letter.isspace() or unicodedata.category(letter) in {"Zs", "Zl", "Zp"}:
            letters.append(" ")
            marks = 0
        elif _is_mark(letter):
            marks += 1
            # A mark needs something to sit on, and a tower of them would cover other lines.
            if marks <= _MAX_MARKS and letters and letters[-1] != " ":
                letters.append(letter)
        elif _is_visible(letter):
            letters.append(letter)
            marks = 0
    return cut(" ".join("".join(letters).split()), limit)


def width(text: str) -> int:
    """Terminal columns of cleaned text."""
    if text.isascii():
        return len(text)
    return sum(_letter_width(letter) for letter in text)


def to_ascii(text: str) -> str:
    """The same in ASCII alone, in as many terminal columns: `?` for each that has no letter."""
    if text.isascii():
        return text
    letters = (letter if letter.isascii() else _stand_in(letter) for letter in text)
    return "".join(letters)


def _stand_in(letter: str) -> str:
    return "~" if letter == _ELLIPSIS else "?" * _letter_width(letter)


def cut(text: str, limit: int) -> str:
    """Cleaned text, at most so many columns wide, with `…` where it goes on."""
    if limit <= 0:
        return ""
    if width(text) <= limit:
        return text
    kept, columns = 0, 1  # one column for the ellipsis
    for letter in text:
        columns += _letter_width(letter)
        if columns > limit:
            break
        kept += 1
    return text[:kept].rstrip() + _ELLIPSIS


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter) in {"Mn", "Me"} and letter not in _INVISIBLE


def _is_visible(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category not in _DROPPED_CATEGORIES and letter not in _INVISIBLE


def _letter_width(letter: str) -> int:
    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
