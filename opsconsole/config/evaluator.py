"""The loop that judges the alerts, and says so to pages and to delivery."""

from __future__ import annotations

import asyncio

import structlog
from channels.db import database_sync_to_async

from opsconsole.live.relay import Relay
from opsconsole.notify.delivery import Delivery
from opsconsole.operations import alerting
from opsconsole.operations.console import Console

log = structlog.get_logger(__name__)


class Evaluator:
    """Runs ``alerting.evaluate`` on the profile's interval, at whole multiples of it as Prometheus does."""

    def __init__(self, console: Console, relay: Relay, delivery: Delivery) -> None:
        self._console = console
        self._relay = relay
        self._delivery = delivery
        self._interval_ms = round(console.profile.evaluation.total_seconds() * 1000)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the stored state; pending and firing alerts go on where they were."""
        restore = database_sync_to_async(alerting.restore, thread_sensitive=False)
        await restore(self._console, self._console.clock.now_ms())
        self._task = asyncio.create_task(self._run(), name="evaluator")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        evaluate = database_sync_to_async(alerting.evaluate, thread_sensitive=False)
        while True:
            now_ms = self._console.clock.now_ms()
            slot_ms = (now_ms // self._interval_ms + 1) * self._interval_ms
            await asyncio.sleep((slot_ms - now_ms) / 1000)
            try:
                evaluation = await evaluate(self._console, slot_ms)
            except Exception:
                log.exception("the alerts could not be evaluated; the next interval tries again")
                continue
            if evaluation.told:
                self._delivery.wake()
            if evaluation.changed:
                await self._relay.publish({"type": "alerts", "firing": evaluation.firing, "changed": True})
