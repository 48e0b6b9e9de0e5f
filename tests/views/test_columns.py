"""Tables that fit: which columns stay, and no line over the margin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobwatt.views.clean import clean, width
from jobwatt.views.columns import Column, fitting, table_lines

NODE = Column("node", ["node0001.cluster.example", "n2"], is_text=True)
ENERGY = Column("energy", ["14.9 kWh", "812 J"], note="measured")
PEAK = Column("peak", ["813 W", "-"], 2)
SOURCE = Column("source", ["nvml", "nvml"], 3)


def plain(columns: list[Column], limit: int) -> list[str]:
    return [line.plain for line in table_lines(columns, limit)]


def test_all_of_it() -> None:
    assert plain([NODE, ENERGY, PEAK, SOURCE], 80) == [
        "node                        energy   peak  source",
        "                          measured",
        "node0001.cluster.example  14.9 kWh  813 W    nvml",
        "n2                           812 J      -    nvml",
    ]


def test_what_matters_least_goes_first_and_then_names_are_cut() -> None:
    assert fitting([NODE, ENERGY, PEAK, SOURCE], 48) == [NODE, ENERGY, PEAK]
    assert fitting([NODE, SOURCE, ENERGY, PEAK], 36) == [NODE, ENERGY]
    assert plain([NODE, ENERGY, PEAK, SOURCE], 20)[2:] == [
        "node0001.…  14.9 kWh",
        "n2             812 J",
    ]


def test_a_column_without_a_figure_is_left_out_unless_it_must_stay() -> None:
    empty = Column("clock", ["-", ""], 1)
    assert fitting([NODE, empty], 80) == [NODE]
    assert fitting([Column("use", ["-", "-"])], 80) != []


@given(
    st.lists(st.tuples(st.text(max_size=30), st.integers(0, 5), st.booleans()), min_size=1),
    st.integers(20, 200),
)
def test_no_line_is_longer_than_the_limit(
    cells: list[tuple[str, int, bool]], limit: int
) -> None:
    columns = [
        Column("title", [clean(words, 30), "x"], rank, is_text=is_text)
        for words, rank, is_text in cells
    ]
    assert max(width(line) for line in plain(columns, limit)) <= limit
