"""Where the index may lie: a directory of the user's own, on a disk of this node."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobwatt.config import load
from jobwatt.filesystems import LOCAL_FILESYSTEMS, SHARED_FILESYSTEMS
from jobwatt.history.history import open_local_index
from jobwatt.history.place import candidates, choose, index_name

LOCAL = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"


def chosen(*places: Path, mountinfo: str = LOCAL) -> tuple[Path | None, str]:
    return choose(places, os.getuid(), mountinfo)


def test_the_first_that_will_do_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert chosen(path, tmp_path / "c") == (path, "")
    assert path.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "c").exists()
    assert chosen(path) == (path, "")


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777, 0o702])
def test_where_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(mode)
    found, why = chosen(path)
    assert found is None and "others may write there" in why and str(path) in why


def test_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "read"
    path.mkdir()
    path.chmod(0o755)
    assert chosen(path) == (path, "")


def test_a_link_is_refused_even_to_a_good_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("link", "dangling"):
        found, why = chosen(tmp_path / name)
        assert found is None and why
    assert not (tmp_path / "nowhere").exists()


def test_a_file_is_refused_and_the_next_one_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert chosen(tmp_path / "file", tmp_path / "next") == (tmp_path / "next", "")
    assert chosen(tmp_path / "file" / "below")[0] is None


def test_somebody_elses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.mkdir(mode=0o700)
    found, why = choose([path], os.getuid() + 1, LOCAL)
    assert found is None and "belongs to somebody else" in why


@pytest.mark.parametrize("kind", [*SHARED_FILESYSTEMS, "fuse.unheard-of"])
def test_what_other_nodes_may_see_is_refused(tmp_path: Path, kind: str) -> None:
    folder = str(tmp_path).replace(" ", r"\040")
    mountinfo = f"{LOCAL}2 1 0:5 / {folder} rw - {kind} server:/home rw\n"
    found, why = chosen(tmp_path / "index", mountinfo=mountinfo)
    assert found is None and kind in why


@pytest.mark.parametrize("kind", LOCAL_FILESYSTEMS)
def test_local_disks_are_taken(tmp_path: Path, kind: str) -> None:
    mountinfo = f"1 0 0:1 / / rw - nfs4 server:/ rw\n2 1 0:5 / {tmp_path} rw - {kind} disk rw\n"
    assert chosen(tmp_path / "index", mountinfo=mountinfo)[0] == tmp_path / "index"


def test_without_a_list_of_mounts_nothing_is_known_to_be_local(tmp_path: Path) -> None:
    assert chosen(tmp_path / "index", mountinfo="")[0] is None


def test_a_local_path_that_leads_to_a_shared_one(tmp_path: Path) -> None:
    """The link may be any part of the path but the last."""
    (tmp_path / "nfs").mkdir()
    (tmp_path / "short").symlink_to("nfs")
    mountinfo = f"{LOCAL}2 1 0:5 / {tmp_path}/nfs rw - nfs4 server:/ rw\n"
    assert chosen(tmp_path / "short" / "index", mountinfo=mountinfo)[0] is None


def test_all_reasons_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    found, why = chosen(tmp_path / "file", tmp_path / "open")
    assert found is None
    assert str(tmp_path / "file") in why and str(tmp_path / "open") in why and "\n" not in why


def test_a_wish_is_not_replaced() -> None:
    assert candidates("/scratch/ada", 1000) == [Path("/scratch/ada")]
    assert candidates("", 1000)[0] == Path("/var/tmp/jobwatt-1000")
    assert len(candidates("", 1000)) == 3


def test_each_journal_directory_has_an_index_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    assert index_name(tmp_path / "a") == index_name(tmp_path / "link") != index_name(tmp_path / "b")
    assert "/" not in index_name(tmp_path / "ü\udcff")


def test_nowhere_is_one_line_and_an_index_in_memory(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    environ = {"HOME": str(tmp_path), "JOBWATT_INDEX_DIR": str(tmp_path / "open")}
    index, lines = open_local_index(load(environ, tmp_path / "none"))
    assert index.path is None and index.count_jobs() == 0
    assert len(lines) == 1 and "\n" not in lines[0]
    assert "JOBWATT_INDEX_DIR" in lines[0] and str(tmp_path / "open") in lines[0]
