"""What all receivers do: bound how much comes in at once, and say what went wrong in the words of their protocol."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from threading import BoundedSemaphore

import structlog
from django.http import HttpRequest, HttpResponse

from opsconsole.ingest.limits import IngestLimits, Malformed, TooLarge, UnsupportedEncoding
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.commit import Overloaded

log = structlog.get_logger(__name__)

Fail = Callable[[HttpRequest, int, str], HttpResponse]

_LARGEST = IngestLimits().push_bytes
_AT_ONCE = 128  # each waits up to a second for its commit, and holds a thread and its body
_BUSY_RETRY_S = 1
_STORE_RETRY_S = 5  # a store that failed three times needs a moment
_places = BoundedSemaphore(_AT_ONCE)


def receive(
    request: HttpRequest,
    accept: Callable[[bytes], HttpResponse],
    fail: Fail,
    *,
    overloaded: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS,
) -> HttpResponse:
    """``accept(body)``, or ``fail(request, status, message)`` for what it raises.

    400, 413 and 415 must not be sent again as they are; ``overloaded`` and 503 must, after their ``Retry-After``.
    """
    try:
        return _accept(request, accept)
    except Malformed as error:
        return fail(request, HTTPStatus.BAD_REQUEST, str(error))
    except TooLarge as error:
        return fail(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
    except UnsupportedEncoding as error:
        return fail(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error))
    except Overloaded as error:
        return _later(fail(request, overloaded, str(error)), error.retry_after_s)
    except StoreError as error:
        log.warning("push_not_stored", path=request.path, error=str(error))
        message = f"the telemetry store does not take data right now; retry in {_STORE_RETRY_S} s"
        return _later(fail(request, HTTPStatus.SERVICE_UNAVAILABLE, message), _STORE_RETRY_S)


def unauthorized(fail: Fail) -> Callable[[HttpRequest, str], HttpResponse]:
    """The 401 of a receiver."""

    def refuse(request: HttpRequest, message: str) -> HttpResponse:
        response = fail(request, HTTPStatus.UNAUTHORIZED, message)
        response["WWW-Authenticate"] = "Bearer"
        return response

    return refuse


def plain(_request: HttpRequest, status: int, message: str) -> HttpResponse:
    """One line of text."""
    return HttpResponse(message + "\n", content_type="text/plain; charset=utf-8", status=status)


def _accept(request: HttpRequest, accept: Callable[[bytes], HttpResponse]) -> HttpResponse:
    if not _places.acquire(blocking=False):
        raise Overloaded("requests", _BUSY_RETRY_S)
    try:
        body = request.read(_LARGEST + 1)  # not ``request.body``, whose limit is one for forms
        if len(body) > _LARGEST:
            raise TooLarge(f"the body has more than {_LARGEST:,} bytes; send smaller batches")
        return accept(body)
    finally:
        _places.release()


def _later(response: HttpResponse, seconds: int) -> HttpResponse:
    response["Retry-After"] = str(seconds)
    return response
