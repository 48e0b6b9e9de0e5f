"""Adding up the rows of one period, one row after the other. Pure."""

from __future__ import annotations

from jobwatt.history.measured import JOURNAL
from jobwatt.history.periods import Period
from jobwatt.history.rows import MAX_JOULES, MEASURED_HERE, JobRow
from jobwatt.model import ATTRIBUTED, MEASURED
from jobwatt.slurm.jobs import CANCELLED, OUTCOMES, PENDING, RUNNING, outcome

Parts = dict[str, "Part"]
NAME, ACCOUNT, PARTITION, STATE = range(4)
"""Places in the keys of `Sums.groups`."""


class Part:
    """Energy and jobs under one label."""

    __slots__ = ("jobs", "joules")

    def __init__(self) -> None:
        self.joules: float | None = None
        """None as long as no job with known energy came."""
        self.jobs = 0

    def add(self, joules: float | None, jobs: int = 1) -> None:
        """So many more jobs."""
        self.jobs += jobs
        if joules is not None:
            self.joules = joules if self.joules is None else self.joules + joules


class Mean:
    """A mean weighted by time."""

    __slots__ = ("sum", "weight")

    def __init__(self) -> None:
        self.sum = self.weight = 0.0

    @property
    def value(self) -> float | None:
        """None where nothing was added."""
        return self.sum / self.weight if self.weight > 0 else None


