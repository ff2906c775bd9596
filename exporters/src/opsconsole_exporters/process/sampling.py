"""The one thread of a worker process that wakes once a second for everything that is sampled."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from opsconsole_exporters.shield import shield

INTERVAL_S = 1.0
# A step takes a millisecond; the host forks whether or not one hangs.
FORK_WAITS_S = 1.0

_steps: dict[str, Callable[[], None]] = {}
_running_in: int | None = None
_lock = threading.Lock()
_turn = threading.RLock()
_forking = threading.local()  # threads may fork at the same time


def every_second(part: str, step: Callable[[], None]) -> None:
    """Run ``step`` now and then in every interval, in this process only; the same ``part`` again replaces it."""
    global _running_in
    with shield(part):
        step()
    with _lock:
        _steps[part] = step
        if _running_in != os.getpid():
            _running_in = os.getpid()
            threading.Thread(target=_run, name="opsconsole-sampling", daemon=True).start()


def _run() -> None:
    pause = threading.Event()
    while not pause.wait(INTERVAL_S):
        for part, step in list(_steps.items()):
            with _turn, shield(part):
                step()


def _before_fork() -> None:
    """Let a step come to its end: a child that is forked while it holds a lock would wait for that lock for ever."""
    _forking.has_turn = _turn.acquire(timeout=FORK_WAITS_S)


def _after_fork() -> None:
    if _forking.has_turn:
        _turn.release()


def _forget() -> None:
    """A child has its parent's memory and none of its threads: what samples the parent is nothing to it."""
    global _lock, _turn, _running_in
    _lock, _turn, _running_in = threading.Lock(), threading.RLock(), None
    _steps.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_forget)
