"""The OTLP/HTTP receiver of traces.

Answers are in the form the request came in: protobuf or JSON, errors as a ``google.rpc.Status`` whose message is one line.
Source: OpenTelemetry, specification/protocol/otlp.md, "OTLP/HTTP Response".
"""

from __future__ import annotations

from http import HTTPStatus
from threading import BoundedSemaphore

import orjson
import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from opsconsole.ingest.limits import IngestLimits, Malformed, TooLarge, UnsupportedEncoding
from opsconsole.ingest.otlp import JSON, PROTOBUF
from opsconsole.operations.console import current
from opsconsole.operations.ingest import accept_traces
from opsconsole.records.models import ApiToken
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.commit import Overloaded

from .auth import token_required

log = structlog.get_logger(__name__)

_LARGEST = IngestLimits().push_bytes
_AT_ONCE = 128  # each waits up to a second for its commit, and holds a thread and its body
_BUSY_RETRY_S = 1
_STORE_RETRY_S = 5  # a store that failed three times needs a moment
_places = BoundedSemaphore(_AT_ONCE)


def _unauthorized(request: HttpRequest, message: str) -> HttpResponse:
    response = _failure(request, HTTPStatus.UNAUTHORIZED, message)
    response["WWW-Authenticate"] = "Bearer"
    return response


@require_POST
@token_required(ApiToken.Scope.INGEST, _unauthorized)
def traces(request: HttpRequest) -> HttpResponse:
    """Acknowledged means stored: the answer waits for the commit."""
    try:
        return HttpResponse(_accept(request), content_type=request.content_type)
    except Malformed as error:
        return _failure(request, HTTPStatus.BAD_REQUEST, str(error))
    except TooLarge as error:
        return _failure(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
    except UnsupportedEncoding as error:
        return _failure(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error))
    except Overloaded as error:
        return _later(request, HTTPStatus.TOO_MANY_REQUESTS, str(error), error.retry_after_s)
    except StoreError as error:
        log.warning("traces_not_stored", error=str(error))
        message = f"the telemetry store does not take data right now; retry in {_STORE_RETRY_S} s"
        return _later(request, HTTPStatus.SERVICE_UNAVAILABLE, message, _STORE_RETRY_S)


def _accept(request: HttpRequest) -> bytes:
    if not _places.acquire(blocking=False):
        raise Overloaded("requests", _BUSY_RETRY_S)
    try:
        body = request.read(_LARGEST + 1)  # not ``request.body``, whose limit is one for forms
        if len(body) > _LARGEST:
            raise TooLarge(f"the body has more than {_LARGEST:,} bytes; send smaller batches")
        headers = request.headers
        return accept_traces(current(), body, headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))
    finally:
        _places.release()


def _later(request: HttpRequest, status: int, message: str, seconds: int) -> HttpResponse:
    response = _failure(request, status, message)
    response["Retry-After"] = str(seconds)
    return response


def _failure(request: HttpRequest, status: int, message: str) -> HttpResponse:
    if request.content_type == PROTOBUF:
        return HttpResponse(_status_message(message), content_type=PROTOBUF, status=status)
    if request.content_type == JSON:
        return HttpResponse(orjson.dumps({"message": message}), content_type=JSON, status=status)
    return HttpResponse(message + "\n", content_type="text/plain; charset=utf-8", status=status)


def _status_message(message: str) -> bytes:
    """A ``google.rpc.Status`` with its field 2, ``message``: a tag, a length as varint, and the text."""
    text = message.encode()
    length = bytearray()
    rest = len(text)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return b"\x12" + bytes(length) + bytes([rest]) + text
