"""Where the index lies: on a disk of this node, in a directory that is the user's alone.

SQLite's locks do not hold on shared filesystems, and a directory that others may write would let
them put words into a user's mouth: neither is ever used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from jobwatt.filesystems import LOCAL_FILESYSTEMS, filesystem_kind
from jobwatt.paths import fallback_directory


def candidates(wanted: str, uid: int) -> list[Path]:
    """Directories to try, the best first."""
    if wanted:
        return [Path(wanted)]
    return [fallback_directory(uid), Path(f"/tmp/jobwatt-{uid}"), Path(f"/run/user/{uid}/jobwatt")]


def choose(places: Sequence[Path], uid: int, mountinfo: str) -> tuple[Path | None, str]:
    """The first directory that will do, made where it is missing; else None and why not."""
    reasons = []
    for path in places:
        reason = _refusal(path, uid, mountinfo)
        if not reason:
            return path, ""
        reasons.append(f"{path}: {reason}")
    return None, "; ".join(reasons)


def index_name(journals: Path) -> str:
    """File name of the index of one journal directory."""
    return f"index-{crc32(os.fsencode(os.path.realpath(journals))):08x}.sqlite"


def _refusal(path: Path, uid: int, mountinfo: str) -> str:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        return error.strerror or "cannot be made"
    if not stat.S_ISDIR(status.st_mode):
        return "is no directory"
    if status.st_uid != uid:
        return "belongs to somebody else"
    if status.st_mode & 0o022:
        return "others may write there (chmod 700 closes it)"
    kind = filesystem_kind(os.path.realpath(path), mountinfo)
    if kind not in LOCAL_FILESYSTEMS:
        return f"{kind} may be shared with other nodes"
    if not os.access(path, os.W_OK | os.X_OK):
        return "cannot be written"
    return ""
