"""Blocks as Prometheus remote-write requests, quickly: how the benchmarks fill the peers.

The protobuf is built by hand because a sample of a block always has the same shape: 18 bytes, of which numpy writes
millions at once.  Staleness markers go along.  Source: Prometheus, prompb/remote.proto and types.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from opsconsole.series.block import Block, is_sample, is_stale
from opsconsole.series.labels import Labels

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_COLUMNS = 20  # scrapes a request: five minutes, because a head takes nothing an hour older than its newest
_SERIES = 10_000
_SAMPLE = np.dtype([("head", "V3"), ("value", "<f8"), ("key", "u1"), ("millis", "u1", 6)])  # with its tag and length


def requests(blocks: Sequence[Block]) -> Iterator[bytes]:
    """Bodies in the order of time."""
    names = [[_labels(labels) for labels in block.labels] for block in blocks]
    for first in range(0, max(block.timestamps.size for block in blocks), _COLUMNS):
        parts: list[bytes] = []
        for block, labels in zip(blocks, names, strict=True):
            parts += _series(block, labels, slice(first, first + _COLUMNS))
            if len(parts) >= _SERIES:
                yield _snappy(b"".join(parts))
                parts = []
        if parts:
            yield _snappy(b"".join(parts))


def _series(block: Block, names: Sequence[bytes], columns: slice) -> Iterator[bytes]:
    values = block.values[:, columns]
    told = is_sample(values) | is_stale(values)
    samples = np.empty(values.shape, dtype=_SAMPLE)
    samples["head"] = np.void(bytes((0x12, 16, 0x09)))
    samples["value"] = values
    samples["key"] = 0x10
    samples["millis"] = _varints(block.timestamps[columns])
    for name, row, mask in zip(names, samples, told, strict=True):
        if mask.any():
            body = name + row[mask].tobytes()
            yield b"\x0a" + _varint(len(body)) + body


def _varints(timestamps: np.ndarray) -> np.ndarray:
    """uint8[P, 6]: what milliseconds take from 2004 to 2109."""
    groups = (timestamps[:, np.newaxis] >> (7 * np.arange(6))) & 0x7F
    groups[:, :5] |= 0x80
    return groups.astype(np.uint8)


def _labels(labels: Labels) -> bytes:
    return b"".join(_field(0x0A, _field(0x0A, name.encode()) + _field(0x12, value.encode())) for name, value in labels)


def _field(tag: int, body: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _snappy(body: bytes) -> bytes:
    """One literal, which is valid snappy; nothing is gained by compressing on one machine."""
    return _varint(len(body)) + b"\xfc" + (len(body) - 1).to_bytes(4, "little") + body
