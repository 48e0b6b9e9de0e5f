"""Which GPUs are the job's: pure, on every form that the variables take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobwatt.sources.allocation import (
    Choice,
    MigInstance,
    VisibleGpu,
    choose_gpus,
    count_allocated,
)

A, B, C, D = (
    "GPU-aaaaaaaa-0000-4000-8000-000000000001",
    "GPU-aabbbbbb-0000-4000-8000-000000000002",
    "GPU-cccccccc-0000-4000-8000-000000000003",
    "GPU-dddddddd-0000-4000-8000-000000000004",
)
M0, M1 = "MIG-11111111-0000-5000-8000-000000000001", "MIG-22222222-0000-5000-8000-000000000002"
# NVML orders by PCI address; the device files' numbers (minors) may run the other way.
NODE = [VisibleGpu(A, 3), VisibleGpu(B, 2), VisibleGpu(C, 1), VisibleGpu(D, 0)]
SLICED = [
    VisibleGpu(A, 0, (MigInstance(M0, 1, 0), MigInstance(M1, 2, 0))),
    VisibleGpu(B, 1),
]
JOB = {"SLURM_JOB_ID": "7"}


def choose(gpus: list[VisibleGpu], whole_node: bool = False, **environ: str) -> Choice:
    return choose_gpus(gpus, {**JOB, **environ}, whole_node)


CUDA = [
    ("0", (A,)),
    ("3,0", (D, A)),
    (" 1 , 2 ", (B, C)),
    ("0,0,1", (A, B)),
    (f"{C},{A}", (C, A)),
    ("GPU-cccc", (C,)),
    ("GPU-aaaa,1", (A, B)),
    ("GPU-aa", ()),  # two of them: ambiguous
    ("GPU-ffff", ()),
    ("0,9,1", (A,)),  # CUDA stops at the first that it cannot find
    ("0,-1,1", (A,)),
    ("0,,1", (A,)),
    ("-1", ()),
    ("", ()),
    ("NoDevFiles", ()),
    ("none", ()),
    ("void", ()),
    ("junk", ()),
    ("0x1", ()),
    ("1e3", ()),
    ("999999999999999999", ()),
    ("\u00b2", ()),  # a digit to str.isdigit, and no number
]


@pytest.mark.parametrize(("text", "uuids"), CUDA)
def test_outside_slurm_cuda_decides(text: str, uuids: tuple[str, ...]) -> None:
    assert choose_gpus(NODE, {"CUDA_VISIBLE_DEVICES": text}).uuids == uuids


def test_outside_slurm_without_cuda_all_are_ours() -> None:
    assert choose_gpus(NODE, {}).uuids == (A, B, C, D)


@pytest.mark.parametrize("text", ["9", "GPU-ffff", "MIG-ffff", "junk"])
def test_what_is_no_gpu_is_said(text: str) -> None:
    (problem,) = choose_gpus(NODE, {"CUDA_VISIBLE_DEVICES": text}).problems
    assert text in problem


@pytest.mark.parametrize("name", ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS"])
@pytest.mark.parametrize(
    ("text", "uuids"),
    [("0", (D,)), ("3", (A,)), ("0,2", (B, D)), ("1-2", (B, C)), ("0-3", (A, B, C, D))],
)
def test_slurm_names_device_files(name: str, text: str, uuids: tuple[str, ...]) -> None:
    """Where devices are not constrained all are visible: minors tell which are the job's."""
    found = choose_gpus(NODE, {**JOB, name: text, "CUDA_VISIBLE_DEVICES": "0"})
    assert set(found.uuids) == set(uuids)


def test_the_step_goes_before_the_job() -> None:
    found = choose(NODE, SLURM_STEP_GPUS="1", SLURM_JOB_GPUS="0,1,2,3")
    assert found.uuids == (C,)


def test_in_a_device_cgroup_all_that_is_visible_is_the_jobs() -> None:
    """NVML counts from 0 there, and Slurm names the numbers of the node."""
    found = choose([VisibleGpu(C, 1)], SLURM_STEP_GPUS="1", CUDA_VISIBLE_DEVICES="0")
    assert (found.uuids, found.rule) == ((C,), "SLURM_STEP_GPUS (device cgroup)")
    unknown_minor = [VisibleGpu(C), VisibleGpu(D)]
    assert choose(unknown_minor, SLURM_JOB_GPUS="5,6").uuids == (C, D)


def test_slurm_without_numbers_leaves_it_to_cuda() -> None:
    assert choose(NODE, SLURM_JOB_GPUS="", CUDA_VISIBLE_DEVICES="2").uuids == (C,)
    assert choose(NODE, SLURM_JOB_GPUS="gpu:2", CUDA_VISIBLE_DEVICES=C).uuids == (C,)
    assert choose(NODE, CUDA_VISIBLE_DEVICES="GPU-dddd").uuids == (D,)


