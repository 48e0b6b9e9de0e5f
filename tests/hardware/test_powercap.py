"""The fake powercap tree: counters against known power, faults, and the ticker's manners."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hardware.power import Constant, Piecewise, Ramp, Square, Step
from tests.hardware.powercap import (
    REPOSITORY,
    Fault,
    PowercapTree,
    Register,
    Zone,
    mirrored_dies,
    mmio_twin,
    package,
    psys,
    subzone,
)

# How old a counter may be where the ticker shares its cores with others.
STALE_SECONDS = 0.25


def read(tree: PowercapTree, zone: str) -> int:
    return int(tree.energy_path(zone).read_text(encoding="ascii"))


def cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def test_counters_follow_the_truth(tmp_path: Path) -> None:
    first = package(0, Square(200.0, 50.0, 0.1, 0.3))
    second = package(1, Ramp(20.0, 150.0, 0.5))
    zones = (
        first, subzone(first, 0, "dram", Constant(12.0)), mmio_twin(first), second,
        subzone(second, 0, "core", Piecewise((Step(0, Constant(9)), Step(0.3, Constant(70))))),
        psys(2, Constant(400.0)),
    )
    with PowercapTree(tmp_path, zones) as tree:
        fds = {zone.zone: os.open(tree.energy_path(zone.zone), os.O_RDONLY) for zone in zones}
        moved = set()
        for _ in range(50):
            time.sleep(0.01)
            for zone in zones:
                before = time.monotonic()
                value = int(os.pread(fds[zone.zone], 64, 0)) - zone.register.start_uj
                after = time.monotonic()
                truth = tree.timeline(zone.zone).joules_until
                assert truth(before - STALE_SECONDS) * 1e6 - 1 <= value <= truth(after) * 1e6
                moved.add((zone.zone, value))
    for fd in fds.values():
        os.close(fd)
    assert len(moved) > 200
    # Over the whole run the counters are exact up to one refresh.
    final = time.monotonic()
    for zone in zones:
        joules = (read(tree, zone.zone) - zone.register.start_uj) / 1e6
        power = joules / tree.energy_joules(zone.zone, tree.start_seconds, final)
        assert power == pytest.approx(1.0, abs=0.2)


def test_layout_is_that_of_linux(tmp_path: Path) -> None:
    first = package(0, Constant(100.0))
    tree = PowercapTree(tmp_path, (first, subzone(first, 0, "dram", Constant(5.0))))
    base = tmp_path / "sys/class/powercap"
    assert sorted(path.name for path in base.iterdir()) == ["intel-rapl:0", "intel-rapl:0:0"]
    assert (base / "intel-rapl:0").readlink() == Path(
        "../../devices/virtual/powercap/intel-rapl/intel-rapl:0"
    )
    assert (base / "intel-rapl:0/intel-rapl:0:0/name").read_text(encoding="ascii") == "dram\n"
    assert (base / "intel-rapl:0/name").read_text(encoding="ascii") == "package-0\n"
    limit = (base / "intel-rapl:0/max_energy_range_uj").read_text(encoding="ascii")
    assert int(limit) == first.register.max_range_uj
    assert read(tree, "intel-rapl:0") == first.register.start_uj != read(tree, "intel-rapl:0:0")


def test_wrap(tmp_path: Path) -> None:
    limit_uj = 20_000_000
    register = Register(Constant(100.0), start_uj=limit_uj - 10_000_000, max_range_uj=limit_uj)
    with PowercapTree(tmp_path, (Zone("intel-rapl:0", "package-0", register),)) as tree:
        total, last, wraps, texts = 0, register.start_uj, 0, set()
        end = tree.start_seconds + 0.5
        while time.monotonic() < end:
            text = tree.energy_path("intel-rapl:0").read_bytes()
            value = int(text)
            texts.add(len(text.split()))
            wraps += value < last
            total += (value - last) % limit_uj
            last = value
            time.sleep(0.001)
        after = time.monotonic()
    assert wraps == 2
    assert texts == {1}
    truth_uj = tree.energy_joules("intel-rapl:0", tree.start_seconds, after) * 1e6
    assert truth_uj - 100e6 * STALE_SECONDS <= total <= truth_uj


def test_mirrors_are_equal_and_stuck_counters_stand_still(tmp_path: Path) -> None:
    dies = mirrored_dies(Constant(80.0))
    stuck = Zone("intel-rapl:2", "psys", Register(Constant(300.0), start_uj=77, stuck=True))
    with PowercapTree(tmp_path, (*dies, stuck)) as tree:
        assert [zone.name for zone in dies] == ["package-0-die-0", "package-0-die-1"]
        time.sleep(0.2)
        apart_uj = abs(read(tree, "intel-rapl:0") - read(tree, "intel-rapl:1"))
        assert apart_uj <= 80e6 * STALE_SECONDS
        assert read(tree, "intel-rapl:2") == 77
        assert read(tree, "intel-rapl:0") > dies[0].register.start_uj + 5_000_000
        assert tree.energy_joules("intel-rapl:2", 0, tree.start_seconds + 2) == 600.0


@pytest.mark.parametrize(
    ("fault", "number"),
    [("eio", errno.EIO), ("directory", errno.EISDIR), ("missing", errno.ENOENT),
     ("denied", errno.EACCES)],
)
def test_unreadable_counters(tmp_path: Path, fault: Fault, number: int) -> None:
    register = Register(Constant(50.0))
    good = package(1, Constant(10.0))
    zones = (Zone("intel-rapl:0", "package-0", register, fault), good)
    with PowercapTree(tmp_path, zones) as tree:
        code = (
            "import os, sys\ntry: os.read(os.open(sys.argv[1], os.O_RDONLY), 64); print(0)\n"
            "except OSError as error: print(error.errno)"
        )
        unprivileged = str(Path(__file__).with_name("unprivileged.py"))
        for zone, expected in (("intel-rapl:0", number), ("intel-rapl:1", 0)):
            command = [sys.executable, "-c", code, str(tree.energy_path(zone))]
            run = subprocess.run(
                [sys.executable, unprivileged, *command],
                capture_output=True, text=True, check=True,
            )
            assert int(run.stdout) == expected


def test_ticker_is_cheap(tmp_path: Path) -> None:
    zones = tuple(package(socket, Constant(100.0)) for socket in range(8))
    with PowercapTree(tmp_path, zones) as tree:
        assert tree.ticker_pid is not None
        before = cpu_seconds(tree.ticker_pid)
        time.sleep(1.0)
        assert cpu_seconds(tree.ticker_pid) - before < 0.05


def test_ticker_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.hardware.powercap import *\n"
        "from tests.hardware.power import Constant\n"
        "with PowercapTree(Path(sys.argv[1]), (package(0, Constant(1.0)),)) as tree:\n"
        "    print(tree.ticker_pid, flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    ) as parent:
        assert parent.stdout is not None
        ticker = int(parent.stdout.readline())
        assert Path(f"/proc/{ticker}").exists()
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while _alive(ticker) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _alive(ticker)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.hardware", str(tmp_path), "--gpus", "2", "--sockets",
               "2", "--watts", "100", "--dev-dir", "/dev", "--hold"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        exports = [held.stdout.readline() for _ in range(3)]
        counter = tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj"
        before = int(counter.read_text(encoding="ascii"))
        time.sleep(0.3)
        assert int(counter.read_text(encoding="ascii")) > before
        held.terminate()
        assert held.wait(timeout=5) == 0
    names = [line.removeprefix("export ").partition("=")[0] for line in exports]
    assert names == ["LD_LIBRARY_PATH", "FAKE_NVML_SCENARIO", "JOBWATT_SYS_ROOT"]
    scenario = (tmp_path / "nvml.scenario").read_text(encoding="utf-8")
    assert "constant 100.0" in scenario
    assert "constant 150.0" in scenario
    assert "dev /dev/nvidia1\n" in scenario
