"""A client that keeps the books: it asks over many connections at once and counts what was really answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

TIMEOUT_S = 60


@dataclass
class Books:
    """The truth about one run.  ``answered`` by path and status; ``unanswered``: by path, connections that broke."""

    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)

    def of(self, path: str) -> int:
        return sum(count for (asked, _), count in self.answered.items() if asked == path)

    def with_status(self, status: int) -> int:
        return sum(count for (_, answered), count in self.answered.items() if answered == status)


def interrupted(paths: Iterable[str], acts: Mapping[int, Callable[[], None]]) -> Iterator[str]:
    """The same paths; on the way to the n-th of them ``acts[n]`` happens, while other requests are under way."""
    for number, path in enumerate(paths):
        if number in acts:
            acts[number]()
        yield path


def ask(port: int, paths: Iterable[str], books: Books | None = None, connections: int = 8) -> Books:
    """Send one GET for each path, each once: what breaks off is not asked again.  Goes on in ``books`` if given."""
    books = Books() if books is None else books
    asyncio.run(_ask(port, iter(paths), books, connections))
    return books


async def _ask(port: int, paths: Iterator[str], books: Books, connections: int) -> None:
    await asyncio.gather(*(_converse(port, paths, books) for _ in range(connections)))


async def _converse(port: int, paths: Iterable[str], books: Books) -> None:
    """One connection after the other; kept for as long as the server keeps it."""
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for path in paths:
        if stream is None:
            stream = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = stream
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            status, keep = await asyncio.wait_for(_answer(reader), TIMEOUT_S)
        except (OSError, asyncio.IncompleteReadError):
            books.unanswered[path] += 1
            keep = False
        else:
            books.answered[path, status] += 1
        if not keep:
            writer.close()
            stream = None
    if stream is not None:
        stream[1].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status of one answer that has been read to its end, and whether the connection goes on."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length:" in head:
        await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    elif b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    return int(head[9:12]), b"connection: close" not in head
