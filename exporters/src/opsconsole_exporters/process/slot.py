"""The number of a worker among those that live: the label ``worker``.

A pid would make a series for every process that ever lived.  Numbers come back: a worker that replaces another takes the
lowest that is free, so that there are never more than workers lived at once.  The main process of a Celery worker, which
runs no task itself, has a number of another row: ``main-0``.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

MOST = 64
BEYOND = "other"
FILE = "workers.lock"

_taken: tuple[int, Path | None, str] | None = None


def worker_number(directory: Path | None, *, main: bool = False) -> str:
    """The number of this process among those that share ``directory``, ``BEYOND`` if all are taken; "0" without a directory.

    ``main``: it forks those that do the work.

    The number is a lock on one byte of a file there.  The kernel takes it away from a process that ends, however it ends,
    and does not hand it on in a fork.  Raises ``OSError`` if the file cannot be made.
    """
    global _taken
    if _taken is None or _taken[:2] != (os.getpid(), directory):
        number = "0" if directory is None else _lowest_free(directory / FILE, MOST if main else 0)
        _taken = (os.getpid(), directory, f"main-{number}" if main and number != BEYOND else number)
    return _taken[2]


def _lowest_free(file: Path, first: int = 0) -> str:
    """``first``: the byte where the row begins."""
    # Never closed: that would give the number back.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    for number in range(MOST):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, first + number)
        except (BlockingIOError, PermissionError):  # POSIX allows either for "somebody else has it"
            continue
        return str(number)
    return BEYOND
