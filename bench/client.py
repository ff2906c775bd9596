"""A raw HTTP client: so cheap that what is measured is the server.  One kept connection; the body is read, not parsed."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

_CHUNK = 1 << 20
_IDLE_S = 30.0  # after which a server may close the connection while we ask; another one may take minutes to start


class Refused(Exception):
    """The server did not answer 200; one line."""


class Client:
    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80
        self._connect()
        lines = {"Host": parts.netloc, **(headers or {})}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used_s = time.monotonic()

    def get(self, target: str) -> bytes:
        """The body of a path with its query, still in chunks if the server sent chunks.  Raises ``Refused``."""
        return self._exchange(f"GET {target} HTTP/1.1\r\n{self._headers}\r\n".encode(), target)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\n{self._headers}{more}Content-Length: {len(body)}\r\n\r\n"
        return self._exchange(head.encode() + body, path)

    def json(self, target: str) -> dict[str, Any]:
        body = self.get(target)
        found: dict[str, Any] = orjson.loads(body if body.startswith(b"{") else _dechunked(body))
        return found

    def close(self) -> None:
        self._socket.close()

    def _exchange(self, request: bytes, target: str) -> bytes:
        if time.monotonic() - self._used_s > _IDLE_S:
            self._socket.close()
            self._connect()
        self._socket.sendall(request)
        answer = bytearray(self._read())
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._read()
        head = bytes(answer[:end]).lower()
        begin = end + 4
        if head[9:12] == b"204":
            return b""
        if b"content-length:" in head:
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            while len(answer) < begin + length:
                answer += self._read()
        else:
            while not answer.endswith(b"0\r\n\r\n"):  # JSON holds no line ends, so this is the last chunk
                answer += self._read()
        self._used_s = time.monotonic()
        body = bytes(answer[begin:])
        if head[9:12] != b"200":
            raise Refused(f"{head[9:12].decode()} for {target[:300]}: {body[:500].decode(errors='replace')}")
        return body

    def _read(self) -> bytes:
        part = self._socket.recv(_CHUNK)
        if not part:
            raise Refused("the server closed the connection")
        return part


def _dechunked(body: bytes) -> bytes:
    parts, at = [], 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[line + 2 : line + 2 + size])
        at = line + 4 + size
