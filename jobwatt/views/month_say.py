"""What is said of a month, in words and figures, for the terminal and the page alike. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from jobwatt.energy.units import (
    UNKNOWN,
    format_duration,
    format_energy,
    format_percent,
    format_power,
)
from jobwatt.history.month import CPU_AND_MEMORY
from jobwatt.history.month_model import Breakdown, Large, Month, Slice, Totals
from jobwatt.history.month_sums import share
from jobwatt.history.periods import short_date
from jobwatt.views.summary import band

HOW_TO_BEGIN = "to begin, write srun-green in place of srun"
LEGEND = "No result: failed, out of memory, timed out, lost a node. Shares: of the total."
NO_NAME = "unknown"
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Fact:
    """One line of figures: of the period, of the one before, and the change between them."""

    label: str
    now: str
    before: str = ""
    change: str = ""


def headline(month: Month) -> str:
    """Which time is told of, and up to when where it goes on."""
    text = f"Energy of {'the ' if month.period.label[0].islower() else ''}{month.period.label}"
    if month.period.under_way:
        clock = time.strftime("%H:%M", time.localtime(month.period.end_wall_seconds))
        text += f", up to {short_date(month.period.days[-1])}, {clock}"
    return text


def nothing(month: Month) -> str:
    """One line in place of all others where nothing was measured; else the empty text."""
    totals, before = month.totals, month.totals_before.metered
    if totals.jobs_measured or totals.jobs_imported:
        return ""
    what = "nothing" if not totals.jobs else f"none of {_count(totals.jobs)}"
    ago = ""
    if before.joules is not None:
        ago = f" (from {month.before.short_dates}: {format_energy(before.joules)})"
    return f"{what} measured from {month.period.dates}{ago}; {HOW_TO_BEGIN}"


def facts(month: Month) -> tuple[Fact, ...]:
    """The figures above all plots."""
    now, before = month.totals, month.totals_before
    found = [
        Fact("total", _metered(now), _energy_before(before),
             change(now.metered.joules, before.metered.joules)),
        Fact("mean power", _power(month), format_power(before.power_mean_watts, "-")),
        Fact("jobs", _jobs(now), _jobs_short(before)),
        Fact("GPUs", _gpus(now), _gpus_short(before),
             change(now.gpu_held_seconds, before.gpu_held_seconds)),
        Fact("GPU idle", _idle(now), _part(before.gpu_idle_joules, before),
             change(now.gpu_idle_joules, before.gpu_idle_joules)),
        Fact("no result", _counted(now.no_result_joules, now.no_result_jobs, now),
             _part(before.no_result_joules, before),
             change(now.no_result_joules, before.no_result_joules)),
        Fact("cancelled", _counted(now.cancelled_joules, now.cancelled_jobs, now),
             _part(before.cancelled_joules, before),
             change(now.cancelled_joules, before.cancelled_joules)),
    ]  # fmt: skip
    if not (now.gpu_held_seconds or before.gpu_held_seconds or now.gpu_joules):
        found = [fact for fact in found if not fact.label.startswith("GPU")]
    if now.estimated_joules or before.estimated_joules:
        found.append(
            Fact("estimated", f"{format_energy(now.estimated_joules, '-')}, not in the total",
                 format_energy(before.estimated_joules, "-"))
        )  # fmt: skip
    if now.jobs_imported or before.jobs_imported:
        found.append(Fact("imported", _imported(now), _imported_short(before)))
    return tuple(found)


def change(now: float | None, before: float | None) -> str:
    """`+12 %`; nothing where there is no base to compare with."""
    if now is None or before is None or before <= 0:
        return ""
    percent = 100 * (now / before - 1)
    if percent >= 1000:
        return f"x {now / before:.3g}"
    return f"{percent:+.1f} %" if abs(percent) < 9.95 else f"{percent:+.0f} %"


def share_text(share: float | None) -> str:
    """A part of the total, in percent."""
    return "-" if share is None else format_percent(100 * share)


def others_label(breakdown: Breakdown) -> str:
    """What the line of all others is called."""
    return f"{breakdown.others_labels} others"


def slice_lines(breakdown: Breakdown) -> list[tuple[str, Slice]]:
    """Lines of a breakdown with their labels, the others last."""
    lines = [(one.label.removeprefix("NVIDIA ") or NO_NAME, one) for one in breakdown.slices]
    if breakdown.others:
        lines.append((others_label(breakdown), breakdown.others))
    return lines


def breakdowns(month: Month) -> list[tuple[str, Breakdown]]:
    """All of them with their titles; those of which nothing is known are left out."""
    found = [
        ("Outcome", month.outcomes),
        ("Job name", month.names),
        ("GPU model", month.gpu_models),
        ("Account", month.accounts),
        ("Partition", month.partitions),
    ]
    silent: tuple[list[str], ...] = ([], [""], [CPU_AND_MEMORY])
    return [(title, one) for title, one in found if [s.label for s in one.slices] not in silent]


def gpu_hours(held_seconds: float | None) -> str:
    """`5.50 GPU-h`, `14201 GPU-h`."""
    if held_seconds is None:
        return UNKNOWN
    hours = held_seconds / _SECONDS_PER_HOUR
    if not hours:
        return "0 GPU-h"
    return f"{hours:.{2 if hours < 9.995 else 1 if hours < 99.95 else 0}f} GPU-h"


def _metered(totals: Totals) -> str:
    energy = totals.metered
    if energy.joules is None:
        return "unavailable: no meter was read"
    text = f"{format_energy(energy.joules)} {energy.kind}"
    return text if energy.low_joules is None else f"{text} ({band(energy)})"


def _power(month: Month) -> str:
    watts = month.totals.power_mean_watts
    if watts is None:
        return UNKNOWN
    return f"{format_power(watts)} over {format_duration(month.period.elapsed_seconds)}"


def _energy_before(totals: Totals) -> str:
    if totals.metered.joules is None:
        return "nothing measured"
    return format_energy(totals.metered.joules)


def _jobs(totals: Totals) -> str:
    text = f"{_jobs_short(totals)} measured" if totals.jobs else "none known"
    if totals.jobs and not totals.jobs_told_by_slurm:
        text = f"{totals.jobs_measured} measured; Slurm told of none"
    if totals.coverage is not None:
        text += f", covers {format_percent(100 * totals.coverage)}"
    return text


def _jobs_short(totals: Totals) -> str:
    return f"{totals.jobs_measured} of {totals.jobs}" if totals.jobs else "-"


def _gpus(totals: Totals) -> str:
    use = format_percent(totals.gpu_utilization_mean_percent)
    return f"{gpu_hours(totals.gpu_held_seconds)} held, mean use {use}"


def _gpus_short(totals: Totals) -> str:
    if totals.gpu_held_seconds is None:
        return "-"
    use = format_percent(totals.gpu_utilization_mean_percent, "-")
    return f"{gpu_hours(totals.gpu_held_seconds)}, {use}"


def _idle(totals: Totals) -> str:
    text = _part(totals.gpu_idle_joules, totals)
    if totals.gpu_idle_joules is None or totals.gpu_idle_seconds is None:
        return text
    return f"{text}, {gpu_hours(totals.gpu_idle_seconds)} at 0 % use"


def _counted(joules: float | None, jobs: int, totals: Totals) -> str:
    return f"{_part(joules, totals)}, {_count(jobs)}"


def _count(jobs: int) -> str:
    return "1 job" if jobs == 1 else f"{jobs} jobs"


def _part(joules: float | None, totals: Totals) -> str:
    """Energy and its share of the total."""
    total = totals.metered.joules
    if joules is None:
        return "-" if total is None else UNKNOWN
    return f"{format_energy(joules)}, {share_text(share(joules, total))}"


def _imported(totals: Totals) -> str:
    said = format_energy(totals.imported_joules, "")
    guess = format_energy(totals.imported_estimated_joules, "")
    parts = [said, f"{guess} estimated" if guess else ""]
    known = [part for part in parts if part]
    text = f"{' and '.join(known) or UNKNOWN}, {_count(totals.jobs_imported)}"
    return text if len(known) > 1 else f"{text}, not in total"


def _imported_short(totals: Totals) -> str:
    return format_energy(totals.imported_joules, "-") if totals.jobs_imported else "-"


def shown_id(one: Large, largest: Sequence[Large]) -> str:
    """As Slurm's commands show it; with the cluster, where they come from several."""
    several = len({each.row.cluster for each in largest}) > 1
    suffix = f"@{one.row.cluster}" if several and one.row.cluster else ""
    return one.row.shown_id + suffix
