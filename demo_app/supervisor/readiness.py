"""Ways to ask a part whether it is up.  Each asks once, on loopback, and answers within ``TIMEOUT_S``."""

from __future__ import annotations

import asyncio
from pathlib import Path

from .part import Ready

TIMEOUT_S = 10.0
"""Long, because the first request is the slow one: giving up on it and asking again would only make more of them."""


def http(port: int, path: str) -> Ready:
    """Ready when ``GET path`` answers 200."""

    async def ask() -> bool:
        reply = await _exchange(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return reply.split(" ")[1:2] == ["200"]

    return ask


def valkey(port: int) -> Ready:
    """Ready when it answers a PING, if only to say that it wants a password."""

    async def ask() -> bool:
        return (await _exchange(port, "PING\r\n")).startswith(("+PONG", "-NOAUTH"))

    return ask


def postgres(data_dir: Path) -> Ready:
    """Ready when the postmaster says so in the last line of its pid file, which is how ``pg_ctl -w`` knows."""

    async def ask() -> bool:
        try:
            lines = (data_dir / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    return ask


def touched(ready_file: Path) -> Ready:
    """Ready when the part has made the file: for processes that listen on no port."""
    exists = ready_file.exists

    async def ask() -> bool:
        return exists()

    return ask


async def _exchange(port: int, request: str) -> str:
    """Return the first line of the answer, or an empty string when there is none."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request.encode())
                return (await reader.readline()).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return ""
