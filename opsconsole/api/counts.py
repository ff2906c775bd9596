"""Rows of whole numbers as Prometheus' JSON, where all cells are some: gauges and counters as they stand often are.

Every cell gets the same room, with nothing before its digits, and what is nothing is left out at the end: digits are made
for all cells at once, a decimal place at a time, and no cell becomes an object of Python's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values

_BELOW = 1 << 32
_NOTHING = b"\0"
_FEW_CELLS = 256  # are not worth the start
_CELLS_AT_ONCE = 8192  # the text of so many stays in the processor's cache
_ZERO = np.uint8(ord("0"))


def are_counts(values: Values, present: Mask) -> bool:
    """Whether all that is present in float64[S, T] are whole numbers that fit, and enough to be worth it."""
    if values.size < _FEW_CELLS:
        return False
    with np.errstate(invalid="ignore"):  # where nothing is present, anything may stand
        fitting = (values >= 0) & (values < _BELOW) & (values == np.rint(values)) & ~np.signbit(values)
    return bool((fitting | ~present).all())


def rows_of(heads: Sequence[bytes], values: Values, present: Mask) -> Iterator[bytes]:
    """Each row of float64[S, T]: head, digits, head, digits; without the cells that are not ``present``.

    ``heads``: T texts of one length.
    """
    width, before = len(str(int(np.max(values, where=present, initial=0)))), len(heads[0])
    rows = max(1, _CELLS_AT_ONCE // len(heads))
    text = np.empty((min(rows, len(values)), len(heads), before + width), dtype=np.uint8)
    heading = np.frombuffer(b"".join(heads), dtype=np.uint8).reshape(len(heads), before)
    for first in range(0, len(values), rows):
        there = present[first : first + rows]
        cells = text[: len(there)]
        cells[:, :, :before] = heading
        left = np.where(there, values[first : first + rows], 0).astype(np.uint32)
        _write(left, cells[:, :, before:])
        if not there.all():
            cells[~there] = 0
        for row in cells:
            yield row.tobytes().translate(None, _NOTHING)


def _write(numbers: NDArray[np.uint32], places: NDArray[np.uint8]) -> None:
    """The digits of each number, on the right of its ``places``; nothing before them."""
    for place in range(places.shape[-1] - 1, -1, -1):
        left = numbers // 10
        digit = (numbers - left * 10).astype(np.uint8)
        digit += _ZERO
        if place < places.shape[-1] - 1:  # a zero has a digit, too
            digit *= numbers > 0
        places[..., place] = digit
        numbers = left
