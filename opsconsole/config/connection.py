"""A connection of the console: HTTP/1.1 by uvicorn's protocol, with the bounds it leaves to a proxy and a short way in.

uvicorn keeps what is hard right: parsing (llhttp), pipelining, keep-alive, chunked bodies, ``Expect``, back-pressure.  Its
ASGI task and two writes an answer cost more than a small query, so a request with a short body is handed to a thread as it
is, and its answer written at once.  All others, which are large pushes, go through ASGI.  A WebSocket goes to daphne.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

log = structlog.get_logger(__name__)

HEAD_BYTES = 64 << 10
HEAD_S = 20.0  # from its first byte to its last; also how long a new connection may say nothing
BODY_BYTES = 64_000_000  # twice what a receiver takes: it refuses the rest in the words of its own protocol
BODY_PAUSE_S = 30.0  # between two pieces of a body
IDLE_S = 120  # longer than proxies and Go's clients keep a connection, so that they close it first
SHORT_BODY = 64 << 10  # no more than uvicorn holds before it stops reading
PIPELINED = 100

Answer = Callable[[Any, bytes, threading.Event], tuple[int, list[tuple[bytes, bytes]], bytes]]
"""``answer(scope, body, cancelled)`` is status, headers and body; runs in a thread, and ``cancelled`` is set when the
client has gone.
"""


class Connection(HttpToolsProtocol):
    """One client; ``answer`` runs on ``pool``."""

    def __init__(self, config: Config, state: ServerState, answer: Answer, pool: ThreadPoolExecutor) -> None:
        super().__init__(config, state, {}, asyncio.get_running_loop())
        self._answer = answer
        self._pool = pool
        self._active: RequestResponseCycle | None = None  # whose answer a thread makes
        self._awaited: RequestResponseCycle | None = None  # whose short body is still coming
        self._cancelled = threading.Event()
        self._patience: asyncio.TimerHandle | None = None
        self._in_head = self._in_body = False
        self._received = 0  # bytes of the head or body that is coming

    @property
    def busy(self) -> bool:
        return self._active is not None or (self.cycle is not None and not self.cycle.response_complete)

    def cancel(self) -> None:
        """Give up whatever is under way."""
        self._cancelled.set()
        self.transport.abort()

    # The bounds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        self._cancelled.set()
        if self._active is not None:
            self._active.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        _say_date(self.server_state)
        was_in_head = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._received += len(data) if was_in_head else 0
            if self._received > HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too large")
            elif not was_in_head:
                self._wait(HEAD_S)
        elif self._in_body:
            self._wait(BODY_PAUSE_S)
        elif self._patience is not None:
            self._wait(None)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._received = True, 0

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body, self._received = False, True, 0
        if _length(self.headers) > BODY_BYTES or len(self.pipeline) >= PIPELINED:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"no more than {BODY_BYTES:,} bytes at once, please")
            raise _RefusedError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self._received > BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"no more than {BODY_BYTES:,} bytes at once, please")
            raise _RefusedError
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()
        if self._awaited is not None and not self._awaited.more_body:
            cycle, self._awaited = self._awaited, None
            self._hand_over(cycle)

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def handle_websocket_upgrade(self) -> None:
        self._wait(None)
        super().handle_websocket_upgrade()

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Say what is wrong and close; when an earlier answer is due, that is the last thing said."""
        if self.transport.is_closing():
            return
        due = self._active
        if due is None and self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body):
            due = self.cycle
        if due is not None:
            due.keep_alive = False
            self.pipeline.clear()
            self.flow.pause_reading()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = f"{sentence}\n".encode()
        self.transport.write(
            _head(status, self.server_state.default_headers, [(b"content-type", b"text/plain; charset=utf-8")], body)
            + b"connection: close\r\n\r\n"
            + body
        )
        self.transport.close()

    def _wait(self, seconds: float | None) -> None:
        """Close unless the client goes on within so many seconds; None stops waiting."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self._give_up, seconds)

    def _give_up(self, seconds: float) -> None:
        if self.flow.read_paused:  # it is we who do not read
            self._wait(seconds)
        else:
            self.transport.close()

    # The short way

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.waiting_for_100_continue or _length(cycle.scope["headers"]) > SHORT_BODY:
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._awaited = cycle
        else:
            self._hand_over(cycle)

    def _hand_over(self, cycle: RequestResponseCycle) -> None:
        self._active = cycle
        self._pool.submit(self._work, cycle, self.server_state.default_headers)

    def _work(self, cycle: RequestResponseCycle, defaults: list[tuple[bytes, bytes]]) -> None:
        """In a thread."""
        try:
            status, headers, body = self._answer(cycle.scope, bytes(cycle.body), self._cancelled)
        except Exception:
            log.exception("a request failed")
            status, headers, body = 500, [(b"content-type", b"text/plain")], b"Internal Server Error\n"
        head = _head(status, defaults, headers, body)
        if cycle.scope["method"] == "HEAD" or status in (204, 304):
            body = b""
        self.loop.call_soon_threadsafe(self._finish, cycle, head, body)

    def _finish(self, cycle: RequestResponseCycle, head: bytes, body: bytes) -> None:
        self._active = None
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        head += b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(head + body)
        if not cycle.keep_alive:
            self.transport.close()
        if self.flow.write_paused:  # a client that does not read gets no further answer made
            self.tasks.add(drained := self.loop.create_task(self._when_drained()))
            drained.add_done_callback(self.tasks.discard)
        else:
            self.on_response_complete()

    async def _when_drained(self) -> None:
        await self.flow.drain()
        self.on_response_complete()


class _RefusedError(Exception):
    """Stops the parser; the client has its answer."""


class ToDaphne(asyncio.Protocol):
    """What uvicorn's protocol hands a WebSocket to: the connection and its first request become daphne's.

    ``adopt(fd, family)`` is a Twisted protocol on a duplicate of the descriptor.
    """

    def __init__(self, adopt: Callable[[int, int], Any], **_: object) -> None:
        self._adopt = adopt

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        sock = self._transport.get_extra_info("socket")
        descriptor = os.dup(sock.fileno())
        family = sock.family
        self._transport.abort()  # type: ignore[attr-defined]
        try:
            self._adopt(descriptor, family).dataReceived(data)
        finally:
            os.close(descriptor)


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Bytes of the body that the headers announce; a chunked one may have any number."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else BODY_BYTES + 1
        if name == b"transfer-encoding":
            return SHORT_BODY + 1
    return 0


def _head(status: int, defaults: list[tuple[bytes, bytes]], headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Status line and headers, open for one more."""
    lines = [STATUS_LINE[status]]
    lines += [b"%b: %b\r\n" % pair for pair in defaults]
    lines += [b"%b: %b\r\n" % pair for pair in headers]
    if status not in (204, 304) and not any(name.lower() == b"content-length" for name, _ in headers):
        lines.append(b"content-length: %d\r\n" % len(body))
    return b"".join(lines)


_said_at = 0.0


def _say_date(state: ServerState) -> None:
    """Keep the ``Date`` of answers within a second of the truth, at no cost while nobody asks."""
    global _said_at
    if (now := asyncio.get_running_loop().time()) - _said_at >= 1 or not state.default_headers:
        _said_at = now
        state.default_headers = [(b"date", formatdate(usegmt=True).encode()), (b"server", b"opsconsole")]
