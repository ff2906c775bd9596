"""Prometheus' JSON, as its clients expect it to the letter: values are texts in Go's shortest form.

Source: Prometheus 3, web/api/v1/api.go and util/jsonutil/marshal.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import compress

import numpy as np
import orjson

from opsconsole.promql.result import Matrix
from opsconsole.series.block import Timestamps
from opsconsole.series.labels import Labels

from . import counts
from .answer import Answer
from .numbers import instants, numbers, plain, seconds

NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: it has not happened yet."""


class ErrorType(StrEnum):
    """Why there is no answer; each has its HTTP status."""

    BAD_DATA = "bad_data"
    EXECUTION = "execution"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    METHOD_NOT_ALLOWED = "method_not_allowed"

    @property
    def status(self) -> int:
        return _STATUS[self]


_STATUS = {
    ErrorType.BAD_DATA: 400,
    ErrorType.EXECUTION: 422,
    ErrorType.TIMEOUT: 503,
    ErrorType.CANCELED: 499,  # the client closed the connection, as nginx and Prometheus say it
    ErrorType.UNAVAILABLE: 503,
    ErrorType.INTERNAL: 500,
    ErrorType.NOT_FOUND: 404,
    ErrorType.UNAUTHORIZED: 401,
    ErrorType.FORBIDDEN: 403,
    ErrorType.METHOD_NOT_ALLOWED: 405,
}


def success(data: bytes | object, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> Answer:
    """``data`` is JSON already when it is bytes.  ``warnings`` and ``infos`` are left out when there are none."""
    encoded = data if isinstance(data, bytes) else orjson.dumps(data)
    for name, sentences in ((b"warnings", warnings), (b"infos", infos)):
        if sentences:
            encoded += b',"' + name + b'":' + orjson.dumps(list(sentences))
    return Answer(b'{"status":"success","data":%b}' % encoded)


def nothing() -> Answer:
    """There is no answer, and none is needed."""
    return Answer(b"", 204)


def failure(error_type: ErrorType, message: str) -> Answer:
    line = " ".join(message.split()).encode(errors="replace").decode()  # a lone surrogate has no JSON
    body = {"status": "error", "errorType": error_type.value, "error": line}
    answer = Answer(orjson.dumps(body), error_type.status)
    return answer.saying(("WWW-Authenticate", "Bearer")) if error_type is ErrorType.UNAUTHORIZED else answer


def matrix(result: Matrix) -> bytes:
    """A range query's data: series as they stand, each a list of [seconds, text].

    Digits are made for all rows at once and woven between the instants, which are the same for every row.
    """
    heads = _heads(result.timestamps)
    if counts.are_counts(result.values, result.present) and len(set(map(len, heads))) == 1:
        rows = counts.rows_of(heads, result.values, result.present)
    else:
        rows = _rows(heads, result)
    return _data(
        "matrix",
        [
            b'{"metric":%b,"values":[%b"]]}' % (_metric(labels), row[3:])
            for labels, row in zip(result.labels, rows, strict=True)
        ],
    )


def _rows(heads: Sequence[bytes], result: Matrix) -> Iterator[bytes]:
    points = [b""] * (2 * len(heads))
    points[::2] = heads
    complete = np.logical_and.reduce(result.present, axis=1).tolist()
    for row, texts in enumerate(numbers(result.values)):
        points[1::2] = texts
        yield b"".join(points if complete[row] else compress(points, np.repeat(result.present[row], 2).tolist()))


def _heads(timestamps: Timestamps) -> list[bytes]:
    """What stands before each point.  The panels of a board ask for the same instants, and a step later for nearly all of
    them again.
    """
    asked = timestamps.tolist()
    try:
        return [_HEADS[at_ms] for at_ms in asked]
    except KeyError:
        if len(_HEADS) > _HEADS_KEPT:
            _HEADS.clear()
    heads = [b'"],[%b,"' % instant for instant in instants(timestamps)]
    _HEADS.update(zip(asked, heads, strict=True))
    return heads


def vector(result: Matrix) -> bytes:
    """An instant query's data, in the order the engine gave: ``sort()`` means something."""
    (texts,) = numbers(result.values[:, -1:].T) if result.labels else ([],)
    value = b',"value":[%b,"' % seconds(int(result.timestamps[-1])).encode()
    rows = zip(result.labels, texts, strict=True)
    return _data("vector", [b'{"metric":%b%b%b"]}' % (_metric(labels), value, text) for labels, text in rows])


def scalar(at_ms: int, value: float) -> bytes:
    return f'{{"resultType":"scalar","result":[{seconds(at_ms)},"{plain(value)}"]}}'.encode()


def exponential(value: float) -> str:
    """``1.5e+00``, as alerts give their values."""
    text = _NOT_FINITE.get(repr(value))
    if text is not None:
        return text
    digits = Decimal(repr(value)).normalize().as_tuple().digits
    return f"{value:.{len(digits) - 1}e}"


def rfc3339(at_ms: int) -> str:
    """UTC with milliseconds: ``2025-11-24T16:00:00.250Z``."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).replace(tzinfo=None)
    return f"{moment.isoformat()}.{at_ms % 1000:03d}Z"


_NOT_FINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
_HEADS_KEPT = 50_000  # about 7 MB
_HEADS: dict[int, bytes] = {}
_METRICS_KEPT = 50_000  # about 20 MB
_METRICS: dict[int, tuple[Labels, bytes]] = {}


def _metric(labels: Labels) -> bytes:
    """Label sets of the head are the same objects in every answer, so their JSON is kept by identity."""
    known = _METRICS.get(id(labels))
    if known is not None:
        return known[1]
    text = orjson.dumps(labels.as_dict())
    if len(_METRICS) >= _METRICS_KEPT:
        _METRICS.clear()
    _METRICS[id(labels)] = (labels, text)  # holds the object, so that no other can take its identity
    return text


def _data(kind: str, rows: Sequence[bytes]) -> bytes:
    return b'{"resultType":"%b","result":[%b]}' % (kind.encode(), b",".join(rows))
