"""A connection of the console: HTTP/1.1 by uvicorn's protocol, with the bounds it leaves to a proxy and a short way in.

uvicorn keeps what is hard right: parsing (llhttp), pipelining, keep-alive, chunked bodies, ``Expect``, back-pressure.  Its
ASGI task and two writes an answer cost more than a small query, so a request with a short body is handed to a thread as it
is, and its answer written at once.  All others, which are large pushes, go through ASGI.  A WebSocket goes to daphne.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

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

_GET = re.compile(rb"GET (/[\w/.-]*)(?:\?([!\"$-~]*))? HTTP/1\.1")
"""A request line whose path stands for itself."""

Reply = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""


class Answers(Protocol):
    """``cancelled`` is set when the client has gone."""

    pool: ThreadPoolExecutor

    def answer(self, scope: Any, body: bytes, cancelled: threading.Event) -> Reply:
        """Runs on ``pool``."""
        ...

    def answer_at_once(self, scope: Any, body: bytes, cancelled: threading.Event) -> Reply | None:
        """Runs on the loop: no longer than a hop to a thread and back costs, or a few times that.  None: ask ``answer``."""
        ...


class Connection(HttpToolsProtocol):
    """One client."""

    def __init__(self, config: Config, state: ServerState, answers: Answers) -> None:
        super().__init__(config, state, {}, asyncio.get_running_loop())
        self._answers = answers
        self._fresh = False  # nothing that came with this piece of data was answered at once
        self._piece = b""  # the data that is being read
        self._before: tuple[bytes, Any] | None = None  # the headers and the scope of the last request answered at once
        self._spoke = 0.0  # when a request like it was answered, by the loop's clock
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
        if self._answered_as_before(data):
            return
        was_in_head = self._in_head
        self._fresh = True
        self._piece = data
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
            if not self._answered_at_once(cycle):
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

    def _answered_at_once(self, cycle: RequestResponseCycle) -> bool:
        """One request of those that come together, so that no client keeps the loop to itself."""
        if not self._fresh or self.flow.write_paused:
            return False
        self._fresh = False
        reply = self._answers.answer_at_once(cycle.scope, bytes(cycle.body), self._cancelled)
        if reply is None:
            return False
        self._finish(cycle, *_written(cycle.scope["method"], self.server_state.default_headers, reply))
        line, _, headers = self._piece.partition(b"\r\n")
        if (
            cycle.keep_alive
            and not cycle.body
            and _GET.fullmatch(line)
            and headers.find(b"\r\n\r\n") == len(headers) - 4
        ):
            self._before = headers, cycle.scope
        return True

    def _answered_as_before(self, data: bytes) -> bool:
        """A client that keeps its connection sends the same headers with every request.  What they mean was found out
        when they came first, so that only the address is left to read: half of what a small query would cost otherwise.
        """
        if self._before is None or self.busy or self._in_head or self._in_body or self.flow.write_paused:
            return False
        headers, scope = self._before
        line, _, rest = data.partition(b"\r\n")
        if rest != headers or (asked := _GET.fullmatch(line)) is None:
            return False
        path, query = asked.groups(b"")
        reply = self._answers.answer_at_once(
            {**scope, "path": path.decode(), "raw_path": path, "query_string": query}, b"", self._cancelled
        )
        if reply is None:
            return False
        head, body = _written("GET", self.server_state.default_headers, reply)
        self.transport.write(b"%b\r\n%b" % (head, body))
        self._spoke = self.loop.time()
        return True

    def timeout_keep_alive_handler(self) -> None:
        """Its timer was set by the last request that was not answered as before."""
        left = self._spoke + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _hand_over(self, cycle: RequestResponseCycle) -> None:
        self._active = cycle
        self._answers.pool.submit(self._work, cycle, self.server_state.default_headers)

    def _work(self, cycle: RequestResponseCycle, defaults: list[tuple[bytes, bytes]]) -> None:
        """In a thread."""
        try:
            reply = self._answers.answer(cycle.scope, bytes(cycle.body), self._cancelled)
        except Exception:
            log.exception("a request failed")
            reply = 500, [(b"content-type", b"text/plain")], b"Internal Server Error\n"
        self.loop.call_soon_threadsafe(self._finish, cycle, *_written(cycle.scope["method"], defaults, reply))

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


def _written(method: str, defaults: list[tuple[bytes, bytes]], reply: Reply) -> tuple[bytes, bytes]:
    """Head, open for one more header, and body."""
    status, headers, body = reply
    head = _head(status, defaults, headers, body)
    return head, b"" if method == "HEAD" or status in (204, 304) else body


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
