"""Compile the fake libnvidia-ml.so.1, once per version of its source."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

LIBRARY = "libnvidia-ml.so.1"
FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden")
LINK = (f"-Wl,-soname,{LIBRARY}", "-lm", "-pthread")


class CompilerMissing(RuntimeError):
    """No C compiler: the fake library cannot be made on this machine."""


def default_cache() -> Path:
    """The user's cache folder for compiled fakes."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jobwatt-fake-hardware"


def build_library(cache: Path) -> Path:
    """The compiled library, from the cache or built now.

    Raises CompilerMissing without a compiler, RuntimeError with the compiler's words if it fails.
    """
    sources = sorted(Path(__file__).parent.glob("fake_nvml*.[ch]"))
    digest = hashlib.sha256(" ".join(FLAGS + LINK).encode())
    for source in sources:
        digest.update(source.read_bytes())
    library = cache / digest.hexdigest()[:16] / LIBRARY
    if library.exists():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CompilerMissing("the fake NVML needs a C compiler (gcc or cc), and none is on PATH")
    library.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and renamed: two test runs may build at once.
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        made = Path(scratch) / LIBRARY
        units = [str(source) for source in sources if source.suffix == ".c"]
        command = [compiler, *FLAGS, "-o", str(made), *units, *LINK]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"the fake NVML does not compile:\n{run.stderr}")
        made.replace(library)
    return library
