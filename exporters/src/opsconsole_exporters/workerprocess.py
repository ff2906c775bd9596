"""What must start in the process that does the work, never in the one that forks it.

Threads do not survive a fork, so whatever needs one is registered here and started by the first request or by
Celery's ``worker_process_init``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from opsconsole_exporters.shield import shield

_starters: dict[str, Callable[[], None]] = {}
_started_in: int | None = None


def on_start(part: str, starter: Callable[[], None]) -> None:
    """Register ``starter`` to run once in every process that works; the same ``part`` again replaces it."""
    _starters[part] = starter


def ensure_started() -> None:
    """Run the starters if this process has not; as cheap as one comparison afterwards."""
    global _started_in
    pid = os.getpid()
    if _started_in == pid:
        return
    _started_in = pid
    for part, starter in list(_starters.items()):
        with shield(part):
            starter()
