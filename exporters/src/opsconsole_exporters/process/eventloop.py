"""How long an event loop lets a callback wait, asked from outside, so that a loop that hangs is seen while it hangs."""

from __future__ import annotations

import asyncio
import os
from time import perf_counter

from opsconsole_exporters import metrics, multiprocess
from opsconsole_exporters.catalog.process import LOOP_DELAY, LOOP_LAG
from opsconsole_exporters.process.sampling import every_second
from opsconsole_exporters.process.slot import worker_number
from opsconsole_exporters.shield import shield, shielded

_PART = "event loop metrics"
_watched_in: int | None = None


class LoopProbe:
    """Sends one callback at a time into ``loop``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: str) -> None:
        self._loop = loop
        self._lag = metrics.gauge(LOOP_LAG).labels(worker)
        self._delay = metrics.histogram(LOOP_DELAY).labels(worker)
        self._sent: float | None = None

    def step(self) -> None:
        """Send the next callback, or tell how long the last one has been waiting."""
        if self._sent is not None:
            self._lag.set(perf_counter() - self._sent)
        elif self._loop.is_closed():
            self._lag.set(0)
        else:
            self._sent = perf_counter()
            self._loop.call_soon_threadsafe(self._arrived)

    @shielded(_PART)
    def _arrived(self) -> None:
        if self._sent is not None:
            waited = perf_counter() - self._sent
            self._sent = None
            self._lag.set(waited)
            self._delay.observe(waited)


def ensure_watched() -> None:
    """Watch the loop that runs this; as cheap as one comparison afterwards."""
    global _watched_in
    pid = os.getpid()
    if _watched_in == pid:
        return
    _watched_in = pid
    with shield(_PART):
        loop = asyncio.get_running_loop()
        every_second(_PART, LoopProbe(loop, worker_number(multiprocess.directory())).step)
