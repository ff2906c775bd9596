"""The loop that rolls past samples up."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from opsconsole.series.clock import Clock
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.rollups import Rollups

log = structlog.get_logger(__name__)

_EVERY_S = 600


class Roller:
    """Runs ``Rollups.roll`` at the start and every ten minutes, in a thread of its own."""

    def __init__(self, rollups: Rollups, clock: Clock) -> None:
        self._rollups = rollups
        self._clock = clock
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="roller")

    async def stop(self) -> None:
        """What is being written is finished first: a few seconds at most."""
        self._rollups.stop()
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(self._rollups.roll, self._clock.now_ms())
            except StoreError as error:
                log.warning("samples could not be rolled up; the next turn tries again", error=str(error))
            except Exception:
                log.exception("samples could not be rolled up; the next turn tries again")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _EVERY_S)
