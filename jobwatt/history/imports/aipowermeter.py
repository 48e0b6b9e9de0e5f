"""AIPowerMeter's `power_metrics.json` (package `deep_learning_power_measure`) -> runs. Pure.

One file may hold several recordings (`cont=True`). A recording ends with a line that says so, but
not in old versions, nor where it was killed: a long pause ends it too, or a clock set back. Each is
a run of its own here, known by its first line, so that a file that has grown gives the same ones.
Power is integrated by trapezoids, as AIPowerMeter does; what lies between two samples that are too
far apart is not guessed, and the coverage says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import pairwise
from statistics import median
from typing import Any

from jobwatt.energy.merge import lowest_coverage
from jobwatt.history.imports.aipowermeter_sample import (
    ALL_GPUS_ID,
    DRAM_ID,
    PACKAGE_ID,
    PSYS_ID,
    SEGMENT_END,
    Sample,
    loads,
    sample,
)
from jobwatt.history.imports.common import (
    Entry,
    Imported,
    Refused,
    entry,
    estimated_device,
    stable_id,
    text_of,
)
from jobwatt.model import DeviceEnergy
from jobwatt.sources.base import DRAM, GPU, NODE, PACKAGE

TOOL = "AIPowerMeter"
PAUSE_SECONDS = 600.0
"""Samples further apart are of two recordings."""
GAP_SECONDS = 10.0
GAP_INTERVALS = 5.0
"""A pause of more than both, the second in usual intervals of the run, is not integrated."""
_SHARES = {
    PACKAGE_ID: "AIPowerMeter's share, by CPU time",
    DRAM_ID: "AIPowerMeter's share, by memory",
}
_SHARE_OF_GPU = "AIPowerMeter's share, by use of the multiprocessors"
_WHOLE = "the whole machine's, whoever used it"


@dataclass
class _Run:
    """Lines of one recording, and the first of them as it stands in the file."""

    first_line: bytes
    samples: list[Sample] = field(default_factory=list)


def parse(
    lines: Iterable[bytes], zone: tzinfo | None = None, told: Mapping[str, Any] | None = None
) -> Imported:
    """All recordings of a file. `zone`: of the machine that wrote it, None for this one's.

    `told`: what `meta_data.json` beside it says of the Slurm job, where a site writes that.
    """
    runs: list[_Run] = []
    skipped: Counter[str] = Counter()
    ended = True
    for line in lines:
        line = line.strip()
        if not line:
            continue
        data = loads(line)
        if data == SEGMENT_END:
            ended = True
            continue
        try:
            one = sample(data, zone)
        except Refused as reason:
            skipped[str(reason)] += 1
            continue
        if not one.draws:
            continue
        if ended or not 0 <= one.wall_seconds - runs[-1].samples[-1].wall_seconds <= PAUSE_SECONDS:
            runs.append(_Run(line))
            ended = False
        runs[-1].samples.append(one)
    entries = [_entry(run, told or {}) for run in runs]
    known = tuple(entry for entry in entries if entry[1].devices)
    skipped["recordings without energy"] = len(entries) - len(known)
    return Imported(TOOL, known, +skipped)


def _entry(run: _Run, told: Mapping[str, Any]) -> Entry:
    samples = run.samples
    start, end = samples[0].wall_seconds, samples[-1].wall_seconds
    intervals = [after.wall_seconds - before.wall_seconds for before, after in pairwise(samples)]
    longest = max(GAP_SECONDS, GAP_INTERVALS * median(intervals or [0.0]))
    names = dict.fromkeys(name for one in samples for name in one.draws)
    node = _told(told, "node_id")
    devices = [_device(name, samples, longest, node) for name in names]
    known = [device for device in devices if device is not None]
    problems = []
    gaps = [interval for interval in intervals if interval > longest]
    if gaps:
        problems.append(f"{len(gaps)} gaps between samples, {sum(gaps):.0f} s in all, left out")
    details = {
        "slurm_job": _told(told, "jobid"),
        "node": node,
        "samples": str(len(samples)),
    }
    return entry(
        stable_id("aipowermeter", run.first_line.decode("utf-8", "replace")),
        TOOL,
        (start, end, end - start),
        lowest_coverage(known),
        known,
        details,
        problems,
        name=_told(told, "job_name"),
        gpus=None if ALL_GPUS_ID in names else sum(d.device_kind == GPU for d in known),
        node_list=node,
    )


def _device(name: str, samples: Sequence[Sample], longest: float, node: str) -> DeviceEnergy | None:
    """None: it was not there, or the run did not use it (AIPowerMeter sees all GPUs of a node)."""
    own = whole = covered = peak = busy = busy_seconds = 0.0
    shared = False
    memory = None
    for before, after in pairwise(samples):
        a, b = before.draws.get(name), after.draws.get(name)
        seconds = after.wall_seconds - before.wall_seconds
        if a is None or b is None or seconds > longest:
            continue
        own += seconds * (a.own_watts + b.own_watts) / 2
        whole += seconds * (a.whole_watts + b.whole_watts) / 2
        covered += seconds
        peak = max(peak, a.own_watts, b.own_watts)
        shared = shared or a.shared or b.shared
        if name in after.used_percent:
            busy += seconds * after.used_percent[name]
            busy_seconds += seconds
        if name in after.memory_bytes:
            memory = max(memory or 0, int(after.memory_bytes[name]))
    if not own:
        return None
    held = samples[-1].wall_seconds - samples[0].wall_seconds
    kind = {PACKAGE_ID: PACKAGE, DRAM_ID: DRAM, PSYS_ID: NODE}.get(name, GPU)
    rule = _SHARES.get(name, _SHARE_OF_GPU) if shared else _WHOLE
    # No file tells a GPU's model.
    return estimated_device(
        kind, name, "GPU" if kind == GPU else name, TOOL, own, covered, held,
        node=node,
        rule=rule,
        whole_joules=whole if shared else None,
        coverage=min(1.0, covered / held) if held > 0 else None,
        power_peak_watts=peak,
        utilization_mean_percent=busy / busy_seconds if busy_seconds > 0 else None,
        memory_peak_bytes=memory,
    )  # fmt: skip


def _told(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return text_of(str(value) if type(value) is int else value)