class Sums:
    """All that is told of one period. Joules are those within it."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self._start, self._end = period.start_wall_seconds, period.end_wall_seconds
        self.days = [0.0] * len(period.days)
        self.unmeasured_days = [False] * len(period.days)
        self.jobs = self.jobs_measured = self.jobs_told_by_slurm = self.jobs_imported = 0
        self.joules: float | None = None
        self.low_joules = self.high_joules = 0.0
        self.band_known = True
        self.kind = MEASURED
        self.estimated: float | None = None
        self.imported: float | None = None
        self.imported_estimated: float | None = None
        self.gpu_joules: float | None = None
        self.idle_joules: float | None = None
        self.idle_seconds: float | None = None
        self.gpu_held_seconds: float | None = None
        self.gpu_held_measured_seconds = 0.0
        self.coverage = Mean()
        self.gpu_use = Mean()
        self.groups: dict[tuple[str, str, str, str], Part] = {}

    def add(self, row: JobRow, joules: float | None, fraction: float, seconds: float) -> None:
        """A job that ran within the period.

        `joules`: its metered energy within it; `fraction`: what part of the job that is;
        `seconds`: how long it ran within it. Called for every job: hence so flat.
        """
        origin, gpus = row.origin, row.gpus
        if origin and origin != MEASURED_HERE:
            self.jobs_imported += 1
            self.imported = plus(self.imported, joules)
            self.imported_estimated = plus(self.imported_estimated, row.estimated_joules, fraction)
            return
        self.jobs += 1
        if row.source not in ("", JOURNAL):
            self.jobs_told_by_slurm += 1
        # One look-up for all that is told by group: the sums over them come at the end.
        key = (row.name, row.account, row.partition, row.state)
        part = self.groups.get(key)
        if part is None:
            part = self.groups[key] = Part()
        part.jobs += 1
        held = 0.0
        if gpus is not None:
            held = gpus * seconds
            self.gpu_held_seconds = held + (self.gpu_held_seconds or 0.0)
        if not origin:
            return
        self.jobs_measured += 1
        self.gpu_held_measured_seconds += held
        if row.estimated_joules is not None:
            self.estimated = plus(self.estimated, row.estimated_joules, fraction)
        time = (row.measured_seconds or 0.0) * fraction
        coverage, use = row.job_coverage, row.utilization_mean_percent
        if coverage is not None:
            whole = row.elapsed_seconds * fraction if row.elapsed_seconds else time
            self.coverage.sum += coverage * whole
            self.coverage.weight += whole
        if use is not None:
            weight = time * (gpus or 1)
            self.gpu_use.sum += use * weight
            self.gpu_use.weight += weight
        if joules is not None:
            part.joules = joules + (part.joules or 0.0)
            self._add_metered(row, joules, fraction)

    def holds_whole(self, stretch: tuple[float, float]) -> bool:
        """Whether all of a stretch of time lies within the period."""
        return stretch[0] >= self._start and stretch[1] <= self._end

    def enter(self, index: int, joules: float) -> None:
        """Metered joules of a day."""
        self.days[index] += joules

    def spread(self, stretch: tuple[float, float], joules: float | None) -> None:
        """A job without figures by day: evenly over the days that it touches."""
        touched = self.period.day_range(*stretch)
        for index in touched:
            if joules is None:
                self.unmeasured_days[index] = True
            else:
                self.days[index] += joules / len(touched)

    def _add_metered(self, row: JobRow, joules: float, fraction: float) -> None:
        self.joules = joules + (self.joules or 0.0)
        low, high = row.metered_low_joules, row.metered_high_joules
        if low is None or high is None:
            self.band_known = False
        else:
            self.low_joules += low * fraction
            self.high_joules += high * fraction
        if row.metered_kind != MEASURED:
            self.kind = ATTRIBUTED
        gpu, idle = row.gpu_joules, row.gpu_idle_joules
        if gpu is not None:
            self.gpu_joules = gpu * fraction + (self.gpu_joules or 0.0)
        if idle is not None:
            self.idle_joules = idle * fraction + (self.idle_joules or 0.0)
            self.idle_seconds = plus(self.idle_seconds, row.gpu_idle_seconds, fraction)

    def by(self, place: int) -> Parts:
        """Energy and jobs by name, account, partition or state."""
        parts: Parts = {}
        for key, part in self.groups.items():
            add_to(parts, key[place], part.joules, part.jobs)
        return parts

    def by_outcome(self) -> Parts:
        """Energy and jobs by what became of them."""
        parts: Parts = {}
        for state, part in self.by(STATE).items():
            add_to(parts, outcome(state), part.joules, part.jobs)
        return parts

    def day_joules(self) -> list[float | None]:
        """By day; None where jobs ran and none of them was measured."""
        return [
            None if unmeasured and not joules else joules
            for joules, unmeasured in zip(self.days, self.unmeasured_days, strict=True)
        ]


def add_to(parts: Parts, label: str, joules: float | None, jobs: int = 1) -> None:
    """Under this label so much more."""
    part = parts.get(label)
    if part is None:
        part = parts[label] = Part()
    part.add(joules, jobs)


def plus(total: float | None, value: float | None, fraction: float = 1.0) -> float | None:
    """The sum; unknown values leave it as it is."""
    if value is None:
        return total
    return value * fraction if total is None else total + value * fraction


def share(part: float | None, total: float | None) -> float | None:
    """Of the total, 0 to 1; all of it is 1, whatever the order in which it was added up."""
    return round(part / total, 12) if part is not None and total else None


def joules_by_day(row: JobRow) -> tuple[tuple[str, float], ...]:
    """As `JobRow.joules_by_day`; most jobs have one day, which needs no parser."""
    text = row.days
    if len(text) < 48 and text.startswith('{"') and "," not in text:
        try:
            joules = float(text[14:-1])
            return ((text[2:12], joules),) if abs(joules) < MAX_JOULES else ()
        except ValueError:
            pass
    return tuple(row.joules_by_day().items()) if text else ()


def joules_by_model(row: JobRow) -> tuple[tuple[str, float], ...]:
    """As `JobRow.joules_by_model`, in the same way."""
    text = row.gpu_models
    if text.count('"') == 2 and "\\" not in text and text.startswith('{"'):
        name, _, number = text[2:-1].partition('"')
        try:
            joules = float(number.lstrip(" :"))
            return ((name, joules),) if abs(joules) < MAX_JOULES else ()
        except ValueError:
            pass
    return tuple(row.joules_by_model().items()) if text else ()


def ran(row: JobRow, now_wall_seconds: float) -> tuple[float, float] | None:
    """From when to when it ran, as far as known; None: it has not run."""
    measured = row.measured_start_wall_seconds
    start = measured if row.start_wall_seconds is None else row.start_wall_seconds
    if start is None:
        return None
    end = row.end_wall_seconds
    if end is not None and row.origin:  # most jobs
        return start, max(start, end)
    became = OUTCOMES.get(row.state)
    if not row.origin and (became == PENDING or (became == CANCELLED and not row.elapsed_seconds)):
        return None
    if end is None:
        if became == RUNNING:
            end = now_wall_seconds
        elif row.elapsed_seconds is not None:
            end = start + row.elapsed_seconds
        elif measured is not None and row.measured_seconds is not None:
            end = measured + row.measured_seconds
    return start, start if end is None else max(start, end)
