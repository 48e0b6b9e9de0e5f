"""A job's share of a node: never more than the node, whoever shares it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.energy.attribute import Share, core_fraction, share_span, share_spans

FRACTIONS = st.floats(0.0, 1.0)
ENERGIES = st.floats(0.0, 1e7)


@given(
    ENERGIES,
    st.lists(st.tuples(FRACTIONS, FRACTIONS), min_size=1, max_size=8),
    FRACTIONS,
    st.floats(0.01, 1e4),
)
def test_shares_of_all_jobs_never_exceed_the_node(
    energy: float, jobs: list[tuple[float, float]], busy: float, total_seconds: float
) -> None:
    """Each job is a pair of weights: of the busy time, and of the cores."""
    busy_seconds = busy * total_seconds
    cpu_weight = max(1.0, sum(cpu for cpu, _ in jobs))
    core_weight = max(1.0, sum(cores for _, cores in jobs))
    shares = []
    for cpu, cores in jobs:
        share = share_span(
            energy, busy_seconds * cpu / cpu_weight, busy_seconds, total_seconds,
            cores / core_weight,
        )  # fmt: skip
        if share is not None:
            shares.append(share)
            assert 0.0 <= share.low_joules <= share.joules * (1 + 1e-9) + 1e-9
            assert share.joules <= share.high_joules * (1 + 1e-9) + 1e-9
            assert share.high_joules <= energy
    assert sum(share.joules for share in shares) <= energy * (1 + 1e-9)


@given(ENERGIES, FRACTIONS, st.floats(0.01, 1e4))
def test_the_only_job_of_a_node_has_all_of_it(energy: float, busy: float, total: float) -> None:
    seconds = busy * total
    share = share_span(energy, seconds, seconds, total, 1.0)
    assert share is not None
    assert share.joules == pytest.approx(energy)


def test_busy_and_idle_part() -> None:
    # 1000 J, 40 of 160 core-seconds busy: 250 J busy, 750 J idle.
    share = share_span(1000.0, 20.0, 40.0, 160.0, 0.25)
    assert share == Share(125.0, 187.5, 250.0, 500.0)
    assert share.joules == 312.5


def test_without_cpu_time_the_cores_decide_and_the_band_is_wide() -> None:
    for step, busy, total in ((None, 40.0, 160.0), (1.0, None, None), (1.0, 0.0, 160.0)):
        assert share_span(1000.0, step, busy, total, 0.25) == Share(0.0, 250.0, 0.0, 1000.0)
    assert share_span(1000.0, None, 40.0, 160.0, 0.0) is None


def test_without_an_allocation_idle_energy_is_nobodys() -> None:
    assert share_span(1000.0, 20.0, 40.0, 160.0, 0.0) == Share(125.0, 0.0, 125.0, 500.0)


def test_a_step_that_seems_busier_than_the_node_is_capped() -> None:
    share = share_span(100.0, 200.0, 100.0, 90.0, 1.0)
    assert share is not None
    assert share.joules == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("allocated", "total", "fraction"),
    [(None, 64, 0.0), (16, 64, 0.25), (64, 64, 1.0), (128, 64, 1.0), (4, 0, 0.0)],
)
def test_core_fraction(allocated: int | None, total: int, fraction: float) -> None:
    assert core_fraction(allocated, total) == fraction


def test_no_span_is_no_energy() -> None:
    assert share_spans([], [], [], [], []) is None
    assert share_spans([None], [1.0], [1.0], [2.0], [0.5]) is None


def test_many_spans_are_the_sum_of_each() -> None:
    energies, steps = [100.0, None, 50.0, 80.0], [1.0, 1.0, None, 4.0]
    busy, total, cores = [2.0, 2.0, 2.0, 4.0], [8.0, 8.0, 8.0, 8.0], [0.5, 0.5, 0.5, 0.25]
    rows = zip(energies, steps, busy, total, cores, strict=True)
    parts = [share_span(*row) for row in rows if row[0] is not None]  # type: ignore[arg-type]
    whole = share_spans(energies, steps, busy, total, cores)
    assert whole is not None
    for name in ("busy_joules", "idle_joules", "low_joules", "high_joules"):
        assert getattr(whole, name) == pytest.approx(sum(getattr(part, name) for part in parts))
