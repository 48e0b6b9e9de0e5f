"""The local cluster's name."""

from __future__ import annotations

from pathlib import Path

from jobwatt.slurm.cluster import configured_name, name_in


def test_name_in_what_slurm_writes_and_what_people_write() -> None:
    assert name_in("ClusterName             = jobwatt\nCompleteWait = 0 sec\n") == "jobwatt"
    assert name_in("#ClusterName=old\n  clustername=Lab-IA # ours\n") == "lab-ia"
    assert name_in("SlurmctldHost=a\n") == ""


def test_slurm_conf_wins_over_the_usual_places(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"ClusterName={name}\n")
    files = (tmp_path / "none", tmp_path, tmp_path / "two")
    assert configured_name({"SLURM_CONF": str(tmp_path / "one")}, files) == "one"
    assert configured_name({"SLURM_CONF": str(tmp_path / "none")}, files) == ""
    assert configured_name({}, files) == "two"
    assert configured_name({}, ()) == ""
