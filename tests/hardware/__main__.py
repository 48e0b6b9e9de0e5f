"""Fake GPUs and CPUs for a demo or a test cluster: `python -m tests.hardware DIR --gpus 4 --hold`.

Prints the `export` lines that make programs find them. CPU counters move while `--hold` runs.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import shutil
import signal
import sys
import uuid
from dataclasses import replace
from pathlib import Path

from tests.hardware import powercap, powercap_ticker
from tests.hardware.build import CompilerMissing
from tests.hardware.nvml import FakeNvml, gpus
from tests.hardware.power import Constant

PACKAGE_WATTS = 100.0
DRAM_WATTS = 10.0


def cpu_zones(sockets: int) -> tuple[powercap.Zone, ...]:
    """Packages of 100 W, 80 W, 60 W, … and at least 20 W, each with 10 W of DRAM."""
    zones: list[powercap.Zone] = []
    for socket in range(sockets):
        package = powercap.package(socket, Constant(max(PACKAGE_WATTS - 20.0 * socket, 20.0)))
        zones += [package, powercap.subzone(package, 0, "dram", Constant(DRAM_WATTS))]
    return tuple(zones)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.hardware", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--gpus", type=int, default=1, choices=range(9), metavar="N")
    parser.add_argument("--sockets", type=int, default=1, metavar="S")
    parser.add_argument("--watts", type=float, default=200.0, metavar="W", help="GPU i: W + 50 i")
    parser.add_argument("--dev-dir", type=Path, metavar="D", help="GPU i is seen by D/nvidia<i>")
    parser.add_argument("--hold", action="store_true", help="keep the CPU counters moving")
    return parser.parse_args()


def main() -> int:
    """Set everything up, print the exports, and move the counters if asked to."""
    options = arguments()
    root = options.directory.resolve()
    for old in (root / "sys/class/powercap", root / "sys/devices/virtual/powercap"):
        if old.is_dir() and root != Path("/"):
            shutil.rmtree(old)
    try:
        fake = FakeNvml(root)
    except CompilerMissing as error:
        print(error, file=sys.stderr)
        return 1
    # Ids of its own for each folder, as two nodes of a cluster never share a GPU.
    fake.write([
        replace(gpu, uuid=f"GPU-{uuid.uuid5(uuid.NAMESPACE_URL, f'{root}/{gpu.minor}')}")
        for gpu in gpus(options.gpus, options.watts, device_dir=options.dev_dir)
    ])
    tree = powercap.PowercapTree(root, cpu_zones(options.sockets))
    library_path = shlex.quote(str(fake.library_path.parent))
    print(f"export LD_LIBRARY_PATH={library_path}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}")
    print(f"export FAKE_NVML_SCENARIO={shlex.quote(str(fake.scenario_path))}")
    print(f"export JOBWATT_SYS_ROOT={shlex.quote(str(root))}", flush=True)
    if options.hold:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with contextlib.suppress(KeyboardInterrupt):
            powercap_ticker.run(tree.root, None, announce=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
