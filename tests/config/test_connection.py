"""A connection's patience, over real sockets, with seconds cut down to fractions: what goes on too slowly is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from threading import Event
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from opsconsole.config import connection
from opsconsole.config.connection import Connection, Reply

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


QUICK = b"GET /quick?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Answers:
    """With what was asked, or with the length of the body; ``/quick`` at once where that may be."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def answer(self, scope: Any, body: bytes, cancelled: Event) -> Reply:
        return 200, [(b"content-type", b"text/plain")], scope["query_string"] or b"%d bytes" % len(body)

    def answer_at_once(self, scope: Any, body: bytes, cancelled: Event) -> Reply | None:
        if scope["path"] != "/quick":
            return None
        return self.answer(scope, body, cancelled)


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no request here takes the long way")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``patience(HEAD_S=0.1)``; what is not named lasts longer than the test."""

    def cut(**seconds: float) -> None:
        for name in ("HEAD_S", "BODY_PAUSE_S"):
            monkeypatch.setattr(connection, name, seconds.get(name, 3600.0))

    return cut


@asynccontextmanager
async def connected(idle_s: float = 3600) -> AsyncIterator[Streams]:
    """One client of a listener whose connections close after so many idle seconds."""
    config = Config(nothing, lifespan="off", log_config=None, access_log=False, timeout_keep_alive=idle_s)  # type: ignore[arg-type]
    state = ServerState()
    with ThreadPoolExecutor(1) as pool:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(config, state, Answers(pool)), "127.0.0.1", 0
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            yield reader, writer
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            for one in list(state.connections):
                one.transport.abort()
            await asyncio.sleep(0)


async def received(reader: asyncio.StreamReader) -> bytes:
    """Everything until the other side closes."""
    try:
        return await reader.read()
    except ConnectionError:  # closed with bytes of ours unread
        return b""


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Byte by byte, again and again, for as long as the other side takes them."""
    with suppress(ConnectionError):
        while not writer.is_closing():
            for byte in text:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.01)


async def test_who_says_nothing_is_closed(patience: Callable[..., None]) -> None:
    patience(HEAD_S=0.1)
    async with connected() as (reader, _):
        assert await received(reader) == b""


async def test_a_head_that_drips_does_not_last_longer(patience: Callable[..., None]) -> None:
    patience(HEAD_S=0.3)
    async with connected() as (reader, writer):
        dripping = asyncio.create_task(drip(writer, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000))
        assert await received(reader) == b""
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_second_head_has_no_more_time_than_the_first(patience: Callable[..., None]) -> None:
    patience(HEAD_S=0.3)
    async with connected() as (reader, writer):
        writer.write(GET + b"GET / HT")
        assert (await received(reader)).endswith(b"\r\n\r\n0 bytes")


async def test_a_body_that_stops_coming_is_not_waited_for(patience: Callable[..., None]) -> None:
    patience(BODY_PAUSE_S=0.1)
    async with connected() as (reader, writer):
        writer.write(POST + b"x" * 999)
        assert await received(reader) == b""


async def test_a_body_that_comes_in_pieces_is_taken(patience: Callable[..., None]) -> None:
    patience()
    async with connected() as (reader, writer):
        writer.write(POST)
        for _ in range(10):
            writer.write(b"x" * 100)
            await writer.drain()
            await asyncio.sleep(0.01)
        assert await reader.readuntil(b"1000 bytes")
        writer.write(GET)
        assert await reader.readuntil(b"0 bytes"), "and the connection is kept"


async def test_an_idle_connection_is_closed_after_its_answer(patience: Callable[..., None]) -> None:
    patience()
    async with connected(idle_s=0.1) as (reader, writer):
        writer.write(GET)
        assert (await received(reader)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_answers_at_once_keep_a_connection_open_and_silence_closes_it(patience: Callable[..., None]) -> None:
    patience()
    async with connected(idle_s=0.3) as (reader, writer):
        for number in range(12):
            writer.write(QUICK % number)
            assert await reader.readuntil(b"n=%d" % number)
            await asyncio.sleep(0.05)
        assert await received(reader) == b""


async def test_requests_at_once_and_others_take_turns_in_any_pieces(patience: Callable[..., None]) -> None:
    patience()
    async with connected() as (reader, writer):
        for number in range(4):
            for piece in (QUICK % number, (QUICK % 7)[:20], (QUICK % 7)[20:], GET + QUICK % 8 + QUICK % 9, QUICK % 6):
                writer.write(piece)
                await asyncio.sleep(0.01)
            wanted = (b"n=%d" % number, b"n=7", b"0 bytes", b"n=8", b"n=9", b"n=6")
            for end in wanted:
                said = await reader.readuntil(end)
                assert said.count(b"HTTP/1.1 200 OK") == 1
