"""`jobwatt month --html`: one page that needs nothing else, neither script nor network. Pure.

What is said is that of the terminal (`month_say`). Every energy is in a `data` element whose value
is in joules, unrounded. Names from outside are cleaned, then escaped.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import time
from html import escape

from jobwatt import __version__
from jobwatt.energy.units import JOULES_PER_WATT_HOUR, format_energy
from jobwatt.history.month_model import Month
from jobwatt.history.periods import short_date
from jobwatt.model import Energy
from jobwatt.views.clean import clean
from jobwatt.views.month_say import facts, headline, nothing, share_text
from jobwatt.views.month_style import CSS
from jobwatt.views.month_tables import (
    breakdown_tables,
    day_table,
    energy_data,
    largest_table,
    open_wide,
    outcome_table,
)
from jobwatt.views.plot import known_peak
from jobwatt.views.summary import band
from jobwatt.views.svg import Day, Part, day_bars, parts_bar, swatch

_AXIS_LABELS = 5
_UNIT = re.compile(r"(?<=\d) (?=%|(?:[kMG]?Wh?|J|GPU-h|jobs?|d|h|min|s)\b)")


def month_page(month: Month) -> str:
    """The whole document."""
    said = nothing(month)
    body = f'<p class="hero">{escape(said[:1].upper() + said[1:])}.</p>' if said else _body(month)
    title = f"{headline(month)}: {month.period.dates}"
    # The one style is named by its hash: nothing else that looks like one is taken.
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<meta name="generator" content="jobwatt {escape(__version__)}">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(headline(month))}</h1>\n<p class="soft">{escape(month.period.dates)}</p>\n'
        f"{body}\n{_footer(month)}\n</main>\n</body>\n</html>\n"
    )


def _body(month: Month) -> str:
    parts = [_hero(month), _facts(month)]
    if month.totals.metered.joules:
        parts += [_days(month), _outcomes(month)]
    parts += [f'<div class="pair">{breakdown_tables(month)}</div>', largest_table(month)]
    return "\n".join(part for part in parts if part)


def _hero(month: Month) -> str:
    energy = month.totals.metered
    if energy.joules is None:
        return '<div class="hero"><p class="total">no meter was read</p></div>'
    words = escape(_kind(energy))
    text = energy_data(energy.joules)
    before, change = month.totals_before.metered, facts(month)[0].change
    compared = "Nothing was measured in the time before."
    if before.joules is not None:
        compared = f"{escape(month.before.dates)}: {energy_data(before.joules)}"
        compared += f", so {escape(change)}" if change else ""
    return (
        f'<div class="hero"><p class="total">{text} <span>{words}</span></p>'
        f'<p class="soft">{compared}</p></div>'
    )


def _kind(energy: Energy) -> str:
    return energy.kind if energy.low_joules is None else f"{energy.kind}, {band(energy)}"


def _facts(month: Month) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(fact.label)}</th><td>{_held(fact.now)}</td>'
        f'<td class="soft">{_held(fact.before)}</td><td class="n">{escape(fact.change)}</td></tr>'
        for fact in facts(month)[1:]  # the first is the large figure above
    )
    heads = (escape(month.period.dates), escape(month.before.dates))
    return (
        f'{open_wide("Figures")}<table class="facts"><thead><tr><td></td>'
        f'<th scope="col">{heads[0]}</th><th scope="col">{heads[1]}</th>'
        f'<th scope="col" class="n">change</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _held(text: str) -> str:
    """Numbers are not parted from their units."""
    return escape(_UNIT.sub("\u00a0", text))


def _days(month: Month) -> str:
    now, before = month.day_joules, month.day_joules_before
    top = nice_top(known_peak((*now, *before)))
    days = []
    for index in range(max(len(now), len(before))):
        said = []
        for period, values in ((month.period, now), (month.before, before)):
            if index < len(values):
                value = format_energy(values[index], "not measured")
                said.append(f"{short_date(period.days[index])}: {value}")
        mine = now[index] if index < len(now) else None
        then = before[index] if index < len(before) else None
        days.append(Day("; ".join(said), mine, then, index < len(now) and mine is None))
    longest = month.period if len(now) >= len(before) else month.before
    places = [round(i * (len(days) - 1) / (_AXIS_LABELS - 1)) for i in range(_AXIS_LABELS)]
    axis = "".join(
        f"<span>{escape(short_date(longest.days[place]))}</span>" for place in dict.fromkeys(places)
    )
    scale = "".join(f"<span>{format_energy(joules)}</span>" for joules in (top, top / 2, 0.0))
    peak = max(range(len(now)), key=lambda i: now[i] or 0.0)
    description = (
        f"Most on {short_date(month.period.days[peak])}: {format_energy(now[peak])}. "
        "The table below the plot has all days."
    )
    plot = day_bars(days, top, "Energy by day", description)
    gap = "<span>dashes: jobs ran, none was measured</span>"
    missing = gap if any(day.unknown for day in days) else ""
    return (
        '<section><h2>By day</h2><figure><div class="chart">'
        f'<div class="scale" aria-hidden="true">{scale}</div><div>{plot}</div>'
        f'<div class="axis" aria-hidden="true">{axis}</div></div><figcaption class="legend">'
        f"<span>{swatch('now')}{escape(month.period.dates)}</span>"
        f"<span>{swatch('before')}{escape(month.before.dates)}, day by day</span>{missing}"
        f"</figcaption></figure>{day_table(month)}</section>"
    )


def _outcomes(month: Month) -> str:
    parts, words = [], []
    for one in month.outcomes.slices:
        said = f"{one.label}: {format_energy(one.energy_joules)}, {share_text(one.share)}"
        words.append(said)
        parts.append(Part(css_name(one.label), one.share or 0.0, said))
    plot = parts_bar(parts, "Energy by outcome", "; ".join(words))
    return f"<section><h2>By outcome</h2><figure>{plot}</figure>{outcome_table(month)}</section>"


def _footer(month: Month) -> str:
    made = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(month.made_wall_seconds))
    return (
        "<footer><p>No result: failed, out of memory, timed out, node failure; cancelled jobs are "
        "apart. Idle: at 0 % use. Shares are of the metered total, which holds GPUs, CPU packages "
        "and memory, each as measured or as a share of what was measured (attributed), and no "
        "estimate.</p>"
        f"<p>Made by jobwatt {escape(clean(__version__))}, {escape(clean(made))}.</p></footer>"
    )


def css_name(outcome: str) -> str:
    """An outcome as a class of the style."""
    return outcome.replace(" ", "-")


def nice_top(joules: float) -> float:
    """The end of the scale: 1, 1.5, 2, 3, 4, 5, 6, 8 or 10 of a power of ten, in watt-hours."""
    unit = JOULES_PER_WATT_HOUR if joules >= JOULES_PER_WATT_HOUR else 1.0
    if joules <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(joules / unit))
    steps = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return next((s for s in steps if s * scale * unit >= joules), 10.0) * scale * unit
