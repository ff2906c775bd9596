"""The OTLP/HTTP receiver of traces.

Answers are in the form the request came in: protobuf or JSON, errors as a ``google.rpc.Status`` whose message is one line.
Source: OpenTelemetry, specification/protocol/otlp.md, "OTLP/HTTP Response".
"""

from __future__ import annotations

from http import HTTPStatus
from threading import BoundedSemaphore

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from opsconsole.ingest.limits import IngestLimits
from opsconsole.ingest.otlp import JSON, PROTOBUF
from opsconsole.operations.console import current
from opsconsole.operations.ingest import Accepted, Deferred, Outcome, Rejected, accept_traces
from opsconsole.records.models import ApiToken

from .auth import token_required

_LARGEST = IngestLimits().push_bytes
_AT_ONCE = 128  # each waits up to a second for its commit, and holds a thread and its body
_RETRY_AFTER_S = 1
_places = BoundedSemaphore(_AT_ONCE)


def _unauthorized(request: HttpRequest, message: str) -> HttpResponse:
    response = _failure(request, HTTPStatus.UNAUTHORIZED, message)
    response["WWW-Authenticate"] = "Bearer"
    return response


@require_POST
@token_required(ApiToken.Scope.INGEST, _unauthorized)
def traces(request: HttpRequest) -> HttpResponse:
    """Acknowledged means stored: the answer waits for the commit."""
    match _accept(request):
        case Accepted(body, content_type):
            return HttpResponse(body, content_type=content_type)
        case Rejected(status, message):
            return _failure(request, status, message)
        case Deferred(status, message, retry_after_s):
            response = _failure(request, status, message)
            response["Retry-After"] = str(retry_after_s)
            return response


def _accept(request: HttpRequest) -> Outcome:
    if not _places.acquire(blocking=False):
        message = f"{_AT_ONCE} requests are being stored already; retry in {_RETRY_AFTER_S} s"
        return Deferred(HTTPStatus.TOO_MANY_REQUESTS, message, _RETRY_AFTER_S)
    try:
        body = request.read(_LARGEST + 1)  # not ``request.body``, whose limit is one for forms
        if len(body) > _LARGEST:
            message = f"the body has more than {_LARGEST:,} bytes; send smaller batches"
            return Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        headers = request.headers
        return accept_traces(current(), body, headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))
    finally:
        _places.release()


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
