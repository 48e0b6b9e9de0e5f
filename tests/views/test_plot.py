"""Bars, curves and plots: heights, gaps, widths, and which letters a terminal gets."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.energy.units import format_percent, format_power
from jobwatt.views.plot import (
    ASCII,
    BLOCKS,
    BRAILLE,
    Glyphs,
    bar,
    choose_glyphs,
    plot,
    resample,
    spark,
)

UTF8 = {"LANG": "en_US.UTF-8", "TERM": "xterm-256color"}
ALL = pytest.mark.parametrize("glyphs", [BRAILLE, BLOCKS, ASCII], ids=lambda glyphs: glyphs.name)
some_values = st.lists(st.none() | st.floats(0, 1e9), max_size=300)


@pytest.mark.parametrize(
    ("environ", "encoding", "ascii_only", "glyphs"),
    [
        (UTF8, "utf-8", False, BRAILLE),
        (UTF8, "UTF8", False, BRAILLE),
        (UTF8, "gb18030", False, BRAILLE),
        (UTF8, "utf-8", True, ASCII),
        (UTF8, "latin-1", False, ASCII),
        (UTF8, "ascii", False, ASCII),
        (UTF8, None, False, ASCII),
        (UTF8, "no such encoding", False, ASCII),
        (UTF8 | {"NO_COLOR": "1"}, "utf-8", False, BRAILLE),
        (UTF8 | {"TERM": "linux"}, "utf-8", False, BLOCKS),
        (UTF8 | {"TERM": "dumb"}, "utf-8", False, ASCII),
        (UTF8 | {"LC_ALL": "C"}, "utf-8", False, ASCII),
        (UTF8 | {"LC_ALL": "POSIX"}, "utf-8", False, ASCII),
        (UTF8 | {"LC_ALL": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", False, ASCII),
        (UTF8 | {"LC_CTYPE": "de_DE.ISO-8859-1"}, "utf-8", False, ASCII),
        ({"LANG": "C", "LC_CTYPE": "de_DE.utf8@euro"}, "utf-8", False, BRAILLE),
        ({"LC_ALL": "C.UTF-8"}, "utf-8", False, BRAILLE),
        ({"LANG": "C.UTF-8", "LC_CTYPE": "C.UTF-8"}, "utf-8", False, BRAILLE),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", False, ASCII),  # Python's own doing (PEP 538)
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, "utf-8", False, ASCII),
        ({}, "utf-8", False, ASCII),
    ],
)
def test_letters_that_a_terminal_gets(
    environ: Mapping[str, str], encoding: str | None, ascii_only: bool, glyphs: Glyphs
) -> None:
    assert choose_glyphs(environ, encoding, ascii_only) is glyphs


def test_ascii_is_ascii() -> None:
    assert all("".join(map(str, glyphs)).isascii() == glyphs.is_ascii for glyphs in (BLOCKS, ASCII))
    assert not BRAILLE.is_ascii


@pytest.mark.parametrize(
    ("values", "count", "means"),
    [
        ([1, 2, 3], 3, [1, 2, 3]),
        ([1, 3, 5, 7], 2, [2, 6]),
        ([1, 2], 4, [1, 1, 2, 2]),
        ([6, 0, 0], 2, [4, 0]),
        ([None, 4], 1, [4]),
        ([None, None, 4, 4], 2, [None, 4]),
        ([None, 3, 9], 2, [3, 7]),
        ([], 2, [None, None]),
        ([1, 2], 0, []),
    ],
)
def test_resample(values: list[float | None], count: int, means: list[float | None]) -> None:
    assert resample(values, count) == means


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=99), st.integers(1, 99))
def test_resample_keeps_the_mean(values: list[float], count: int) -> None:
    means = resample(values, count)
    known = [mean for mean in means if mean is not None]
    assert len(known) == len(means) == count
    assert math.isclose(sum(known) / count, sum(values) / len(values), abs_tol=1e-6)


@pytest.mark.parametrize(
    ("glyphs", "values", "curve"),
    [
        (BRAILLE, [None, None, None, 0, 1, 2, 3, 4], " ⢀⣠⣾"),
        (BLOCKS, [None, 0, 1, 2, 4, 5, 7, 8], " ▁▁▂▄▅▇█"),
        (ASCII, [None, 0, 1, 2, 3, 4, 4], " ..:|##"),
    ],
)
def test_curve(glyphs: Glyphs, values: list[float | None], curve: str) -> None:
    assert spark(values, len(curve), glyphs) == curve


def test_curves_share_a_scale() -> None:
    assert spark([4.0, 4.0], 2, BLOCKS, top=8.0) == "▄▄"
    assert spark([9.0, 1e99], 2, BLOCKS, top=8.0) == "██"


@ALL
def test_a_gap_is_not_a_zero(glyphs: Glyphs) -> None:
    assert spark([None, None], 2, glyphs) == "  "
    zero = spark([0.0, 0.0], 2, glyphs)
    assert " " not in zero
    assert spark([None, None, 0.0, 0.0], 2, glyphs) == " " + zero[0]


@ALL
@given(values=some_values, width=st.integers(0, 200))
def test_curve_is_as_wide_as_wished(
    glyphs: Glyphs, values: list[float | None], width: int
) -> None:
    assert len(spark(values, width, glyphs)) == width


@pytest.mark.parametrize(
    ("fraction", "blocks", "letters"),
    [
        (None, "    ", "    "),
        (0.0, "    ", "    "),
        (math.nan, "    ", "    "),
        (-1.0, "    ", "    "),
        (1e-9, "▏   ", "-   "),
        (0.5, "██  ", "##  "),
        (0.625, "██▌ ", "##- "),
        (1.0, "████", "####"),
        (7.0, "████", "####"),
        (math.inf, "████", "####"),
    ],
)
def test_bar(fraction: float | None, blocks: str, letters: str) -> None:
    assert bar(fraction, 4, BLOCKS) == bar(fraction, 4, BRAILLE) == blocks
    assert bar(fraction, 4, ASCII) == letters
    assert bar(fraction, 0, ASCII) == ""


def test_plot_to_look_at() -> None:
    values = [0.0, 100.0, 200.0, 300.0, 400.0, None, None, 150.0, 150.0, 150.0]
    assert plot(values, 17, 3, ASCII, format_power, ("0 s", "1 h")) == [
        "400 W |   .#",
        "      |  :##",
        "  0 W |.|###  ###",
        "      +----------",
        "       0 s    1 h",
    ]
    assert plot(values, 27, 3, BLOCKS, format_percent, ("0 s", "1 h"), 500.0, 8) == [
        "   500 % │       ▃▃",
        "         │    ▂▆▇██",
        "     0 % │▁▁▅██████  ▇▇▇▇▇▇",
        "         └─────────────────",
        "          0 s           1 h",
    ]


@ALL
@given(
    values=some_values, width=st.integers(20, 200), height=st.integers(1, 9),
    times=st.lists(st.text("0123456789:", min_size=1, max_size=12), max_size=4),
)  # fmt: skip
def test_plot_keeps_to_its_frame(
    glyphs: Glyphs, values: list[float | None], width: int, height: int, times: list[str]
) -> None:
    lines = plot(values, width, height, glyphs, format_power, times)
    assert len(lines) == height + 2
    assert max(map(len, lines)) <= width
    assert "".join(lines).isascii() == glyphs.is_ascii


def test_times_below_the_axis() -> None:
    axis, words = plot([1.0], 39, 1, ASCII, format_power, ("10:00", "11:00", "12:00"))[-2:]
    assert axis == "       +---------------+---------------"
    assert words == "        10:00        11:00        12:00"
    narrow = plot([1.0], 23, 1, ASCII, format_power, ("10:00", "11:00", "12:00"))
    assert narrow[-2:] == ["       +---------------", "        10:00     12:00"]
    assert plot([1.0], 14, 1, ASCII, format_power, ("10:00", "12:00"))[-1] == ""
