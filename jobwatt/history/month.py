"""A month of jobs: what there is to say of it, whatever the view. Pure: rows in, `Month` out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from operator import itemgetter

from jobwatt.history.month_model import Breakdown, Large, Month, Slice, Totals
from jobwatt.history.month_sums import (
    ACCOUNT,
    NAME,
    PARTITION,
    Part,
    Parts,
    Sums,
    add_to,
    joules_by_day,
    joules_by_model,
    ran,
    share,
)
from jobwatt.history.periods import Period
from jobwatt.history.rows import MEASURED_HERE, JobRow
from jobwatt.model import UNAVAILABLE, Energy
from jobwatt.slurm.jobs import CANCELLED, NO_RESULT, OUTCOMES, UNKNOWN

TOP = 5
CPU_AND_MEMORY = "CPU and memory"
"""What the breakdown by GPU model calls all that is no GPU, so that it adds up to the total."""
UNKNOWN_MODEL = "unknown model"


def build_month(
    rows: Iterable[JobRow], period: Period, before: Period, now_wall_seconds: float
) -> Month:
    """From the rows that touch either period, in any order; others do no harm."""
    now, past = Sums(period), Sums(before)
    day_of = {day: (sums, i) for sums in (past, now) for i, day in enumerate(sums.period.days)}
    models: Parts = {}
    large: list[tuple[float, float, JobRow]] = []
    for row in rows:
        stretch = ran(row, now_wall_seconds)
        if stretch is None:
            continue
        for sums, joules, fraction, seconds in _parts_of(row, stretch, (now, past), day_of):
            sums.add(row, joules, fraction, seconds)
            if joules and sums is now and row.origin == MEASURED_HERE:
                _add_models(models, row, joules, fraction)
                large.append((joules, fraction, row))
    total = now.joules
    return Month(
        period=period,
        before=before,
        made_wall_seconds=now_wall_seconds,
        totals=_totals(now),
        totals_before=_totals(past),
        day_joules=tuple(now.day_joules()),
        day_joules_before=tuple(past.day_joules()),
        outcomes=_by_outcome(now.by_outcome(), total),
        names=_top(now.by(NAME), total),
        accounts=_top(now.by(ACCOUNT), total),
        partitions=_top(now.by(PARTITION), total),
        gpu_models=_top(models, total),
        largest=tuple(
            Large(row, _energy(row, joules, fraction), share(joules, total), fraction >= 0.9999)
            for joules, fraction, row in nlargest(TOP, large, key=itemgetter(0))
        ),
    )


def _parts_of(
    row: JobRow,
    stretch: tuple[float, float],
    both: tuple[Sums, Sums],
    day_of: Mapping[str, tuple[Sums, int]],
) -> list[tuple[Sums, float | None, float, float]]:
    """The periods in which a job ran: joules, part of the job and seconds within each.

    Its joules are entered by day on the way.
    """
    by_day = () if row.metered_joules is None else joules_by_day(row)
    counted = row.origin in ("", MEASURED_HERE)
    if len(by_day) == 1 and by_day[0][1] > 0:
        day, joules = by_day[0]
        place = day_of.get(day)
        if place is not None and place[0].holds_whole(stretch):  # nearly all jobs
            if counted:
                place[0].enter(place[1], joules)
            return [(place[0], joules, 1.0, stretch[1] - stretch[0])]
    whole = sum(joules for _, joules in by_day)
    found: list[tuple[Sums, float | None, float, float]] = []
    for sums in both:
        seconds = sums.period.overlap_seconds(*stretch)
        places = [(day_of.get(day), part) for day, part in by_day]
        mine = [(place[1], part) for place, part in places if place and place[0] is sums]
        if not (mine or seconds or sums.period.holds(stretch[0])):
            continue
        if whole > 0:
            joules = sum(part for _, part in mine)
            if counted:
                for index, part in mine:
                    sums.enter(index, part)
            found.append((sums, joules, joules / whole, seconds))
            continue
        length = stretch[1] - stretch[0]
        fraction = seconds / length if length > 0 else 1.0
        known = None if row.metered_joules is None else row.metered_joules * fraction
        if counted:
            sums.spread(stretch, known)
        found.append((sums, known, fraction, seconds))
    return found


def _add_models(models: Parts, row: JobRow, joules: float, fraction: float) -> None:
    """The job's energy by model, and what is left as that of CPU and memory."""
    rest = joules
    found = joules_by_model(row)
    if not row.gpu_models and row.gpu_joules:
        found = ((UNKNOWN_MODEL, row.gpu_joules),)
    for name, whole in found:
        part = min(whole * fraction, rest)  # the models of a job hold no more than the job
        add_to(models, name, part)
        rest -= part
    if rest > 1e-6 * joules:
        add_to(models, CPU_AND_MEMORY, rest)


def _totals(sums: Sums) -> Totals:
    outcomes = sums.by_outcome()
    no_result = [outcomes[name] for name in NO_RESULT if name in outcomes]
    cancelled = outcomes.get(CANCELLED, Part())
    band = sums.joules is not None and sums.band_known
    energy = Energy(
        sums.joules,
        UNAVAILABLE if sums.joules is None else sums.kind,
        sums.low_joules if band else None,
        sums.high_joules if band else None,
    )
    length = sums.period.elapsed_seconds
    return Totals(
        sums.jobs,
        sums.jobs_measured,
        sums.jobs_told_by_slurm,
        energy,
        sums.estimated,
        sums.imported,
        sums.imported_estimated,
        sums.jobs_imported,
        sums.coverage.value,
        sums.joules / length if sums.joules is not None and length > 0 else None,
        sums.gpu_joules,
        sums.gpu_held_seconds,
        sums.gpu_held_measured_seconds,
        sums.gpu_use.value,
        sums.idle_joules,
        sums.idle_seconds,
        _known(no_result, sums.joules),
        sum(part.jobs for part in no_result),
        _known([cancelled], sums.joules),
        cancelled.jobs,
    )


def _known(parts: Sequence[Part], total: float | None) -> float | None:
    """Sum of the parts; 0 where there is none of them among measured jobs."""
    known = [part.joules for part in parts if part.joules is not None]
    if not known and any(part.jobs for part in parts):
        return None
    return sum(known) if total is not None else None


def _energy(row: JobRow, joules: float, fraction: float) -> Energy:
    low, high = row.metered_low_joules, row.metered_high_joules
    return Energy(
        joules,
        row.metered_kind or UNAVAILABLE,
        None if low is None else low * fraction,
        None if high is None else high * fraction,
    )


def _slice(label: str, part: Part, total: float | None) -> Slice:
    return Slice(label, part.joules, share(part.joules, total), part.jobs)


def _by_outcome(parts: Parts, total: float | None) -> Breakdown:
    order = dict.fromkeys((*OUTCOMES.values(), UNKNOWN))
    return Breakdown(tuple(_slice(name, parts[name], total) for name in order if name in parts))


def _top(parts: Parts, total: float | None) -> Breakdown:
    """The largest by energy, then by number of jobs; a single other keeps its own name."""
    order = sorted(parts.items(), key=lambda item: (-(item[1].joules or 0.0), -item[1].jobs))
    count = TOP if len(order) > TOP + 1 else TOP + 1
    others = Part()
    for _, part in order[count:]:
        others.jobs += part.jobs
        if part.joules is not None:
            others.joules = (others.joules or 0.0) + part.joules
    return Breakdown(
        tuple(_slice(label, part, total) for label, part in order[:count]),
        _slice("others", others, total) if order[count:] else None,
        len(order[count:]),
    )
