"""The relay: what concerns everybody who has a page open, in whichever web process.

Each process receives once from the channel layer and hands on to its own sockets through the hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from channels.layers import get_channel_layer

from .hub import Hub

log = structlog.get_logger(__name__)

GROUP = "opsconsole.everybody"
_REJOIN_S = 3600.0  # a layer forgets its members after a day
_AFTER_FAILURE_S = 2.0


class Relay:
    """``publish`` is how the browser channel and others say something to everybody; between ``start`` and ``stop`` this
    process' sockets get what was said in any process.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._layer = get_channel_layer()
        self._receiver: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()

    async def start(self) -> None:
        """Return once what is published is heard; a layer that is away does not hold up the start."""
        self._receiver = asyncio.create_task(self._run(), name="live relay")
        await self._tried.wait()

    async def stop(self) -> None:
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)

    async def publish(self, message: Mapping[str, Any]) -> None:
        """Send ``message``, a server message of the live protocol, to every socket of every process.

        When the channel layer does not take it, this process' own viewers still get it.
        """
        try:
            await self._layer.group_send(GROUP, dict(message))
        except Exception:
            log.exception("the channel layer took no message; only this process' viewers see it")
            self._broadcast(message)

    async def _run(self) -> None:
        while True:
            try:
                await self._receive()
            except Exception:
                log.exception("the channel layer is away; trying again", seconds=_AFTER_FAILURE_S)
                self._tried.set()
                await asyncio.sleep(_AFTER_FAILURE_S)

    async def _receive(self) -> None:
        channel = await self._layer.new_channel()
        try:
            while True:
                await self._layer.group_add(GROUP, channel)
                self._tried.set()
                try:
                    async with asyncio.timeout(_REJOIN_S):
                        while True:
                            self._broadcast(await self._layer.receive(channel))
                except TimeoutError:
                    continue
        finally:
            await self._layer.group_discard(GROUP, channel)

    def _broadcast(self, message: Mapping[str, Any]) -> None:
        self._hub.broadcast(orjson.dumps(message).decode())
