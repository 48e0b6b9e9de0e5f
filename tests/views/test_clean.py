"""Names from jobs: whatever they hold, one line of harmless text comes out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobwatt.views.clean import clean, to_ascii, width


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("train.sh", "train.sh"),
        ("", ""),
        ("  two\t\nlines \r\n", "two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mx\x1b[?25l\x1b[2J", "x"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\name", "name"),
        ("\x1bc\x1b(Bname\x1b7", "name"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9cname", "name"),
        ("a\x1b", "a"),
        ("\x1b\x1b[31m[31mx", "[31mx"),
        ("a\x00b\x07c\x08d\x7fe\x85f\x80g", "abcde fg"),
        ("a\u202eb\u2066c\u200bd\u200fe\ufeff", "abcde"),
        ("a\u2028b\u2029c\u00a0d\u3000e", "a b c d e"),
        ("a\ud800b\udcffc", "abc"),
        ("a\u3164\u115f\u2800b\ufe0f", "ab"),
        ("\U000e0041\U000e0100x", "x"),
        ("naïve Größe 節電", "naïve Größe 節電"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 50, "e\u0301\u0301"),
        ("\u0301x", "x"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("abcdef", 1, "…"),
        ("abcdef", 0, ""),
        ("abcdef", -3, ""),
        ("節電節電", 8, "節電節電"),
        ("節電節電", 7, "節電節…"),
        ("節電節電", 6, "節電…"),
        ("e\u0301" * 4, 4, "e\u0301" * 4),
        ("e\u0301" * 5, 4, "e\u0301" * 3 + "…"),
    ],
)
def test_cut_to_columns(text: str, limit: int, cut: str) -> None:
    assert clean(text, limit) == cut
    assert width(cut) <= max(limit, 0)


def test_default_limit_is_80_columns() -> None:
    assert clean("x" * 81) == "x" * 79 + "…"


ANYTHING = st.text(st.characters(exclude_categories=[])) | st.text(
    "\x1b\x9b\x9d[]P\\\x07;0mA \u0301節"
)


@given(ANYTHING, st.integers(0, 40))
@example("\x1b\x1b[\x1b]\x07[0m", 40)
def test_nothing_harmful_is_left(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    for letter in cleaned:
        assert letter == " " or unicodedata.category(letter)[0] not in "CZ"
    assert cleaned.isprintable()
    assert width(cleaned) <= limit
    assert len(cleaned) <= 3 * limit
    assert cleaned == cleaned.strip() and "  " not in cleaned
    assert clean(cleaned, limit) == cleaned
    cleaned.encode("utf-8")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80))
def test_plain_names_are_left_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [("train", "train"), ("a long na…", "a long na~"), ("Größe 節", "Gr??e ??"), ("e\u0301", "e")],
)
def test_to_ascii(text: str, plain: str) -> None:
    assert to_ascii(text) == plain
    assert len(plain) == width(text)
