"""Numbers as Go reads them, one by one and many at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opsconsole.series.block import NAN_SAMPLE

_PLAIN = b"0123456789+-.eE"
_INFINITIES = (b"inf", b"infinity", b"+inf", b"+infinity")
_NAMED = {b"nan": NAN_SAMPLE, **dict.fromkeys(_INFINITIES, math.inf), b"-inf": -math.inf, b"-infinity": -math.inf}


class NotANumber(Exception):
    """``position``: which text it is."""

    def __init__(self, position: int) -> None:
        super().__init__(f"text {position} is not a number")
        self.position = position


def read_number(text: bytes) -> float | None:
    """What Go's ParseFloat reads, but for hexadecimals, which Prometheus refuses too; None for everything else.

    A NaN has the bits of ``NAN_SAMPLE``: it is a value that was sent, unlike the NaN of a series that is not there.
    """
    if text.translate(None, _PLAIN):  # also keeps off what Python alone reads: blanks, underscores, foreign digits
        return _NAMED.get(text.lower())
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None  # out of range


def read_numbers(texts: pa.LargeBinaryArray) -> NDArray[np.float64]:
    """Float64[N] of N texts, as ``read_number`` reads each.  Raises ``NotANumber`` for the first that is none."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)
    first, last = offsets[texts.offset], offsets[texts.offset + len(texts)]
    joined = memoryview(texts.buffers()[2] or b"")[first:last]
    if not bytes(joined).translate(None, _PLAIN):
        try:
            numbers: NDArray[np.float64] = texts.view(pa.large_string()).cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:  # a leading plus, which Arrow does not read, or no number at all
            pass
        else:
            if np.isfinite(numbers).all():
                return numbers
    return _one_by_one(texts.to_pylist())


def _one_by_one(texts: Sequence[bytes]) -> NDArray[np.float64]:
    numbers = np.empty(len(texts))
    for position, text in enumerate(texts):
        number = read_number(text)
        if number is None:
            raise NotANumber(position)
        numbers[position] = number
    return numbers
