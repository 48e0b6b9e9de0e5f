"""What Slurm's variables say of a step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.slurm.env import StepIdentity, expand_counts, step_identity

JOB = {"SLURM_JOB_ID": "42"}


def identity(**variables: str) -> StepIdentity:
    found = step_identity({**JOB, **variables}, "host")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("0", "0"),
        ("17", "17"),
        ("4294967295", "pending"),
        ("4294967292", "extern"),
        ("4294967291", "batch"),
        ("4294967290", "interactive"),
        ("-5", "batch"),
        ("-4", "extern"),
        ("-6", "interactive"),
        ("4294967000", "4294967000"),
        ("", "batch"),
        ("x", "batch"),
        ("9" * 30, "batch"),
    ],
)
def test_step_names(number: str, name: str) -> None:
    assert identity(SLURM_STEP_ID=number).step == name


def test_a_het_job_has_a_step_per_component() -> None:
    het = {"SLURM_STEP_ID": "3", "SLURM_HET_SIZE": "2"}
    assert identity(**het, SLURM_HET_JOB_OFFSET="1").step == "3+1"
    assert identity(**het, SLURM_HET_JOB_OFFSET="0").step == "3"
    assert identity(**het, SLURM_PACK_JOB_OFFSET="1").step == "3+1"
    assert identity(SLURM_STEP_ID="3", SLURM_HET_JOB_OFFSET="1").step == "3"


@pytest.mark.parametrize("job", ["", "x", "4_1", "-1", "4.0", "\u00b2"])
def test_outside_a_job(job: str) -> None:
    assert step_identity({"SLURM_JOB_ID": job}, "host") is None
    assert step_identity({}, "host") is None


def test_place_in_the_step() -> None:
    found = identity(
        SLURM_STEP_ID="1", SLURM_RESTART_COUNT="2", SLURMD_NODENAME="n2", SLURM_NODEID="1",
        SLURM_PROCID="5", SLURM_LOCALID="1", SLURM_CLUSTER_NAME="alpha",
        SLURM_STEP_TASKS_PER_NODE="4,2", SLURM_JOB_CPUS_PER_NODE="16(x2)",
        SLURM_CPUS_ON_NODE="8", SLURM_STEP_NUM_NODES="2",
    )  # fmt: skip
    assert found == StepIdentity("42", "1", 2, "n2", 5, 1, "alpha", 2, 16, 2, False)


def test_nothing_but_the_job() -> None:
    assert identity() == StepIdentity("42", "batch", node="host")


def test_cpus_differ_between_nodes() -> None:
    found = identity(SLURM_JOB_CPUS_PER_NODE="16,8", SLURM_CPUS_ON_NODE="8")
    assert found.cpus_allocated == 8
    assert identity(SLURM_JOB_CPUS_PER_NODE="16,8").cpus_allocated is None
    assert identity(SLURM_JOB_CPUS_PER_NODE="junk", SLURM_CPUS_ON_NODE="4").cpus_allocated == 4


@pytest.mark.parametrize(
    "name",
    ["SLURM_GPUS_PER_TASK", "SLURM_TRES_PER_TASK", "SLURM_GPU_BIND", "SLURM_TRES_BIND"],
)
def test_gpus_per_task(name: str) -> None:
    assert identity(**{name: "1"}).gpus_per_task
    assert not identity(**{name: ""}).gpus_per_task


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", []),
        ("3", [3]),
        ("4(x2),3", [4, 4, 3]),
        ("4(x2),3(x1),1", [4, 4, 3, 1]),
        ("4(x0)", []),
        ("4x2", []),
        ("a", []),
        ("1,,2", []),
        ("4(x", [4]),
        ("-1", []),
        ("\u00b2", []),
        ("4(x999999999999)", []),
    ],
)
def test_expand_counts(text: str, counts: list[int]) -> None:
    assert expand_counts(text) == counts


@given(st.lists(st.tuples(st.integers(1, 256), st.integers(1, 50)), min_size=1, max_size=8))
def test_expanding_is_the_inverse_of_slurms_packing(groups: list[tuple[int, int]]) -> None:
    text = ",".join(f"{count}(x{times})" if times > 1 else str(count) for count, times in groups)
    assert expand_counts(text) == [count for count, times in groups for _ in range(times)]


@given(st.dictionaries(
    st.sampled_from(["SLURM_STEP_ID", "SLURM_NODEID", "SLURM_STEP_TASKS_PER_NODE",
                     "SLURM_RESTART_COUNT", "SLURM_HET_SIZE", "SLURM_HET_JOB_OFFSET",
                     "SLURM_JOB_CPUS_PER_NODE", "SLURM_PROCID"]),
    st.text(max_size=30),
))  # fmt: skip
def test_any_text_is_survived(variables: dict[str, str]) -> None:
    assert identity(**variables).job == "42"
