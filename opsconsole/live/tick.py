"""The tick: at every scrape interval, one frame for each topic that somebody looks at."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import structlog
from channels.db import database_sync_to_async
from prometheus_client import Counter, Histogram

from opsconsole.operations.boards import settled_ms
from opsconsole.operations.console import Console

from .hub import Topic

log = structlog.get_logger(__name__)

FRAME_SECONDS = Histogram(
    "opsconsole_live_frame_seconds",
    "Seconds to evaluate and encode one frame, shared by all viewers of its topic.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FRAMES_SKIPPED = Counter(
    "opsconsole_live_frames_skipped", "Frames left out because the one before was still being made."
)
FRAMES_FAILED = Counter("opsconsole_live_frames_failed", "Frames that could not be made; the log says why.")


class Tick:
    """Drives the topics of the console's hub.  Costs nothing while nobody looks.

    A topic is worked on by one task at a time: what takes longer than a step skips steps, and never piles up; what
    fails is logged, and the others do not notice.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scrape_ms = round(console.profile.scrape.total_seconds() * 1000)
        self._running: dict[Topic, asyncio.Task[None]] = {}
        self._beat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._beat = asyncio.create_task(self._run(), name="live tick")

    async def stop(self) -> None:
        """Return when no frame is being made any more."""
        tasks = [*([self._beat] if self._beat else []), *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def step(self) -> None:
        """Start a frame for every topic that is due, without waiting for it."""
        for topic in self._console.hub.topics():
            if topic in self._running:
                FRAMES_SKIPPED.inc()
            else:
                task = asyncio.create_task(self._push(topic), name="live frame")
                self._running[topic] = task
                task.add_done_callback(partial(self._forget, topic))

    async def settle(self) -> None:
        """Wait for the frames that are being made."""
        await asyncio.gather(*self._running.values())

    def _forget(self, topic: Topic, _task: asyncio.Task[None]) -> None:
        del self._running[topic]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._wait_ms() / 1000)
            self.step()

    async def _push(self, topic: Topic) -> None:
        began = time.perf_counter()
        try:
            async with topic.lock:
                now_ms = self._console.clock.now_ms()
                if not topic.mailboxes or not topic.feed.due(now_ms):
                    return
                frame = await database_sync_to_async(topic.feed.advance, thread_sensitive=False)(now_ms)
                topic.publish(frame)
        except Exception:
            FRAMES_FAILED.inc()
            log.exception("a live frame could not be made", topic=str(topic.key))
        else:
            FRAME_SECONDS.observe(time.perf_counter() - began)

    def _wait_ms(self) -> int:
        """Until the scrapes of the next interval have settled."""
        settled = settled_ms(self._console.clock.now_ms(), self._scrape_ms)
        return self._scrape_ms - settled % self._scrape_ms
