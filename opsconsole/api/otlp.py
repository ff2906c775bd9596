"""The OTLP/HTTP receiver of traces.

Answers are in the form the request came in: protobuf or JSON, errors as a ``google.rpc.Status`` whose message is one line.
Source: OpenTelemetry, specification/protocol/otlp.md, "OTLP/HTTP Response".
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from threading import BoundedSemaphore

import orjson
import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from opsconsole.ingest.limits import IngestLimits, Malformed, TooLarge, UnsupportedEncoding
from opsconsole.ingest.otlp import JSON, PROTOBUF
from opsconsole.operations import ingest
from opsconsole.operations.console import current
from opsconsole.records.models import ApiToken
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.commit import Overloaded

from .auth import token_required

log = structlog.get_logger(__name__)

_LARGEST = IngestLimits().push_bytes
_AT_ONCE = 128  # each waits up to a second for its commit, and holds a thread and its body
_RETRY_S = 5
_places = BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """An answer other than 200: its status, one line that says what to do, and when to come again."""

    status: HTTPStatus
    message: str
    retry_after_s: int | None = None


def refuse(request: HttpRequest, refused: Refused) -> HttpResponse:
    kind = request.content_type
    if kind == PROTOBUF:
        response = HttpResponse(_status_message(refused.message), content_type=PROTOBUF, status=refused.status)
    elif kind == JSON:
        body = orjson.dumps({"message": refused.message})
        response = HttpResponse(body, content_type=JSON, status=refused.status)
    else:
        response = HttpResponse(refused.message + "\n", content_type="text/plain; charset=utf-8", status=refused.status)
    if refused.retry_after_s is not None:
        response["Retry-After"] = str(refused.retry_after_s)
    if refused.status is HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _unauthorized(request: HttpRequest, message: str) -> HttpResponse:
    return refuse(request, Refused(HTTPStatus.UNAUTHORIZED, message))


@require_POST
@token_required(ApiToken.Scope.INGEST, _unauthorized)
def traces(request: HttpRequest) -> HttpResponse:
    """Acknowledged means stored: the answer waits for the commit."""
    try:
        return HttpResponse(_accept(request), content_type=request.content_type)
    except Refused as refused:
        return refuse(request, refused)


def _accept(request: HttpRequest) -> bytes:
    if not _places.acquire(blocking=False):
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"{_AT_ONCE} requests are waiting already; retry later", 1)
    try:
        return ingest.accept_traces(
            current(),
            _body(request),
            request.headers.get("Content-Type", ""),
            request.headers.get("Content-Encoding", ""),
        )
    except Malformed as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
    except TooLarge as error:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
    except UnsupportedEncoding as error:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from None
    except Overloaded as error:
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, str(error), error.retry_after_s) from None
    except StoreError as error:
        log.warning("traces_not_stored", error=str(error))
        message = "the telemetry store did not take the spans; retry, and see the console's log"
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message, _RETRY_S) from None
    finally:
        _places.release()


def _body(request: HttpRequest) -> bytes:
    """The body as it was sent.  Django's own limit is for forms, so this one is ours."""
    body = request.read(_LARGEST + 1)
    if len(body) > _LARGEST:
        raise TooLarge(f"the body has more than {_LARGEST:,} bytes; send smaller batches")
    return bytes(body)


def _status_message(message: str) -> bytes:
    """A ``google.rpc.Status`` with its field 2, ``message``: a tag, a length as varint, and the text."""
    text = message.encode()
    length = bytearray()
    rest = len(text)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return b"\x12" + bytes(length) + bytes([rest]) + text
