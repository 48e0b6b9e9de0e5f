"""The tables of `jobwatt month --html`. Pure."""

from __future__ import annotations

from html import escape
from itertools import zip_longest

from jobwatt.energy.units import format_duration, format_energy
from jobwatt.history.month_model import Breakdown, Month
from jobwatt.history.periods import short_date
from jobwatt.views.clean import clean
from jobwatt.views.month_say import breakdowns, share_text, shown_id, slice_lines
from jobwatt.views.summary import band
from jobwatt.views.svg import meter, swatch

_NAME_COLUMNS = 60
_LARGEST = (
    "job", "job name", "outcome", "elapsed", "GPUs", "energy", "band", "kind", "share",
)  # fmt: skip
_NUMBERS = ("elapsed", "GPUs", "energy", "band", "share")


def energy_data(joules: float | None) -> str:
    """An energy for people, with its joules for programs; unknown is a dash."""
    if joules is None:
        return "-"
    return f'<data value="{joules!r}">{escape(format_energy(joules))}</data>'


def said(text: str) -> str:
    """Text from outside: harmless and on one line, then escaped."""
    return escape(clean(text, _NAME_COLUMNS))


def open_wide(name: str) -> str:
    """A section that scrolls sideways where the page is narrow, by the keyboard too."""
    return f'<section class="wide" role="region" aria-label="{escape(name)}" tabindex="0">'


def breakdown_tables(month: Month) -> str:
    """All but that by outcome."""
    found = []
    for title, breakdown in breakdowns(month):
        if breakdown is not month.outcomes:
            table = _table(title, breakdown)
            found.append(f"<section><h2>By {_within(title)}</h2>{table}</section>")
    return "".join(found)


def outcome_table(month: Month) -> str:
    """With the colours of the bar above it."""
    return _table("Outcome", month.outcomes, coloured=True)


def _within(title: str) -> str:
    """A title within a sentence."""
    return title if title.startswith("GPU") else title.lower()


def _table(title: str, breakdown: Breakdown, coloured: bool = False) -> str:
    rows = []
    for label, one in slice_lines(breakdown):
        mark = swatch(label.replace(" ", "-")) if coloured else ""
        tail = "" if coloured else f'<td class="bar">{meter(one.share)}</td>'
        rows.append(
            f'<tr><th scope="row">{mark}{said(label)}</th>'
            f'<td class="n">{energy_data(one.energy_joules)}</td>'
            f'<td class="n">{escape(share_text(one.share))}</td>'
            f'<td class="n">{one.jobs}</td>{tail}</tr>'
        )
    blank = "" if coloured else "<td></td>"
    return (
        f'<table class="{"outcome" if coloured else "breakdown"}"><thead><tr>'
        f'<th scope="col">{escape(_within(title))}</th>'
        '<th scope="col" class="n">energy</th><th scope="col" class="n">share</th>'
        f'<th scope="col" class="n">jobs</th>{blank}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def day_table(month: Month) -> str:
    """Every day of both periods, to open."""
    days = zip_longest(month.period.days, month.day_joules)
    before = zip_longest(month.before.days, month.day_joules_before)
    rows = []
    for (day, joules), (day_before, joules_before) in zip_longest(
        days, before, fillvalue=("", None)
    ):
        cells = []
        for name, value in ((day, joules), (day_before, joules_before)):
            date = escape(short_date(name)) if name else ""
            amount = energy_data(value) if value is not None else "not measured" if name else ""
            cells.append((date, f'<td class="n">{amount}</td>'))
        rows.append(
            f'<tr><th scope="row">{cells[0][0]}</th>{cells[0][1]}'
            f"<td>{cells[1][0]}</td>{cells[1][1]}</tr>"
        )
    return (
        '<details><summary>All days as a table</summary><table class="days"><thead><tr>'
        '<th scope="col">day</th><th scope="col" class="n">energy</th>'
        '<th scope="col">before</th><th scope="col" class="n">energy</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )


def largest_table(month: Month) -> str:
    """The largest jobs; nothing where there is none."""
    rows = []
    for one in month.largest:
        row = one.row
        gpus = "-" if row.gpus is None else str(row.gpus)
        kind = one.energy.kind + ("" if one.whole else ", in part")
        rows.append(
            f'<tr><th scope="row">{said(shown_id(one, month.largest))}</th>'
            f"<td>{said(row.name or '-')}</td><td>{said(row.outcome)}</td>"
            f'<td class="n">{escape(format_duration(row.elapsed_seconds, "-"))}</td>'
            f'<td class="n">{gpus}</td><td class="n">{energy_data(one.energy.joules)}</td>'
            f'<td class="n">{escape(band(one.energy))}</td><td class="t">{escape(kind)}</td>'
            f'<td class="n">{escape(share_text(one.share))}</td></tr>'
        )
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col" class="{"n" if name in _NUMBERS else "t"}">{name}</th>'
        for name in _LARGEST
    )
    note = ""
    if not all(one.whole for one in month.largest):
        note = '<p class="soft">In part: what of the job lies within this time.</p>'
    return (
        f'{open_wide("Largest jobs")}<h2>Largest jobs</h2><table class="largest"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>{note}</section>"
    )
