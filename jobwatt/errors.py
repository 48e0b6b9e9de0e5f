"""Errors named by what the caller does next. Only `cli` prints them and exits."""

from __future__ import annotations


class JobwattError(Exception):
    """What went wrong, in one line; `hint` says in one line what to do about it."""

    exit_code: int = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def line(self) -> str:
        """Message and hint on one line, as standard error shows them."""
        return " ".join((f"{self}; {self.hint}" if self.hint else str(self)).split())


class UsageError(JobwattError):
    """The command line makes no sense: correct it and try again."""

    exit_code = 2


class NotFoundError(JobwattError):
    """No such job or journal: look elsewhere, or wait until there is one."""

    exit_code = 3


class UnreadableError(JobwattError):
    """The data are there but damaged or forbidden: repair them; trying again is of no use."""

    exit_code = 4
