"""What the kernel says, from its texts and from living processes."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from jobwatt.sampler.proc import (
    ProcessTree,
    StepCgroup,
    Usage,
    cgroup_paths,
    children,
    descendants,
    node_cpu_seconds,
    start_boot_seconds,
    stat_fields,
    step_level,
)
from jobwatt.sources.files import read_text

V1 = """12:cpu,cpuacct:/slurm_n1/uid_0/job_3/step_0/task_0
11:memory:/slurm_n1/uid_0/job_3/step_0/task_0
5:blkio:/slurm_n1/uid_0/job_3/step_0/task_0
1:name=systemd:/system.slice/slurmd.service
0::/
"""
V2 = "0::/system.slice/slurmstepd.scope/job_3/step_0/user/task_0\n"
CPU_STAT = "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n"
IO_STAT = "8:0 rbytes=1000 wbytes=50 rios=3 wios=1 dbytes=0\n259:0 rbytes=24 wbytes=6\n"


def tree(base: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return base


def test_version_2(tmp_path: Path) -> None:
    step = "system.slice/slurmstepd.scope/job_3/step_0"
    tree(tmp_path, {
        f"{step}/cpu.stat": CPU_STAT,
        f"{step}/memory.current": "1048576\n",
        f"{step}/io.stat": IO_STAT,
        f"{step}/user/task_0/cpu.stat": "usage_usec 7\n",
    })  # fmt: skip
    cgroup = StepCgroup(V2, tmp_path)
    assert cgroup.path == f"/{step}"
    assert cgroup.counts_cpu
    assert cgroup.usage() == Usage(2.5, 1048576, 1024, 56)


def test_version_2_without_some_controllers(tmp_path: Path) -> None:
    step = "system.slice/slurmstepd.scope/job_3/step_0"
    tree(tmp_path, {f"{step}/cpu.stat": "nr_periods 0\n"})
    assert StepCgroup(V2, tmp_path).usage() == Usage(None, None, None, None)


def test_version_1(tmp_path: Path) -> None:
    step = "slurm_n1/uid_0/job_3/step_0"
    tree(tmp_path, {
        f"cpuacct/{step}/cpuacct.usage": "2500000000\n",
        f"memory/{step}/memory.usage_in_bytes": "4096\n",
        f"blkio/{step}/blkio.throttle.io_service_bytes":
            "8:0 Read 100\n8:0 Write 20\n8:0 Sync 9\n8:16 Read 11\nTotal 131\n",
    })  # fmt: skip
    cgroup = StepCgroup(V1, tmp_path)
    assert cgroup.path == f"/{step}"
    assert cgroup.usage() == Usage(2.5, 4096, 111, 20)


def test_version_1_without_cpuacct(tmp_path: Path) -> None:
    cgroup = StepCgroup("4:memory:/slurm/step_0\n", tree(tmp_path, {
        "memory/slurm/step_0/memory.usage_in_bytes": "8\n",
    }))  # fmt: skip
    assert not cgroup.counts_cpu
    assert cgroup.usage() == Usage(None, 8, None, None)


def test_hybrid_the_controllers_are_in_version_1(tmp_path: Path) -> None:
    """systemd's hybrid layout: version 2 holds the processes, version 1 the controllers."""
    text = V1.replace("0::/\n", "0::/system.slice/slurmd.service\n")
    tree(tmp_path, {"cpuacct/slurm_n1/uid_0/job_3/step_0/cpuacct.usage": "1000000000\n"})
    assert StepCgroup(text, tmp_path).usage().cpu_seconds == 1.0


@pytest.mark.parametrize("text", ["", "0::/\n", "garbage", "0::", ":::::\n"])
def test_no_cgroup_is_unknown(tmp_path: Path, text: str) -> None:
    cgroup = StepCgroup(text, tmp_path)
    assert cgroup.usage() == Usage()
    assert not cgroup.counts_cpu


