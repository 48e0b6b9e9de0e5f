"""Whose file it is: told by its content. Nothing that a file holds is more than an error."""

from __future__ import annotations

import math
from datetime import timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobwatt.errors import UnreadableError
from jobwatt.history.codec import plain, restore
from jobwatt.history.imports.detect import parse
from jobwatt.history.rows import JobRow
from jobwatt.model import Account

DATA = Path(__file__).parent / "data"
FILES = sorted(path for path in DATA.iterdir() if path.suffix in (".csv", ".json"))
SOUND = [path for path in FILES if "tasks" not in path.name]
CONTENTS = [path.read_bytes() for path in SOUND]


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_by_content_whatever_comes_before_it(path: Path) -> None:
    content = path.read_bytes()
    found = parse(content, timezone.utc)
    tool = {"codecarbon": "CodeCarbon", "aipowermeter": "AIPowerMeter"}
    assert found.tool == tool[path.name.partition("_")[0]]
    assert parse(b"\xef\xbb\xbf\n\n" + content.replace(b"\n", b"\r\n"), timezone.utc) == found


def test_a_torn_first_line_hides_no_other() -> None:
    content = (DATA / "aipowermeter_2023.json").read_bytes()
    found = parse(b'{"date": "2023-07-\n' + content, timezone.utc)
    assert len(found.entries) == 2 and dict(found.skipped) == {"damaged lines": 1}


def test_the_file_of_tasks_is_refused_since_its_sum_would_count_twice() -> None:
    with pytest.raises(UnreadableError) as caught:
        parse((DATA / "codecarbon_3.3.2_tasks.csv").read_bytes())
    assert "import emissions.csv" in caught.value.line()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"a,b,c\n1,2,3\n",
        b'{"date": "2025-01-02", "metrics": {"accuracy": 0.9}}\n',
        b'[{"date": 1}]',
        b"\0" * 1000,
        b"root:x:0:0:root:/root:/bin/bash\n",
    ],
)
def test_a_file_of_neither_tool(content: bytes) -> None:
    with pytest.raises(UnreadableError, match="of no tool that is known here"):
        parse(content)


def test_a_header_without_a_sound_row() -> None:
    header = (DATA / "codecarbon_3.0.4.csv").read_bytes().split(b"\n")[0]
    with pytest.raises(UnreadableError, match=r"no run of CodeCarbon in it \(1 damaged row\)"):
        parse(header + b"\n2025-01-02,torn")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CONTENTS), st.data())
def test_damage_anywhere_gives_sound_figures_or_an_error(
    content: bytes, data: st.DataObject
) -> None:
    """Bytes replaced or cut: what is taken over can be kept, and is within its bounds."""
    at = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, 40))
    instead = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"1e308", b"-", b"NaN"])))
    try:
        found = parse(content[:at] + instead + content[at + length :], timezone.utc)
    except UnreadableError as error:
        assert "\n" not in error.line()
        return
    for row, account in found.entries:
        assert row.metered_joules is None and row.estimated_joules is not None
        assert math.isfinite(row.estimated_joules) and row.estimated_joules >= 0
        assert row.measured_seconds is not None and row.measured_seconds >= 0
        assert restore(JobRow, plain(row)) == row
        assert restore(Account, plain(account)) == account
