"""What the commands are asked, and in which environment."""

from __future__ import annotations

from jobwatt.slurm.commands import (
    child_environ,
    sacct_arguments,
    squeue_arguments,
    usable_fields,
)
from jobwatt.slurm.parse import SACCT_FIELDS


def test_only_fields_that_this_sacct_lists() -> None:
    listed = "Account AllocTRES Cluster   JobID\nJobIDRaw JobName State Restarts"
    assert usable_fields(listed) == [
        "JobIDRaw", "JobID", "Cluster", "Account", "State", "AllocTRES", "Restarts", "JobName",
    ]  # fmt: skip


def test_fields_that_came_or_went_are_not_asked_for_blindly() -> None:
    fields = usable_fields("")
    assert {"AllocGRES", "Restarts", "SubmitLine"} == set(SACCT_FIELDS) - set(fields)
    assert (fields[0], fields[-1]) == ("JobIDRaw", "JobName")


def test_the_time_is_local(utc: None) -> None:
    arguments = sacct_arguments(1795433312.9, "ann", ["JobIDRaw"], "|")
    assert arguments[arguments.index("-S") + 1] == "2026-11-23T11:28:32"


def test_a_delimiter_cannot_end_a_column_of_squeue() -> None:
    columns = squeue_arguments("ann", "\x1fab\x1f")[-1]
    assert all(column.endswith(":\x1fab\x1f") for column in columns.split(","))


def test_the_environment_keeps_the_way_to_slurm_and_nothing_that_changes_answers() -> None:
    ours = {"PATH": "/bin", "SLURM_CONF": "/etc/s", "SLURM_JWT": "x", "HOME": "/h", "TZ": "UTC"}
    theirs = {
        "SLURM_JOB_ID": "7", "SLURM_CLUSTERS": "all", "SLURM_TIME_FORMAT": "relative",
        "SQUEUE_FORMAT": "%i", "SQUEUE_STATES": "R", "SACCT_FORMAT": "JobID", "LC_ALL": "fr_FR",
        "LANG": "fr_FR.UTF-8", "LC_TIME": "fr_FR",
    }  # fmt: skip
    assert child_environ({**ours, **theirs}) == {
        **ours, "LC_ALL": "C", "SLURM_TIME_FORMAT": "%s",
    }  # fmt: skip