@pytest.mark.parametrize("cuda", ["NoDevFiles", "-1", "", "junk"])
def test_a_job_without_gpus_has_none(cuda: str) -> None:
    assert choose(NODE, CUDA_VISIBLE_DEVICES=cuda) == Choice((), "no GPU allocated")
    assert choose(NODE, whole_node=True, CUDA_VISIBLE_DEVICES=cuda).uuids == ()


def test_a_site_that_does_not_manage_gpus() -> None:
    assert choose(NODE).uuids == ()
    assert choose(NODE, whole_node=True).uuids == (A, B, C, D)


@pytest.mark.parametrize(
    ("text", "uuids"),
    [
        (M1, (M1,)),
        ("MIG-2222", (M1,)),
        (f"{M0},{M1}", (M0, M1)),
        (f"MIG-{A}/2/0", (M1,)),
        (f"MIG-{A}/1/0", (M0,)),
        (f"MIG-{A}/3/0", ()),
        (f"MIG-{A}/x/0", ()),
        (f"MIG-{A}", ()),
        (f"MIG-{B}/1/0", ()),
        ("MIG-", ()),
        ("MIG-3333", ()),
    ],
)
def test_mig_by_name(text: str, uuids: tuple[str, ...]) -> None:
    for extra in ({}, {"SLURM_JOB_ID": "7", "SLURM_STEP_GPUS": "0", "SLURM_JOB_GPUS": "0"}):
        assert choose_gpus(SLICED, {**extra, "CUDA_VISIBLE_DEVICES": text}).uuids == uuids


def test_a_number_on_a_sliced_gpu_is_its_first_instance() -> None:
    assert choose_gpus(SLICED, {"CUDA_VISIBLE_DEVICES": "0"}).uuids == (M0,)
    assert choose_gpus(SLICED, {"CUDA_VISIBLE_DEVICES": "1"}).uuids == (B,)


def test_no_gpu_at_all() -> None:
    for environ in ({}, {"CUDA_VISIBLE_DEVICES": "0"}, {**JOB, "SLURM_JOB_GPUS": "0"}):
        assert choose_gpus([], environ).uuids == ()


NAMES = ["CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS"]
TEXTS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(
    ["0", "1", "7", "-1", "0-3", "3-0", "0-99999999999", "GPU-a", A, M0, f"MIG-{A}/1/0", "MIG-", ""]
)).map(",".join))  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS), st.booleans())
def test_any_text_gives_visible_devices_each_once(environ: dict[str, str], whole: bool) -> None:
    for gpus in (NODE, SLICED):
        known = {gpu.uuid for gpu in gpus} | {mig.uuid for gpu in gpus for mig in gpu.mig}
        uuids = choose_gpus(gpus, environ, whole).uuids
        assert set(uuids) <= known
        assert len(set(uuids)) == len(uuids)


STEP = {**JOB, "SLURM_STEP_ID": "0"}
COUNTS: list[tuple[dict[str, str], int | None]] = [
    ({"CUDA_VISIBLE_DEVICES": "0,1"}, None),  # no Slurm: nobody allocates
    (JOB, None),
    (STEP, None),
    ({**STEP, "SLURM_STEP_GPUS": "0,2-4"}, 4),
    ({**JOB, "SLURM_JOB_GPUS": "0,1"}, 2),
    # A step of --gres=none inherits this from the batch script, and nothing else.
    ({**STEP, "SLURM_JOB_GPUS": "0,1"}, None),
    ({**JOB, "SLURM_STEP_ID": "4294967290", "SLURM_JOB_GPUS": "0,1"}, 2),  # salloc's shell
    ({**STEP, "SLURM_STEP_GPUS": "0", "SLURM_JOB_GPUS": "0,1"}, 1),
    # Four tasks of one GPU each: a task is told of its own.
    ({**STEP, "SLURM_STEP_GPUS": "0", "SLURM_GPUS_ON_NODE": "4"}, 4),
    ({**STEP, "SLURM_STEP_GPUS": "0,1", "SLURM_GPUS_ON_NODE": "many"}, 2),
    ({**STEP, "SLURM_GPUS_ON_NODE": "4"}, None),
    ({**STEP, "CUDA_VISIBLE_DEVICES": f"{A},{B}"}, 2),
    ({**STEP, "CUDA_VISIBLE_DEVICES": M0}, 1),
    ({**STEP, "CUDA_VISIBLE_DEVICES": "0,0,1,-1,3"}, 2),
    ({**STEP, "CUDA_VISIBLE_DEVICES": "NoDevFiles"}, 0),
    ({**STEP, "CUDA_VISIBLE_DEVICES": ""}, 0),
    ({**STEP, "SLURM_STEP_GPUS": "gpu:2", "CUDA_VISIBLE_DEVICES": "0,1"}, 2),
]


@pytest.mark.parametrize(("environ", "count"), COUNTS)
def test_how_many_are_allocated(environ: dict[str, str], count: int | None) -> None:
    assert count_allocated(environ) == count


@given(st.dictionaries(st.sampled_from([*STEP, *NAMES, "SLURM_GPUS_ON_NODE"]), st.text()))
def test_counting_takes_any_text(environ: dict[str, str]) -> None:
    assert (count_allocated(environ) or 0) >= 0
