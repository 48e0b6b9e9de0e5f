"""Which filesystem holds a path, and whether other nodes may see it too. Pure."""

from __future__ import annotations

SHARED_FILESYSTEMS = (
    *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "panfs", "afs", "smb3", "cifs", "gfs2"),
    *("ocfs2", "pvfs2", "fuse.glusterfs", "wekafs", "fuse.ceph"),
)
"""Types that all nodes see."""
LOCAL_FILESYSTEMS = (
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "ramfs", "overlay", "f2fs"),
    *("jfs", "reiserfs", "bcachefs", "rootfs", "aufs"),
)
"""Types of this node alone. What is in neither list may be either."""


def filesystem_kind(path: str, mountinfo: str) -> str:
    """Type of the filesystem that holds `path`, from `/proc/self/mountinfo` (proc(5))."""
    found, best = "unknown", -1
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or not kind:
            continue
        mount = fields[4].replace(r"\040", " ")
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= best:  # the later mount hides the earlier
            found, best = kind[0], len(mount)
    return found
