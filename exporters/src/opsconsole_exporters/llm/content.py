"""The bytes of a response as its reader needs them: unpacked, and no more of them than a bound."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

# An answer is smaller; a batch of embeddings is not, and then the end, where its usage stands, is all that is kept.
LARGEST_BODY = 1 << 20
TAIL = 1 << 14

_STEP = 1 << 16


class Unpacker:
    """Undoes gzip and deflate, piece by piece and at most ``_STEP`` bytes at a time.

    ``readable`` is False for an encoding that the standard library does not know (br, zstd); then nothing comes out.
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        self.readable = name in {"", "identity", "gzip", "x-gzip", "deflate"}
        self._inflate = None if name in {"", "identity"} else zlib.decompressobj(zlib.MAX_WBITS | 32)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        if not self.readable:
            return
        if self._inflate is None:
            yield piece
            return
        while piece:
            yield self._inflate.decompress(piece, _STEP)
            piece = self._inflate.unconsumed_tail


class Body:
    """A JSON document that comes in pieces."""

    def __init__(self, largest: int = LARGEST_BODY, tail: int = TAIL) -> None:
        self._largest = largest
        self._tail = tail
        self._held = bytearray()
        self._whole = True

    def feed(self, piece: bytes) -> None:
        self._held += piece
        if len(self._held) > (self._largest if self._whole else 2 * self._tail):
            self._whole = False
            del self._held[: -self._tail]

    def read(self) -> dict[str, Any] | None:
        """The document; of one too large only its ``usage``; None if there is neither."""
        if not self._whole:
            return self._usage()
        try:
            document = json.loads(self._held)
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def _usage(self) -> dict[str, Any] | None:
        before, found, after = bytes(self._held).rpartition(b'"usage"')
        if not found or before.endswith(b"\\"):
            return None
        text = after.decode(errors="replace").lstrip().removeprefix(":").lstrip()
        try:
            return {"usage": json.JSONDecoder().raw_decode(text)[0]}
        except ValueError:
            return None
