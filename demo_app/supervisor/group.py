"""Process groups: each part is started as the leader of its own, and a group is ended until nobody of it is left."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .part import StopOrder

GRACE_S: Mapping[StopOrder, float] = {StopOrder.VISITORS: 0.5, StopOrder.SERVICES: 4.0, StopOrder.STORES: 2.0}
"""How long each class of parts may take to end when asked, before SIGKILL: 6.5 s in all."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Group:
    pgid: int
    stop_signal: signal.Signals
    stop_order: StopOrder


def adopt_orphans() -> None:
    """Make this process the parent of grandchildren whose parent died, so that it can reap them (Linux)."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn(
    command: tuple[str, ...], env: Mapping[str, str], log_file: Path, stop_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start ``command`` as the leader of a new session, its output appended to ``log_file``.

    On Linux the kernel sends it ``stop_signal`` when this process dies, however it dies.  Raises ``OSError`` when the
    program cannot be run.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        # After fork and a possible change of user, which would clear the setting; nothing here takes a lock.
        if _LIBC:
            _LIBC.prctl(_PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    with log_file.open("ab") as log:
        return subprocess.Popen(  # noqa: S603  commands are written in plan.py, no shell  # nosec B603
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  the supervisor has one thread
        )


def end(groups: Iterable[Group]) -> None:
    """End all ``groups`` and return when nothing of them is left: by class, asked first, then killed.

    The caller may be their parent or not.  Bounded by ``GRACE_S``.
    """
    waiting = tuple(groups)
    for order in StopOrder:
        these = [group for group in waiting if group.stop_order is order]
        for group in these:
            _ask(group)
        left = _wait_until_gone(these, GRACE_S[order])
        for group in left:
            _signal(group.pgid, signal.SIGKILL)
        _wait_until_gone(left, 1.0)


def _wait_until_gone(groups: list[Group], seconds: float) -> list[Group]:
    deadline = time.monotonic() + seconds
    while groups and time.monotonic() < deadline:
        groups = [group for group in groups if is_alive(group.pgid)]
        if groups:
            time.sleep(0.02)
    return groups


def is_alive(pgid: int) -> bool:
    """Whether the group has a process.  Reaps what has ended and is ours, because the dead still count."""
    try:
        while os.waitpid(-pgid, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    return _signal(pgid, 0)


def _ask(group: Group) -> None:
    """Tell the leader alone: a Celery child that gets SIGTERM itself would drop its task, and the leader tells it."""
    try:
        os.kill(group.pgid, group.stop_signal)
    except ProcessLookupError:
        _signal(group.pgid, group.stop_signal)


def _signal(pgid: int, number: int) -> bool:
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS says so of a group whose only members are zombies.
        return False
    return True
