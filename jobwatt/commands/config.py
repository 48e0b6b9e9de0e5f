"""`jobwatt config`: each setting, its value and where that comes from."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from jobwatt.config import explain, load


def config(environ: Mapping[str, str]) -> None:
    """Print the settings on stdout and what is wrong with them on stderr."""
    from jobwatt.views.config import print_settings

    print_settings(explain(environ), environ)
    sys.stdout.flush()
    for problem in load(environ).problems:
        sys.stderr.write(f"jobwatt: {problem}\n")
