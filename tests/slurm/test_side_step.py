"""Which job, and how srun is asked for a step beside it: from texts as Slurm prints them."""

from __future__ import annotations

import pytest

from jobwatt.errors import NotFoundError, UsageError
from jobwatt.slurm.side_step import (
    Component,
    SideStep,
    check_job,
    choose,
    gpus_by_nodes,
    job_text,
    parse_squeue,
    restart_of,
    side_environment,
    side_steps,
    version_of,
)

PLAIN = "4|4|1000|RUNNING|2|main|project|normal|1795614933|1795615233|4|N/A|n[1-2]|na|me"
ARRAY = [
    "19_3|19|1000|PENDING|1|main|root|normal|N/A|N/A|19|3||a",
    "19_2|21|1000|RUNNING|1|main|root|normal|1|2|19|2|n1|a",
    "19_1|20|1000|RUNNING|1|main|root|normal|1|2|19|1|n1|a",
]
HET = [
    "17+1|18|1000|RUNNING|1|main|root|normal|1|2|18|N/A|n2|h",
    "17+0|17|1000|RUNNING|1|main|root|normal|1|2|17|N/A|n1|h",
]
UNEVEN = """JobId=15 HetJobId=15 HetJobOffset=0 JobName=x
   Requeue=1 Restarts=2 BatchFlag=1 Reboot=0 ExitCode=0:0
   JOB_GRES=gpu:3
     Nodes=n1 CPU_IDs=0-3 Mem=1600 GRES=gpu:2(IDX:0-1)
     Nodes=n[2-3] CPU_IDs=0,2-3 Mem=1600 GRES=gpu:1(IDX:0)

JobId=16 HetJobId=15 HetJobOffset=1 JobName=x
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
     Nodes=n4 CPU_IDs=0-3 Mem=1600 GRES=
"""
NODES = {"n1": ["n1"], "n[2-3]": ["n2", "n3"], "n[1-2]": ["n1", "n2"], "n4": ["n4"]}
NOW = (25, 11)


def rows(*lines: str) -> list[Component]:
    return parse_squeue("\n".join(lines))


def job(nodes: int = 2, het_group: str = "") -> Component:
    return Component("4", "4", "4", het_group, "1000", "RUNNING", nodes, "n[1-2]")


def plan(
    component: Component, *gpus: tuple[str, tuple[str, ...]], version: tuple[int, int] = NOW
) -> list[SideStep]:
    return side_steps(component, gpus, version, lambda nodes: NODES[nodes])


@pytest.mark.parametrize("text", ["1", "123456789012", "5_1", "123+1"])
def test_ids_of_jobs(text: str) -> None:
    check_job(text)


@pytest.mark.parametrize("text", ["", "x", "5.0", "5_", "+1", "-5", "1 2", "٣", "5_[1-3]", "5\n"])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(UsageError):
        check_job(text)


def test_a_row_of_squeue() -> None:
    [row] = rows(PLAIN, "", "no row", "a|b|c|d|e|f|g|h|i|j|k|l|m|n")
    assert (row.shown, row.job, row.raw, row.het_group) == ("4", "4", "4", "")
    assert (row.user_id, row.state, row.nodes, row.node_list) == ("1000", "RUNNING", 2, "n[1-2]")
    details = dict(row.details)
    assert details["SLURM_JOB_NAME"] == "na|me"
    assert details["SLURM_JOB_START_TIME"] == "1795614933"
    assert "SLURM_ARRAY_JOB_ID" not in details


def test_a_task_of_an_array() -> None:
    [chosen] = choose(rows(*ARRAY), "19_2", 1000)
    assert (chosen.job, chosen.shown) == ("21", "19_2")
    details = dict(chosen.details)
    assert (details["SLURM_ARRAY_JOB_ID"], details["SLURM_ARRAY_TASK_ID"]) == ("19", "2")
    with pytest.raises(UsageError) as error:
        choose(rows(*ARRAY), "19", 1000)
    assert error.value.line().endswith("name one of its tasks: 19_2, 19_1")
    with pytest.raises(NotFoundError, match="PENDING"):
        choose(rows(*ARRAY), "19_3", 1000)


def test_components_of_a_het_job() -> None:
    both = choose(rows(*HET), "17", 1000)
    assert [(each.job, each.raw, each.het_group) for each in both] == [
        ("17", "17", "0"),
        ("17", "18", "1"),
    ]
    [second] = choose(rows(*HET), "17+1", 1000)
    assert second.raw == "18"
    with pytest.raises(NotFoundError):
        choose(rows(HET[0].replace("RUNNING", "PENDING"), HET[1]), "17", 1000)