def test_cgroup_paths() -> None:
    paths = cgroup_paths(V1 + "3:a:/with:colon\n")
    assert paths["cpu"] == paths["cpuacct"] == "/slurm_n1/uid_0/job_3/step_0/task_0"
    assert paths[""] == "/"
    assert paths["a"] == "/with:colon"


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("/slurm/uid_0/job_3/step_0/task_0", "/slurm/uid_0/job_3/step_0"),
        ("/slurmstepd.scope/job_3/step_batch/user/task_0", "/slurmstepd.scope/job_3/step_batch"),
        ("/n1_slurmstepd.scope/SLUID/step_extern", "/n1_slurmstepd.scope/SLUID/step_extern"),
        ("/user.slice/session-1.scope", "/user.slice/session-1.scope"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_step_level(path: str, level: str) -> None:
    assert step_level(path) == level


def test_node_cpu_seconds() -> None:
    hertz = os.sysconf("SC_CLK_TCK")
    # user nice system idle iowait irq softirq steal guest guest_nice
    text = "cpu  100 10 40 800 50 1 2 7 90 5\ncpu0 1 1 1 1\n"
    assert node_cpu_seconds(text) == (160 / hertz, 1010 / hertz)
    assert node_cpu_seconds("cpu 1 2 3 4\n") == (6 / hertz, 10 / hertz)
    for bad in (None, "", "intr 5 5 5 5 5", "cpu 1 2 3"):
        assert node_cpu_seconds(bad) is None


def test_the_real_proc_stat_moves_with_time() -> None:
    first = node_cpu_seconds(read_text("/proc/stat"))
    time.sleep(0.3)
    second = node_cpu_seconds(read_text("/proc/stat"))
    assert first and second
    assert 0.3 * 0.5 <= second[1] - first[1] <= 0.3 * (os.cpu_count() or 1) * 2
    assert second[0] >= first[0]


def test_a_process_name_with_brackets_and_blanks(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as process:
        fields = stat_fields(process.pid)
        process.kill()
    assert fields is not None
    assert fields[0] in "SRD"
    assert int(fields[1]) == os.getpid()


def test_start_time() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        started = start_boot_seconds(process.pid)
        process.kill()
    assert started == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5)
    assert start_boot_seconds(2**22 + 1) is None


def test_a_tree_of_processes() -> None:
    script = "sleep 60 & sleep 60 & (while :; do :; done) & wait"
    with subprocess.Popen(["bash", "-c", script], start_new_session=True) as process:
        time.sleep(0.6)
        below = list(descendants(process.pid))
        usage = ProcessTree(process.pid).usage()
        os.killpg(process.pid, 9)
    assert len(below) == 4
    assert below[0] == process.pid
    assert usage.cpu_seconds is not None
    assert usage.memory_bytes is not None
    assert 0.1 < usage.cpu_seconds < 1.0
    assert usage.memory_bytes > 1 << 20


def test_cpu_time_of_collected_children_counts_and_never_falls() -> None:
    script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    command = f"bash -c '{script}'; sleep 60"
    with subprocess.Popen(["bash", "-c", command], start_new_session=True) as process:
        tree_of = ProcessTree(process.pid)
        readings: list[float] = []
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not (readings and len(children(process.pid)) == 0):
            readings.append(tree_of.usage().cpu_seconds or 0.0)
            last = [stat_fields(pid) for pid in children(process.pid)]
            if readings[-1] > 0.05 and last and "sleep" in (
                read_text(f"/proc/{children(process.pid)[0]}/comm") or ""
            ):
                break
            time.sleep(0.02)
        final = tree_of.usage().cpu_seconds or 0.0
        os.killpg(process.pid, 9)
        process.wait()
        assert tree_of.usage().cpu_seconds == final
    assert readings == sorted(readings)
    assert final > 0.05


def test_texts_that_cannot_be_read(tmp_path: Path) -> None:
    for path in ("", tmp_path, tmp_path / "absent", "/proc/self/mem"):
        assert read_text(path) is None
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    assert read_text(tmp_path / "odd") == "\ufffd\ufffd"
    os.mkfifo(tmp_path / "fifo")
    assert read_text(tmp_path / "fifo") in (None, "")  # and does not block
