"""Hooks for gunicorn's configuration file, taken over by one line of it.

That line is ``from opsconsole_exporters.gunicorn import *``;
or, beside hooks of your own, call these from them.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from opsconsole_exporters import ending, multiprocess, workerprocess
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import shield

__all__ = ["child_exit", "post_fork", "post_worker_init", "when_ready"]


def when_ready(server: Any) -> None:
    """Say at start what would go wrong later, and forget the gauges of an earlier run."""
    if not Options.read().enabled:
        return
    with shield("gunicorn hooks"):
        if server.cfg.workers > 1:
            multiprocess.warn_if_missing(
                f"each of the {server.cfg.workers} workers answers /metrics for itself, so counters will jump"
            )
        multiprocess.prepare()
        multiprocess.drop_dead_gauges()


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn calls it with both
    """Forget the gauges that an earlier process with this worker's pid has left."""
    with shield("gunicorn hooks"):
        multiprocess.drop_gauges_of(os.getpid())


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Begin to sample the worker, and when it is told to stop let it run its exit handlers, which send the last spans.

    uvicorn, once it has shut down, raises SIGTERM again under the handler that was there before it; with the default
    handler that ends the process on the spot.
    """
    if not Options.read().enabled:
        return
    with shield("gunicorn hooks"):
        workerprocess.ensure_started()
        if signal.getsignal(signal.SIGTERM) in {signal.SIG_DFL, ending.flush_and_end}:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Forget the gauges of a worker that has ended, however it ended."""
    with shield("gunicorn hooks"):
        multiprocess.drop_gauges_of(worker.pid)
