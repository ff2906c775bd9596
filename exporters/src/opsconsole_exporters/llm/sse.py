"""Server-sent events out of bytes as they come: the data of each event, in bounded memory.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# An event holds a few tokens, and the last of the Responses API the whole answer.
LARGEST = 1 << 20

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventReader:
    """Feed it pieces of any size.  An event larger than ``largest`` bytes is left out, and those after it are read."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that ``piece`` completes."""
        lines = _LINE_END.split(self._rest + piece)
        # A carriage return at the end may be half of an end of line: it waits for what follows.
        self._rest = lines.pop()
        if not self._rest and piece.endswith(b"\r") and lines:
            self._rest = lines.pop() + b"\r"
        if len(self._rest) > self._largest:
            self._rest = b""
            self._skipping = True
        for line in lines:
            if (event := self._line(line)) is not None:
                yield event

    def close(self) -> Iterator[bytes]:
        """An event that no empty line has ended, as some servers leave their last one."""
        for line in (self._rest.rstrip(b"\r"), b""):
            if (event := self._line(line)) is not None:
                yield event
        self._rest = b""

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            data, skipped = self._data, self._skipping
            self._data, self._size, self._skipping = [], 0, False
            return b"\n".join(data) if data and not skipped else None
        if line.startswith(b"data:") and not self._skipping:
            value = line[5:].removeprefix(b" ")
            self._size += len(value)
            if self._size > self._largest:
                self._data, self._skipping = [], True
            else:
                self._data.append(value)
        return None
