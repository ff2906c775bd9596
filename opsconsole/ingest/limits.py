"""What may come in at once, and how it is unpacked without trusting its size."""

from __future__ import annotations

import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """``scrape_*`` hold for one scrape of one target, its bytes after decompression, ``label_*`` for one scraped series,
    its labels counted with name, job and instance; ``push_bytes`` for one pushed body after decompression.
    """

    scrape_bytes: int = 10_000_000
    scrape_samples: int = 50_000
    label_count: int = 100
    label_name_length: int = 200
    label_value_length: int = 4_000
    push_bytes: int = 32_000_000


class TooLarge(Exception):
    """A body over its limit; one line."""


class Malformed(Exception):
    """A body that is not what it says it is; one line."""


class UnsupportedEncoding(Exception):
    """A content type or encoding that is not accepted; one line that names those that are."""


def unpack(body: bytes, content_encoding: str, limit_bytes: int) -> bytes:
    """``body`` without its HTTP content encoding (``gzip``, ``deflate``, ``identity``).

    Stops at ``limit_bytes``, so that a small body that unpacks to gigabytes costs nothing.
    Raises ``TooLarge``, ``Malformed``, ``UnsupportedEncoding``.
    """
    match content_encoding.strip().lower():
        case "" | "identity":
            unpacked = body
        case "gzip" | "deflate":
            unpacked = _inflate(body, limit_bytes)
        case other:
            raise UnsupportedEncoding(f"content encoding {other!r} is not supported; send gzip or none")
    if len(unpacked) > limit_bytes:
        raise TooLarge(f"the body has more than {limit_bytes:,} bytes; send smaller batches")
    return unpacked


def _inflate(body: bytes, limit_bytes: int) -> bytes:
    out, rest = bytearray(), body
    try:
        while rest:  # a gzip file may have several members
            stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: tell gzip and zlib apart by the header
            out += stream.decompress(rest, limit_bytes + 1 - len(out))
            if len(out) > limit_bytes:
                return bytes(out)
            if not stream.eof:
                raise Malformed("the compressed body ends too early; send it again")
            rest = stream.unused_data
    except zlib.error as error:
        raise Malformed(f"the body is no valid gzip: {error}") from None
    return bytes(out)
