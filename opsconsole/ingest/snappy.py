"""Snappy's block format, as remote write sends it.

Source: google/snappy, format_description.txt: a varint with the uncompressed length, then the compressed elements.
"""

from __future__ import annotations

import pyarrow as pa

from .limits import Malformed, TooLarge

_LONGEST_LENGTH = 5  # bytes of a varint of 32 bits


def unpack(body: bytes, limit_bytes: int) -> bytes:
    """The uncompressed body.  The declared length is checked first and is all that is ever written.

    Raises ``TooLarge`` and ``Malformed``.
    """
    length = _declared_length(body)
    if length > limit_bytes:
        raise TooLarge(f"the body has {length:,} bytes, more than {limit_bytes:,}; send smaller batches")
    if length == 0:
        return b""
    try:
        unpacked: bytes = pa.decompress(body, length, codec="snappy", asbytes=True)
    except (pa.ArrowException, OSError):
        raise Malformed("the body is no valid snappy block; is it cut off?") from None
    return unpacked


def _declared_length(body: bytes) -> int:
    length = 0
    for position, byte in enumerate(body[:_LONGEST_LENGTH]):
        length |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return length
    raise Malformed("the body is no valid snappy block: it does not begin with its length")
