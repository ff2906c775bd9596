"""The WebSocket at ``/ws/live``: one page, one socket, one subscription."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from opsconsole.operations.boards import watch
from opsconsole.operations.console import Console, current

from .feed import BoardFeed
from .hub import Mailbox
from .messages import Resync, Subscribe, Unsubscribe, parse

log = structlog.get_logger(__name__)

NOT_SIGNED_IN = 4401
NOT_RUNNING = 1013  # "try again later"


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """Authorise, subscribe, forward.  Everything that is sent goes through the socket's mailbox, so that frames keep their
    order and a slow reader holds up nobody.
    """

    # No such layer, on purpose: the hub brings frames, and a channel a socket would cost a receive loop each.
    channel_layer_alias = "none"

    _console: Console
    _mailbox: Mailbox | None = None
    _sender: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # also when the server cancels us without a disconnect
            if self._mailbox is not None:
                self._console.hub.close(self._mailbox)
            if self._sender is not None:
                self._sender.cancel()
                await asyncio.gather(self._sender, return_exceptions=True)

    async def connect(self) -> None:
        await self.accept()  # a socket refused before this tells the browser no code
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(NOT_SIGNED_IN)
            return
        try:
            self._console = current()
        except RuntimeError:
            await self.close(NOT_RUNNING)
            return
        self._mailbox = self._console.hub.open()
        self._sender = asyncio.create_task(self._forward(self._mailbox), name="live sender")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        if self._mailbox is None:
            return  # closed by us; the client has not noticed yet
        try:
            if text_data is None:
                raise ValueError("message is binary; send JSON as text")  # noqa: TRY301  told like every other mistake
            match parse(text_data):
                case Subscribe() as subscribe:
                    await self._subscribe(self._mailbox, subscribe)
                case Resync():
                    await self._send_snapshot(self._mailbox)
                case Unsubscribe():
                    self._console.hub.unsubscribe(self._mailbox)
        except ValueError as error:
            self._say_error(self._mailbox, str(error))
        except Exception:
            log.exception("a live message failed")
            self._say_error(self._mailbox, "the console could not answer; its log says why")

    async def _subscribe(self, mailbox: Mailbox, wanted: Subscribe) -> None:
        board = self._console.boards.get(wanted.board)
        if board is None:
            raise ValueError(f"board {wanted.board[:60]!r} is unknown; there are {', '.join(self._console.boards)}")
        key = watch(self._console, board, wanted.range, wanted.variables)
        self._console.hub.subscribe(mailbox, key, lambda: BoardFeed(self._console, key))
        await self._send_snapshot(mailbox)

    async def _send_snapshot(self, mailbox: Mailbox) -> None:
        topic = self._console.hub.topic(mailbox)
        if topic is None:
            raise ValueError("nothing to resync; subscribe first")
        async with topic.lock:
            snapshot = database_sync_to_async(topic.feed.snapshot, thread_sensitive=False)
            mailbox.put(await snapshot())

    async def _forward(self, mailbox: Mailbox) -> None:
        try:
            while True:
                for text in await mailbox.take():
                    await self.send(text_data=text)
        except Exception as error:  # noqa: BLE001  every server has its own for a socket that is gone
            log.debug("a socket took no more frames", error=repr(error))

    @staticmethod
    def _say_error(mailbox: Mailbox, message: str) -> None:
        mailbox.notice(orjson.dumps({"type": "error", "message": message}).decode())
