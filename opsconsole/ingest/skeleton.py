"""A body as values between texts: while the texts stay as they were, the series are the same and only values are read.

Arrow compares and reads the pieces in place; no line of the body becomes a Python object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NEWLINE = ord("\n")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Of a body with R rows, which are lines with a sample.

    ``lines``: how many ends of a line the body has.  ``rows``: int64[R], which lines.  ``prefixes``: int64[R], how many
    bytes stand before the value in each.  ``pieces``: 2R + 1 pieces that make up the body, in turns a text and what stands
    from a value to the end of its line.
    """

    lines: int
    rows: NDArray[np.int64]
    prefixes: NDArray[np.int64]
    pieces: pa.LargeBinaryArray

    @classmethod
    def of(cls, body: bytes, rows: NDArray[np.int64], prefixes: NDArray[np.int64]) -> Skeleton | None:
        """None for a body whose last sample has no end of line, or that has no sample."""
        ends = _ends(body)
        if not len(rows) or rows[-1] >= len(ends):
            return None
        pieces = _cut(body, ends, rows, prefixes)
        return None if pieces is None else cls(len(ends), rows, prefixes, pieces)

    def fit(self, body: bytes) -> tuple[Skeleton, NDArray[np.intp]] | None:
        """(the same skeleton around ``body``, the rows that differ); None when more than values differ."""
        ends = _ends(body)
        if len(ends) != self.lines:
            return None
        pieces = _cut(body, ends, self.rows, self.prefixes)
        if pieces is None:
            return None
        same = pc.equal(pieces, self.pieces).to_numpy(zero_copy_only=False)
        if not same[0::2].all():
            return None
        return Skeleton(self.lines, self.rows, self.prefixes, pieces), np.flatnonzero(~same[1::2])

    def rests(self, rows: NDArray[np.intp]) -> pa.LargeBinaryArray:
        """What stands from the value on in ``rows``."""
        return self.pieces.take(pa.array(2 * rows + 1))


def _ends(body: bytes) -> NDArray[np.int64]:
    return np.flatnonzero(np.frombuffer(body, dtype=np.uint8) == _NEWLINE)


def _cut(
    body: bytes, ends: NDArray[np.int64], rows: NDArray[np.int64], prefixes: NDArray[np.int64]
) -> pa.LargeBinaryArray | None:
    """The pieces; None when a line is shorter than its prefix."""
    stops = ends[rows]
    starts = ends[rows - 1] + 1
    if rows[0] == 0:
        starts[0] = 0
    starts += prefixes
    if (starts > stops).any():
        return None
    offsets = np.empty(2 * len(rows) + 2, dtype=np.int64)
    offsets[0], offsets[-1] = 0, len(body)
    offsets[1:-1:2], offsets[2:-1:2] = starts, stops
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(body)]
    )
