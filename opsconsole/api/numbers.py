"""Numbers and instants as Prometheus' JSON writes them, one by one and in columns.

A point of a vector or matrix is written in Go's shortest form, with an exponent below 1e-6 and from 1e21; a scalar is
never given one.  Source: Prometheus 3, util/jsonutil/marshal.go and promql/value.go; compared with Debian's 2.42.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import orjson

from opsconsole.series.block import Mask, Timestamps, Values

_NOT_FINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
_EXPONENT_BELOW, _EXPONENT_FROM = 1e-6, 1e21
_ORJSON_PLAIN_FROM, _ORJSON_PLAIN_BELOW = 1e-5, 1e16  # within, orjson writes no exponent
_FEW_CELLS = 16  # are not worth the start
_CELLS_AT_ONCE = 8192  # the digits of so many stay in the processor's cache


def number(value: float) -> str:
    """The shortest text that reads back the same, as a point's value."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" in text and _EXPONENT_BELOW <= abs(value) < _EXPONENT_FROM:
        return f"{Decimal(text):f}"
    return _NOT_FINITE.get(text, text)


def plain(value: float) -> str:
    """The same without ever an exponent, as a scalar's value."""
    text = number(value)
    return f"{Decimal(text):f}" if "e" in text else text


def numbers(values: Values) -> Iterator[list[bytes]]:
    """``number`` of every cell of float64[S, T], T > 0, row by row, at a small fraction of its price."""
    if values.size <= _FEW_CELLS:
        yield from ([number(value).encode() for value in row] for row in values.tolist())
        return
    rows = max(1, _CELLS_AT_ONCE // values.shape[1])
    for start in range(0, len(values), rows):
        yield from _numbers(np.ascontiguousarray(values[start : start + rows]))


def _numbers(values: Values) -> Iterator[list[bytes]]:
    magnitude = np.abs(values)
    alike: Mask = (magnitude >= _ORJSON_PLAIN_FROM) & (magnitude < _ORJSON_PLAIN_BELOW)
    alike |= (magnitude == 0) & ~np.signbit(values)
    as_orjson = np.logical_and.reduce(alike, axis=1).tolist()
    with np.errstate(invalid="ignore"):  # where nothing is present, anything may stand
        whole = np.equal(values, np.rint(values))
    if whole.all() and all(as_orjson):  # gauges and counters often are; their digits cost a third
        text = orjson.dumps(values.astype(np.int64), option=orjson.OPT_SERIALIZE_NUMPY)
    else:
        text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
        if whole.any():
            text = text.replace(b".0,", b",").replace(b".0]", b"]")
    for row, digits in enumerate(text[2:-2].split(b"],[")):
        cells = digits.split(b",")
        if not as_orjson[row]:
            for column in np.flatnonzero(~alike[row]).tolist():
                cells[column] = number(float(values[row, column])).encode()
        yield cells


def seconds(at_ms: int) -> str:
    """Unix seconds with as many of the three decimals as it takes."""
    sign, (whole, rest) = "-" if at_ms < 0 else "", divmod(abs(at_ms), 1000)
    return f"{sign}{whole}.{rest:03d}".rstrip("0") if rest else f"{sign}{whole}"


def instants(timestamps: Timestamps) -> list[bytes]:
    """``seconds`` of every instant: most queries ask for instants with the same fraction of a second."""
    if timestamps.size and timestamps.min() >= 0 and not (np.diff(timestamps) % 1000).any():
        fraction = seconds(int(timestamps[0]) % 1000)[1:].encode()  # without the leading 0
        return [b"%d%b" % (whole, fraction) for whole in (timestamps // 1000).tolist()]
    return [seconds(at_ms).encode() for at_ms in timestamps.tolist()]
