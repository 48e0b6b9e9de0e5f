"""Run a command that file permissions bind, even for root: `python unprivileged.py COMMAND…`.

Root passes over file modes by CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH; they are dropped here, so
that mode 0 answers EACCES to everyone. Ordinary users have neither: nothing changes for them.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2

if __name__ == "__main__":
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execvp(sys.argv[1], sys.argv[1:])
