"""Single values in every form that Slurm's commands print."""

from __future__ import annotations

import pytest

from jobwatt.slurm import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1795433312", 1795433312.0),
        ("2026-11-23T11:28:32", 1795433312.0),
        *((text, None) for text in ("Unknown", "None", "N/A", "", "0", "-1", "9" * 30, "11:28")),
    ],
)
def test_wall_seconds(text: str, seconds: float | None, utc: None) -> None:
    assert values.wall_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:03", 3), ("30:00", 1800), ("1:00:00", 3600), ("2-03:04:05", 183845), ("2-03", 183600),
        ("00:00:01.500", 1), ("UNLIMITED", None), ("Partition_Limit", None), ("NOT_SET", None),
        ("INVALID", None), ("", None), ("9" * 39, None), ("1:2:3:4", None),
    ],
)  # fmt: skip
def test_duration_seconds(text: str, seconds: float | None) -> None:
    assert values.duration_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4000M", 4000 << 20), ("4000", 4000 << 20), ("976.50G", 1048508891136), ("1T", 1 << 40),
        ("4Gn", 8 << 30), ("4Gc", 24 << 30), ("4000Mc", 24000 << 20), ("512K", 512 << 10),
        ("0", None), ("0n", None), ("?", None), ("", None), ("9e9M", None), ("9" * 39 + "P", None),
    ],
)  # fmt: skip
def test_memory_bytes_on_2_nodes_with_6_cpus(text: str, size: int | None) -> None:
    assert values.memory_bytes(text, 2, 6) == size


def test_memory_per_node_of_an_unknown_number_of_nodes_is_unknown() -> None:
    assert values.memory_bytes("4Gn", None, 6) is None


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("billing=4,cpu=4,gres/gpu=4,node=2", 4),
        ("cpu=4,gres/gpu:a100=2", 2),
        ("cpu=4,gres/gpu:a100=2,gres/gpu:h100=1", 3),
        ("cpu=4,gres/gpu:a100=2,gres/gpu=2", 2),
        ("cpu=4,gres/gpu=0", 0),
        ("cpu=4,gres/gpumem=40G,gres/gpuutil=0", None),
        ("cpu=4", None),
        ("gres/gpu=", None),
        ("", None),
    ],
)
def test_gpus_in_trackable_resources(text: str, gpus: int | None) -> None:
    assert values.tres_gpus(text) == gpus


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("gpu:2", 2), ("gpu", 1), ("gpu:a100", 1), ("gres:gpu:2", 2), ("gres/gpu:2", 2),
        ("gres/gpu:a100:2", 2), ("gpu:a100:2(S:0-1)", 2), ("gpu:1,gpu:h100:3", 4),
        ("gpu:2(IDX:0,3)", 2), ("shard:4", None), ("N/A", None), ("", None), ("gpu:0", 0),
    ],
)  # fmt: skip
def test_gpus_in_generic_resources(text: str, gpus: int | None) -> None:
    assert values.gres_gpus(text) == gpus


@pytest.mark.parametrize(
    ("text", "code", "signal"),
    [
        ("0:0", 0, None), ("3:0", 3, None), ("0:9", None, 9), ("0:125", None, None),
        ("768", 3, None), ("9", None, 9), ("35072", 137, None), ("253", None, None), ("0", 0, None),
        ("", None, None), ("x:y", None, None), ("3:", None, None), (":", None, None),
    ],
)  # fmt: skip
def test_exit_status(text: str, code: int | None, signal: int | None) -> None:
    assert values.exit_status(text) == (code, signal)


@pytest.mark.parametrize(
    ("text", "word"),
    [("CANCELLED by 1000", "CANCELLED"), ("CANCELLED+", "CANCELLED"), ("running", "RUNNING"),
     ("EXPEDITING", "EXPEDITING"), ("", "")],
)  # fmt: skip
def test_state_word(text: str, word: str) -> None:
    assert values.state_word(text) == word
