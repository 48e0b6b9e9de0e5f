"""Text from outside in a column of a given width."""

from __future__ import annotations

from jobwatt.views.clean import clean, width
from jobwatt.views.plot import Glyphs


def fit(text: str, size: int, glyphs: Glyphs, right: bool = False) -> str:
    """Harmless, in the letters that may be used, cut and padded to so many columns."""
    if glyphs.is_ascii:
        text = clean(text, 4 * size).encode("ascii", "replace").decode()
        text = text if len(text) <= size else text[: max(0, size - 1)] + "~"
    text = clean(text, size)
    blanks = " " * (size - width(text))
    return blanks + text if right else text + blanks
