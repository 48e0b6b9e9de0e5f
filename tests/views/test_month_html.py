"""`jobwatt month --html`, in a real browser: what it shows, what it asks for, what it cannot do."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobwatt.energy.units import format_energy
from jobwatt.history.month import build_month
from jobwatt.history.month_model import Month
from jobwatt.history.periods import periods
from jobwatt.views.clean import clean
from jobwatt.views.month_html import month_page, nice_top
from jobwatt.views.month_json import month_json
from jobwatt.views.month_say import facts
from tests.history.month_rows import HOSTILE, NOW, measured, two_months, wall
from tests.views.browser import Browser, browser, program

LIGHT, DARK, PAPER = (0xFB, 0xFB, 0xFA), (0x12, 0x16, 0x1B), (0xFF, 0xFF, 0xFF)


@pytest.fixture(scope="module", autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = program()
    if path is None:
        pytest.skip("needs Chromium")
    with browser(path, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def month() -> Month:
    return build_month(two_months(), *periods("", NOW), NOW)


@pytest.fixture
def page(chromium: Browser, month: Month, tmp_path: Path) -> Browser:
    """The browser with the page of two months."""
    return shown(chromium, month, tmp_path)


def shown(chromium: Browser, month: Month, folder: Path) -> Browser:
    path = folder / "month.html"
    path.write_text(month_page(month), encoding="utf-8")
    chromium.open(path)
    return chromium


def test_it_asks_for_nothing_and_nothing_is_wrong_with_it(page: Browser) -> None:
    page.look(1100)
    assert page.requests == [page.value("location.href")]
    assert page.complaints == []
    assert page.value("document.compatMode") == "CSS1Compat"
    assert page.value("performance.getEntriesByType('resource').length") == 0


def test_names_from_outside_stay_text(page: Browser) -> None:
    assert page.value("document.title").startswith("Energy of the last 30 days")
    assert page.value("document.querySelectorAll('script, img, iframe, [onerror]').length") == 0
    names = page.texts("table.breakdown tbody th")
    assert clean(HOSTILE, 60) in names
    assert "<script>" in clean(HOSTILE, 60)


def test_no_script_would_run(page: Browser) -> None:
    page.value(
        "document.body.append(Object.assign(document.createElement('script'),"
        "{textContent: 'window.owned = 1'})); document.body.style.color"
    )
    page.value("document.body.setAttribute('style', 'color: red')")
    assert page.value("window.owned") is None
    assert page.value("getComputedStyle(document.body).color") == "rgb(29, 39, 51)"
    assert any("Content Security Policy" in line for line in page.complaints)


def test_its_figures_are_those_of_the_json(page: Browser, month: Month) -> None:
    said = json.loads(month_json(month))
    total = said["totals"]["metered_energy"]["joules"]
    before = said["totals_before"]["metered_energy"]["joules"]
    assert page.numbers(".hero data") == [total, before]
    assert page.texts(".hero data") == [format_energy(total), format_energy(before)]
    assert page.numbers("table.outcome data") == joules(said["by_outcome"])
    tables = ("by_name", "by_gpu_model", "by_account", "by_partition")
    wanted = [value for name in tables for value in joules(said[name])]
    assert page.numbers("table.breakdown data") == wanted
    assert page.texts("table.breakdown data") == [format_energy(value) for value in wanted]
    assert page.numbers("table.largest data") == [
        one["metered_energy"]["joules"] for one in said["largest_jobs"]
    ]
    known = [
        [day["metered_joules"] for day in said[name] if day["metered_joules"] is not None]
        for name in ("days", "days_before")
    ]
    assert page.numbers("table.days td:nth-child(2) data") == known[0]
    assert page.numbers("table.days td:nth-child(4) data") == known[1]


def joules(breakdown: Any) -> list[float]:
    lines = [*breakdown["largest"], *([breakdown["others"]] if breakdown["others"] else [])]
    return [one["metered_joules"] for one in lines if one["metered_joules"] is not None]


def test_its_words_are_those_of_the_terminal(page: Browser, month: Month) -> None:
    said = [text.replace("\u00a0", " ") for text in page.texts(".facts tbody td:nth-child(2)")]
    assert said == [fact.now for fact in facts(month)[1:]]


def test_bars_are_as_high_as_their_days(page: Browser, month: Month) -> None:
    known = [value for value in month.day_joules if value]
    top = nice_top(max(*known, *(value or 0.0 for value in month.day_joules_before)))
    heights = page.value("Array.from(document.querySelectorAll('svg.days rect.now'),"
                         " bar => bar.getBBox().height)")  # fmt: skip
    assert [height / 100 * top for height in heights] == pytest.approx(known, abs=top * 1e-5)
    assert page.value("document.querySelectorAll('svg.days line.unknown').length") == 1
    widths = page.value("Array.from(document.querySelectorAll('svg.parts rect'),"
                        " part => part.getBBox().width)")  # fmt: skip
    shares = [100 * (one.share or 0.0) for one in month.outcomes.slices]
    assert widths == pytest.approx(shares, abs=1e-3)


def test_plots_have_words(page: Browser) -> None:
    words = page.value(
        "Array.from(document.querySelectorAll('svg[role=img]'), plot =>"
        " plot.getAttribute('aria-labelledby').split(' ').map("
        " id => document.getElementById(id).textContent.length > 5))"
    )
    assert words == [[True, True]] * 2
    assert page.value("document.querySelectorAll('svg:not([role=img]):not([aria-hidden])').length"
                      ) == 0  # fmt: skip
    assert page.value("document.querySelectorAll('th:not([scope])').length") == 0


@pytest.mark.parametrize(
    ("width", "scheme", "media", "colour"),
    [
        (1100, "light", "screen", LIGHT),
        (1100, "dark", "screen", DARK),
        (390, "light", "screen", LIGHT),
        (760, "light", "print", PAPER),
    ],
)
def test_how_it_looks(
    page: Browser, width: int, scheme: str, media: str, colour: tuple[int, ...]
) -> None:
    size, first, colours = picture(page.look(width, scheme, media))
    assert size[0] == width and size[1] > 1200
    assert first == colour
    assert colours > 100
    # Nothing sticks out: tables that are too wide scroll within themselves.
    assert page.value("document.documentElement.scrollWidth") <= width


def picture(png: bytes) -> tuple[tuple[int, int], tuple[int, ...], int]:
    """Size, colour of the first pixel, and how many byte values there are."""
    width, height = struct.unpack(">II", png[16:24])
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    pixels = zlib.decompress(data)
    return (width, height), tuple(pixels[1:4]), len(set(pixels))


def test_a_month_without_data(chromium: Browser, tmp_path: Path) -> None:
    empty = build_month([], *periods("2026-10", NOW), NOW)
    page = shown(chromium, empty, tmp_path)
    assert page.texts("p.hero") == [
        "Nothing measured from 1 to 31 Oct 2026; to begin, write srun-green in place of srun."
    ]
    assert page.complaints == []


def test_a_month_without_a_meter_or_a_month_before(chromium: Browser, tmp_path: Path) -> None:
    rows = [measured("1", wall("2026-11-02 10:00"), 100.0)]
    page = shown(chromium, build_month(rows, *periods("", NOW), NOW), tmp_path)
    assert "Nothing was measured in the time before." in page.texts(".hero")[0]
    bare = rows[0]._replace(metered_joules=None, estimated_joules=5.0)
    page = shown(chromium, build_month([bare], *periods("", NOW), NOW), tmp_path)
    assert page.texts(".hero") == ["no meter was read"]
    assert page.complaints == []


@pytest.mark.parametrize(
    ("joules_", "top"),
    [(0.0, 1.0), (0.4, 0.4), (7.1, 8.0), (3600.0, 3600.0), (73.4 * 3.6e6, 80 * 3.6e6),
     (1.01 * 3.6e6, 1.5 * 3.6e6), (9.5 * 3.6e9, 10 * 3.6e9)],
)  # fmt: skip
def test_the_scale_ends_at_a_round_number(joules_: float, top: float) -> None:
    assert nice_top(joules_) == pytest.approx(top)
