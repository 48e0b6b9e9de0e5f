from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.sources.mirrors import mirrored, without_mirrors


def kept(read: Callable[[], Sequence[float | None]], groups: str, same_zero: bool) -> list[int]:
    return without_mirrors(groups, read, lambda _: None, same_zero)


def registers(steps: Sequence[int], offsets: Sequence[int]) -> Callable[[], list[float | None]]:
    """Counter i shows a register that rises by steps[i] between any two reads."""
    reads = 0

    def read() -> list[float | None]:
        nonlocal reads
        reads += 1
        return [5000 + offset + step * reads for step, offset in zip(steps, offsets, strict=True)]

    return read


@given(st.integers(1, 10**6), st.integers(0, 10**9))
def test_one_register_with_any_offset_is_one(step: int, offset: int) -> None:
    assert kept(registers([step, step], [0, offset]), "aa", same_zero=False) == [0]


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.booleans())
def test_an_offset_tells_counters_of_one_zero_apart(step: int, offset: int, behind: bool) -> None:
    """Unless it is below what the register rises in two rounds."""
    apart = offset + 4 * step
    read = registers([step, step], [10 * apart, 9 * apart if behind else 11 * apart])
    assert kept(read, "aa", same_zero=True) == [0, 1]


def test_a_copy_may_lag_by_one_refresh() -> None:
    rounds = [([100, 100], [100, 100]), ([130, 100], [130, 130]), ([160, 160], [160, 160])]
    assert mirrored(rounds, 0, 1, same_zero=True)


def test_the_order_of_reading_tells_counters_of_unknown_offset_apart() -> None:
    """B read after A cannot have risen less than A, whatever the offset."""
    same = [([0, 50], [10, 60]), ([20, 70], [30, 80])]
    assert mirrored(same, 0, 1, same_zero=False)
    for index, b1 in ((0, 75), (1, 42)):
        other = [([0, 50], [10, 60]), ([20, 70], [30, 80])]
        other[index][0][1] = b1
        assert not mirrored(other, 0, 1, same_zero=False)
    assert not mirrored([([0, 50], [10, 60]), ([20, 70], [30, 45])], 0, 1, same_zero=False)


@pytest.mark.parametrize("same_zero", [True, False])
def test_different_power_is_two_registers(same_zero: bool) -> None:
    assert kept(registers([1000, 1500], [0, 9000]), "aa", same_zero) == [0, 1]


@pytest.mark.parametrize("same_zero", [True, False])
def test_only_a_group_can_mirror(same_zero: bool) -> None:
    assert kept(registers([7] * 4, [0] * 4), "abab", same_zero) == [0, 1]
    assert kept(registers([7] * 2, [0] * 2), "ab", same_zero) == [0, 1]


@pytest.mark.parametrize("same_zero", [True, False])
def test_zeros_and_unknowns_prove_nothing(same_zero: bool) -> None:
    assert kept(lambda: [0, 0], "aa", same_zero) == [0, 1]
    assert kept(lambda: [None, None], "aa", same_zero) == [0, 1]
