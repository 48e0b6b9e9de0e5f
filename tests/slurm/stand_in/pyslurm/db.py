"""The database's half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class JobFilter:
    """What to look for."""

    def __init__(self, **wanted: Any) -> None:
        self.users = wanted["users"]
        self.start_time = wanted["start_time"]


class Jobs:
    """Jobs by id."""

    load: Callable[[JobFilter], dict[int, Any]]
