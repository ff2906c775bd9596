"""The last spans of a process that is told to stop and would run no exit handler."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import wraps
from types import FrameType
from typing import Any

from opsconsole_exporters import tracing
from opsconsole_exporters.shield import shield


def flush_on_sigterm() -> None:
    """Send what waits when SIGTERM comes, and then end by it as before.

    Only where nobody handles the signal: a server that does ends in its own way, with exit handlers.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, flush_and_end)


def flush_after_uvicorn() -> None:
    """Send what waits when uvicorn has shut down: it then ends its process by the signal that it was told to stop with."""
    if (server := getattr(sys.modules.get("uvicorn.server"), "Server", None)) is None:
        return
    shutdown = server.shutdown

    @wraps(shutdown)
    async def flushing(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await shutdown(self, *args, **kwargs)
        finally:
            with shield("traces"):
                tracing.flush()

    server.shutdown = flushing


def flush_and_end(number: int, _frame: FrameType | None) -> None:
    with shield("traces"):
        tracing.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
