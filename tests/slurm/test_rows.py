"""Rows and fields, whatever names hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobwatt.slurm.rows import MAX_TEXT, read_rows

DELIMITER = "\x1f0123abcd\x1f"
FIELDS = ("id", "line", "name")
ODD = (
    "a\nb", "\n", "\n12\x1f", "a|b", "\x1f", "1\n2\x1f3", "\x1b[31mred", "", "\r", "\x85", "\u2028",
)  # fmt: skip
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(ODD)


@given(st.lists(st.tuples(st.integers(1, 10**9).map(str), names, names)))
def test_rows_survive_any_name(rows: list[tuple[str, str, str]]) -> None:
    text = "".join(DELIMITER.join(row) + "\n" for row in rows)
    found, bad = read_rows(text, FIELDS, DELIMITER, dict)
    assert ([tuple(row[field] for field in FIELDS) for row in found], bad) == (rows, 0)


@given(st.text())
def test_any_text_is_rows_and_bad_rows(text: str) -> None:
    found, bad = read_rows(text, FIELDS, "\x1f", dict)
    assert bad >= 0
    assert all(tuple(row) == FIELDS for row in found)


def test_bad_rows_are_counted_and_cost_no_other() -> None:
    good = DELIMITER.join(("7", "line", "name"))
    texts = ("a warning", f"5{DELIMITER}half", good, f"{DELIMITER}no id{DELIMITER}x", good)
    found, bad = read_rows("\n".join(texts) + "\n", FIELDS, DELIMITER, dict)
    assert [dict(row) for row in found] == [{"id": "7", "line": "line", "name": "name"}] * 2
    assert bad == 3


def test_a_long_submit_line_is_cut() -> None:
    found, _ = read_rows(DELIMITER.join(("7", "x" * 5000, "name")), FIELDS, DELIMITER, dict)
    assert [(len(row["line"]), row["name"]) for row in found] == [(MAX_TEXT, "name")]
