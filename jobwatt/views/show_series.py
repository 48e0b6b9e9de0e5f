"""Power and utilisation over time as plots. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.text import Text

from jobwatt.energy.series import Series, Values
from jobwatt.energy.units import format_percent, format_power
from jobwatt.views.plot import Glyphs, plot
from jobwatt.views.show_job import axis_times

LEAST_COLUMNS = 60
"""Narrower than this no two plots stand side by side."""
GAP = 3
MARGIN = 7
"""Width of the words at the y axis, `1.25 kW`: plots below each other line up."""
TALL_ROWS = 40
SMALL_HEIGHT, HEIGHT = 4, 7


class _Plot(NamedTuple):
    title: str
    values: Values
    style: str
    top: float | None = None


def series_lines(series: Series, glyphs: Glyphs, columns: int, rows: int) -> list[Text]:
    """All plots; side by side where there is room. `rows` is the terminal's height."""
    plots = _plots(series)
    side = max(1, min(len(plots), (columns + GAP) // (LEAST_COLUMNS + GAP)))
    if rows < TALL_ROWS and side == 1 and len(plots) > 2:
        plots = plots[:2]  # the CPUs' energy stands in the tables
    width = (columns - GAP * (side - 1)) // side
    height = HEIGHT if rows >= TALL_ROWS or side > 1 else SMALL_HEIGHT
    times = axis_times(series.start_wall_seconds, series.end_wall_seconds)
    blocks = [_block(each, width, height, glyphs, times) for each in plots]
    lines: list[Text] = []
    for start in range(0, len(blocks), side):
        for row in zip_longest(*blocks[start : start + side], fillvalue=Text()):
            line = Text(no_wrap=True)
            for number, part in enumerate(row):
                blanks = number * (width + GAP) - line.cell_len
                line.append(" " * max(0, blanks)).append_text(part)
            line.rstrip()
            lines.append(line)
    return lines


def _plots(series: Series) -> list[_Plot]:
    plots = []
    if series.gpu_kind:
        count = len(series.gpus)
        whose = f"Power of {'the GPU' if count == 1 else f'all {count} GPUs'}"
        plots.append(_Plot(f"{whose}, {series.gpu_kind}", series.gpu_power_watts, "green"))
        whose = f"Use of the GPU{'s, mean' if count > 1 else ''}"
        plots.append(_Plot(whose, series.gpu_utilization_percent, "cyan", 100.0))
    if series.cpu_kind:
        title = f"Power of the CPUs, {series.cpu_kind}"
        plots.append(_Plot(title, series.cpu_power_watts, "magenta"))
    return [each for each in plots if any(value is not None for value in each.values)]


def _block(
    each: _Plot, width: int, height: int, glyphs: Glyphs, times: Sequence[str]
) -> list[Text]:
    unit = format_power if each.top is None else format_percent
    lines = plot(each.values, width, height, glyphs, unit, times, each.top, MARGIN)
    block = [Text(each.title, "bold")]
    for number, line in enumerate(lines):
        text = Text(line, no_wrap=True)
        if number < height:
            text.stylize(each.style, MARGIN + 2)
        text.stylize("dim", 0, MARGIN + 2 if number < height else None)
        block.append(text)
    return block
