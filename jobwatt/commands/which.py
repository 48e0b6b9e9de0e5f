"""Which one job the words of a command line mean."""

from __future__ import annotations

from jobwatt.errors import UsageError
from jobwatt.history.history import History
from jobwatt.history.rows import JobRow


def one_job(history: History, name: str, cluster: str = "") -> JobRow | None:
    """The job, or an array's only known task; None: nobody knows it.

    UsageError: an array of several tasks, one of which bears the array's own id as its raw one.
    """
    row = history.row(name, cluster)
    tasks = [task for task in history.tasks(name) if cluster in ("", task.cluster)]
    if row is None and tasks:
        row = max(tasks, key=lambda task: task.start_wall_seconds or 0.0)
    if row is None or row.array_job != name:
        return row
    count = sum(task.cluster == row.cluster for task in tasks)
    if count > 1:
        first = min((task.array_task for task in tasks), key=lambda task: (len(task), task))
        raise UsageError(
            f"{name} is an array of {count} tasks",
            f"write {name}_{first} for one of them; jobwatt jobs {name} lists them",
        )
    return row
