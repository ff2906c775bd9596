"""WebSocket connections of a Channels service: open, opened, closed, messages, and how long they last.

Channels' consumers are watched without a line of the service.  For WebSockets that are not a consumer's put
``WebSocketMetrics`` around the ASGI application; where both stand around a connection, it counts once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from functools import wraps
from time import perf_counter
from typing import Any

from opsconsole_exporters import metrics, workerprocess
from opsconsole_exporters.catalog import http as names
from opsconsole_exporters.shield import shield, shielded

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_WATCHED = "opsconsole.websocket"
_UNNAMED = "<no consumer>"


class CodeClass(StrEnum):
    """Classes of close codes; a client may send any of thousands."""

    NORMAL = "normal"
    GOING_AWAY = "going_away"
    NO_CODE = "no_code"
    ABNORMAL = "abnormal"
    PROTOCOL = "protocol"
    APPLICATION = "application"
    REJECTED = "rejected"
    FAILED = "failed"

    @classmethod
    def of(cls, code: int) -> CodeClass:
        named = {1000: cls.NORMAL, 1001: cls.GOING_AWAY, 1005: cls.NO_CODE, 1006: cls.ABNORMAL}
        return named.get(code) or (cls.APPLICATION if code >= 3000 else cls.PROTOCOL)


class Connection:
    """One WebSocket, from its handshake to the first of its ends."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self._accepted_at: float | None = None
        self._ended = False
        self._sent: Any = None
        self._received: Any = None

    @shielded("WebSocket metrics")
    def saw_sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            if self._sent is not None:
                self._sent.inc()
        elif kind == "websocket.accept" and self._accepted_at is None:
            self._accept()
        elif kind == "websocket.close":
            self.end(CodeClass.of(message.get("code") or 1000))
        elif kind == "websocket.http.response.start":
            self.end(CodeClass.REJECTED)

    @shielded("WebSocket metrics")
    def saw_received(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.receive":
            if self._received is not None:
                self._received.inc()
        elif kind == "websocket.disconnect":
            self.end(CodeClass.of(message.get("code") or 1005))

    @shielded("WebSocket metrics")
    def end(self, code: CodeClass) -> None:
        """Count the end; whatever is said later (a client answers a close with a close) is of one that has ended."""
        if self._ended:
            return
        self._ended = True
        if self._accepted_at is None:
            code = CodeClass.FAILED if code is CodeClass.FAILED else CodeClass.REJECTED
        else:
            metrics.gauge(names.WEBSOCKETS_OPEN).labels(self.consumer).dec()
            lasted = perf_counter() - self._accepted_at
            metrics.histogram(names.WEBSOCKET_DURATION).labels(self.consumer).observe(lasted)
        metrics.counter(names.WEBSOCKETS_CLOSED).labels(self.consumer, code).inc()

    def _accept(self) -> None:
        self._accepted_at = perf_counter()
        metrics.gauge(names.WEBSOCKETS_OPEN).labels(self.consumer).inc()
        metrics.counter(names.WEBSOCKETS_OPENED).labels(self.consumer).inc()
        messages = metrics.counter(names.WEBSOCKET_MESSAGES)
        self._sent = messages.labels(self.consumer, "sent")
        self._received = messages.labels(self.consumer, "received")


class WebSocketMetrics:
    """ASGI middleware: ``application = WebSocketMetrics(application)``."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await _watched(self._application, scope, receive, send, _UNNAMED)


def observe_consumers() -> None:
    """Stand around every consumer of Channels; its class is what a URL pattern is for a view."""
    from channels.consumer import AsyncConsumer

    call = AsyncConsumer.__call__

    @wraps(call)
    async def watched(self: Any, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
            await call(self, scope, receive, send)

        consumer = type(self)
        await _watched(application, scope, receive, send, f"{consumer.__module__}.{consumer.__qualname__}")

    AsyncConsumer.__call__ = watched


async def _watched(
    application: Application, scope: MutableMapping[str, Any], receive: Receive, send: Send, consumer: str
) -> None:
    outer = scope.get(_WATCHED)
    if scope["type"] != "websocket" or outer is not None:
        if outer is not None and consumer != _UNNAMED:
            outer.consumer = consumer
        await application(scope, receive, send)
        return
    workerprocess.ensure_started()
    connection = Connection(consumer)

    async def receive_watched() -> Message:
        message = await receive()
        connection.saw_received(message)
        return message

    async def send_watched(message: Message) -> None:
        await send(message)
        connection.saw_sent(message)

    try:
        await application({**scope, _WATCHED: connection}, receive_watched, send_watched)
    except asyncio.CancelledError:
        # The server gave up on it: it stops, or the client has vanished without a word.
        connection.end(CodeClass.ABNORMAL)
        raise
    except Exception:
        connection.end(CodeClass.FAILED)
        raise
    else:
        with shield("WebSocket metrics"):
            connection.end(CodeClass.NORMAL)
