"""Delivery: one worker a channel, so that a dead channel cannot hold up another."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

from opsconsole.series.clock import Clock

from . import outbox
from .channel import Channel, Outcome, Verdict
from .metrics import NOTIFICATIONS

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

ATTEMPT_S = 20.0  # a channel that breaks its promise is cut off, well before its lease runs out
AFTER_FAILURE_S = 5.0


class Delivery:
    """Delivers between ``start`` and ``stop``, in the event loop that starts it."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        poll_s: float = 5.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``poll_s``: how often to look for rows that another process wrote.  ``chance``: the jitter's source."""
        self._channels = dict(channels)
        self._clock = clock
        self._poll_s = poll_s
        self._chance = chance
        self._news = {name: asyncio.Event() for name in self._channels}
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers: asyncio.Task[None] | None = None
        self._records = ThreadPoolExecutor(max_workers=1, thread_name_prefix="delivery")

    def wake(self) -> None:
        """Say that rows were written; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    async def start(self) -> None:
        """Begin to deliver what waits.  Failures of the records are logged and tried again."""
        self._loop = asyncio.get_running_loop()
        self._workers = asyncio.create_task(self._run(), name="delivery")

    async def stop(self) -> None:
        """Let each worker finish the message in its hands."""
        self._stopping.set()
        self._wake()
        if self._workers is not None:
            await self._workers

    async def _run(self) -> None:
        try:
            await self._bury()
            async with asyncio.TaskGroup() as workers:
                for name, channel in self._channels.items():
                    workers.create_task(self._work(name, channel), name=f"delivery-{name}")
        finally:
            self._loop = None
            self._records.submit(connections.close_all)
            self._records.shutdown(wait=True)

    def _wake(self) -> None:
        for news in self._news.values():
            news.set()

    async def _bury(self) -> None:
        try:
            if buried := await self._query(outbox.bury_unconfigured, self._channels):
                log.warning("%s notifications were for channels that are not configured any more", buried)
        except Exception:
            log.exception("the outbox could not be read; its dead letters are found at the next start")

    async def _work(self, name: str, channel: Channel) -> None:
        while not self._stopping.is_set():
            try:
                await self._turn(name, channel)
            except Exception:
                log.exception("delivery by %s stumbled; it goes on in %s s", name, AFTER_FAILURE_S)
                await self._pause(AFTER_FAILURE_S)

    async def _turn(self, name: str, channel: Channel) -> None:
        """Send one message, or wait until there may be one."""
        self._news[name].clear()
        parcel = await self._query(outbox.claim, name, self._clock.now_ms())
        if parcel is None:
            await self._idle(name)
            return
        outcome = await _attempt(name, channel, parcel)
        settled = await self._query(outbox.settle, parcel, outcome, self._clock.now_ms(), self._chance())
        NOTIFICATIONS.labels(channel=name, outcome=settled.verdict.value).inc()
        if settled.verdict is not Verdict.DELIVERED:
            log.warning("notification %s by %s: %s, %s", parcel.message.id, name, settled.verdict, settled.detail)
        if outcome.after_ms is not None:  # the other end asked for quiet: that holds for every message
            await self._pause(outcome.after_ms / 1000)

    async def _idle(self, name: str) -> None:
        due_ms = await self._query(outbox.next_due_ms, name)
        wait_s = self._poll_s if due_ms is None else min(self._poll_s, (due_ms - self._clock.now_ms()) / 1000)
        await _wait(self._news[name], max(0.05, wait_s))

    async def _pause(self, seconds: float) -> None:
        await _wait(self._stopping, seconds)

    async def _query(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask the records in their own thread: a slow database must not stop the loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self._records, partial(_fresh, partial(function, *args, **kwargs))
        )


async def _attempt(name: str, channel: Channel, parcel: outbox.Parcel) -> Outcome:
    try:
        async with asyncio.timeout(ATTEMPT_S):
            return await channel.send(parcel.message)
    except TimeoutError:
        return Outcome.retry(f"not finished in {ATTEMPT_S:g} s")
    except Exception as error:
        log.exception("channel %s failed in an unexpected way", name)
        return Outcome.retry(f"unexpected {type(error).__name__}; the log has it")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _fresh(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