def test_jobs_that_are_refused() -> None:
    with pytest.raises(NotFoundError, match="no job 4"):
        choose([], "4", 1000)
    with pytest.raises(NotFoundError):
        choose(rows(PLAIN), "4_1", 1000)
    with pytest.raises(UsageError, match="another user"):
        choose(rows(PLAIN), "4", 0)
    for state in ("COMPLETED", "SUSPENDED", "COMPLETING", "CONFIGURING"):
        with pytest.raises(NotFoundError, match=state):
            choose(rows(PLAIN.replace("RUNNING", state)), "4", 1000)


def test_the_text_of_one_job() -> None:
    first, second = job_text(UNEVEN, "15"), job_text(UNEVEN, "16")
    assert gpus_by_nodes(first) == [("n1", ("2",)), ("n[2-3]", ("1",))]
    assert gpus_by_nodes(second) == [("n4", ())]
    assert (restart_of(first), restart_of(second), restart_of("")) == (2, 0, 0)
    assert job_text(UNEVEN, "1") == ""


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ("gpu:a100:2(IDX:0,2)", ("a100:2",)),
        ("gpu:a100:2(IDX:0,2),gpu:v100:1(IDX:1)", ("a100:2", "v100:1")),
        ("craynetwork:1,gpu:1g.5gb:3(IDX:0-2)", ("1g.5gb:3",)),
        ("gpu:4(CNT:4)", ("4",)),
        ("shard:3(0/4),mps:100(IDX:0)", ()),
        ("(null)", ()),
    ],
)
def test_gpus_of_a_node(gres: str, expected: tuple[str, ...]) -> None:
    text = f"     Nodes=n1 CPU_IDs=0 Mem=1 GRES={gres}\n"
    assert gpus_by_nodes(text) == [("n1", expected)]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("slurm-wlm 22.05.8", (22, 5)),
        ("slurm 26.05.5", (26, 5)),
        ("slurm 20.11.9", (20, 11)),
        ("what", (22, 5)),
    ],
)
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version


def test_nodes_alike() -> None:
    [step] = plan(job(), ("n[1-2]", ("a100:2", "v100:1")))
    assert {"--jobid=4", "--nodes=2", "--overlap", "--mem=0"} <= set(step.options)
    assert not any(option.startswith(("--nodelist", "--het-group")) for option in step.options)
    each = ("--ntasks=2", "--ntasks-per-node=1")
    named, default, without = step.task_options
    assert named == (*each, "--gres=gpu:a100:2,gpu:v100:1")
    assert (default, without) == (each, (*each, "--gres=none"))


def test_no_gpus_and_none_known() -> None:
    for gpus in ([], [("n[1-2]", ())]):
        [step] = plan(job(), *gpus)
        assert step.task_options == (("--ntasks=2", "--ntasks-per-node=1"),)


def test_nodes_with_different_numbers() -> None:
    """A task for each GPU, and a srun of its own for the nodes that have none."""
    [step] = plan(job(3), ("n1", ("2",)), ("n[2-3]", ("1",)))
    assert "--nodelist=n1,n2,n3" in step.options
    assert step.task_options[0][:2] == ("--ntasks=4", "--gpus-per-task=1")
    having, lacking = plan(job(3, "1"), ("n1", ("a100:2", "2")), ("n[2-3]", ()))
    assert {"--nodelist=n1", "--nodes=1", "--het-group=1"} <= set(having.options)
    assert having.task_options[0][0] == "--ntasks=4"
    assert {"--nodelist=n2,n3", "--nodes=2"} <= set(lacking.options)
    assert lacking.task_options == (("--ntasks=2", "--ntasks-per-node=1", "--gres=none"),)
    assert having.nodes + lacking.nodes == 3


def test_before_steps_could_share_gpus() -> None:
    [step] = plan(job(), ("n1", ("2",)), ("n[2-3]", ("1",)), version=(21, 8))
    assert step.task_options == (("--ntasks=2", "--ntasks-per-node=1", "--gres=none"),)
    assert plan(job(), version=(21, 8)) == plan(job())


def test_nothing_of_another_job() -> None:
    foreign = ("SLURM_JOB_ID", "SLURMD_NODENAME", "SRUN_CPUS_PER_TASK", "SBATCH_X", "PMIX_RANK",
               "CUDA_VISIBLE_DEVICES", "SLURM_TASK_PROLOG", "SLURM_EXPORT_ENV")  # fmt: skip
    kept = {"HOME": "/h", "SLURM_CONF": "/c", "JOBWATT_DIR": "/j", "LD_LIBRARY_PATH": "/l"}
    assert side_environment(kept | dict.fromkeys(foreign, "1")) == kept
