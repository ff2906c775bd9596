"""Prometheus' JSON, as its clients expect it to the letter: values are texts in Go's shortest form.

Source: Prometheus 3, web/api/v1/api.go and util/jsonutil/marshal.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import orjson
from django.http import HttpResponse

from opsconsole.promql.result import Matrix
from opsconsole.series.labels import Labels

CONTENT_TYPE = "application/json"

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


def success(data: bytes | object, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> HttpResponse:
    """``data`` is JSON already when it is bytes.  ``warnings`` and ``infos`` are left out when there are none."""
    encoded = data if isinstance(data, bytes) else orjson.dumps(data)
    for name, sentences in ((b"warnings", warnings), (b"infos", infos)):
        if sentences:
            encoded += b',"' + name + b'":' + orjson.dumps(list(sentences))
    return HttpResponse(b'{"status":"success","data":' + encoded + b"}", content_type=CONTENT_TYPE)


def nothing() -> HttpResponse:
    """There is no answer, and none is needed."""
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response


def failure(error_type: ErrorType, message: str) -> HttpResponse:
    line = " ".join(message.split()).encode(errors="replace").decode()  # a lone surrogate has no JSON
    body = {"status": "error", "errorType": error_type.value, "error": line}
    response = HttpResponse(orjson.dumps(body), content_type=CONTENT_TYPE, status=error_type.status)
    if error_type is ErrorType.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def matrix(result: Matrix) -> bytes:
    """A range query's data: series sorted by their labels, each a list of [seconds, text]."""
    stamps = [seconds(instant) for instant in result.timestamps.tolist()]
    order = sorted(range(len(result.labels)), key=lambda row: result.labels[row])
    return _data("matrix", (_series(result, row, stamps) for row in order))


def vector(result: Matrix) -> bytes:
    """An instant query's data, in the order the engine gave: ``sort()`` means something."""
    stamp = seconds(int(result.timestamps[-1])) if result.timestamps.size else "0"
    rows = zip(result.labels, result.values[:, -1].tolist(), strict=True)
    return _data(
        "vector", (f'{{"metric":{_metric(labels)},"value":[{stamp},"{number(value)}"]}}' for labels, value in rows)
    )


def scalar(at_ms: int, value: float) -> bytes:
    return f'{{"resultType":"scalar","result":[{seconds(at_ms)},"{number(value)}"]}}'.encode()


def number(value: float) -> str:
    """The shortest text that reads back the same, in Go's style: no exponent from 1e-6 up to 1e21."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" in text and 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(text):f}"
    return _NOT_FINITE.get(text, text)


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


def seconds(at_ms: int) -> str:
    """Unix seconds with as many of the three decimals as it takes."""
    sign, (whole, rest) = "-" if at_ms < 0 else "", divmod(abs(at_ms), 1000)
    return f"{sign}{whole}.{rest:03d}".rstrip("0") if rest else f"{sign}{whole}"


_NOT_FINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def _series(result: Matrix, row: int, stamps: Sequence[str]) -> str:
    points = ",".join(
        f'[{stamp},"{number(value)}"]'
        for stamp, value, present in zip(stamps, result.values[row].tolist(), result.present[row].tolist(), strict=True)
        if present
    )
    return f'{{"metric":{_metric(result.labels[row])},"values":[{points}]}}'


def _metric(labels: Labels) -> str:
    return orjson.dumps(labels.as_dict()).decode()


def _data(kind: str, rows: Iterable[str]) -> bytes:
    return f'{{"resultType":"{kind}","result":[{",".join(rows)}]}}'.encode()
