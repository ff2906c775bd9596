"""What all addresses under ``/api/v1`` share: who may ask, by which method, from which page, and how errors look.

Source: Prometheus 3, web/api/v1/api.go and util/httputil/cors.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt

from opsconsole.operations import query
from opsconsole.records.models import ApiToken

from . import wire
from .auth import token_or_session_required
from .wire import ErrorType

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

log = structlog.get_logger(__name__)

_UNREADABLE = (BadRequest, SuspiciousOperation, MultiPartParserError, UnreadablePostError)


def endpoint(*methods: str) -> Callable[[View[P]], View[P]]:
    """Answer ``methods`` for whoever may read, and turn all that goes wrong into Prometheus' error answers."""

    def decorate(view: View[P]) -> View[P]:
        guarded = token_or_session_required(ApiToken.Scope.READ, _refuse)(view)

        @wraps(guarded)
        def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "OPTIONS":
                return _shared(request, wire.nothing(), methods)
            if request.method not in methods:
                return _wrong_method(request, methods)
            try:
                response = guarded(request, *args, **kwargs)
            except _UNREADABLE as error:
                response = wire.failure(ErrorType.BAD_DATA, f"the request cannot be read: {error}")
            except ValueError as error:  # parameters and queries that make no sense
                response = wire.failure(ErrorType.BAD_DATA, str(error))
            except query.QueryFailed as error:
                response = wire.failure(ErrorType.EXECUTION, str(error))
            except query.QueryTimeout as error:
                response = wire.failure(ErrorType.TIMEOUT, str(error))
            except query.QueryCanceled as error:
                response = wire.failure(ErrorType.CANCELED, str(error))
            except query.QueryUnavailable as error:
                response = wire.failure(ErrorType.UNAVAILABLE, str(error))
            except Exception:
                log.exception("a request to the API failed", path=request.path)
                response = wire.failure(ErrorType.INTERNAL, "the console failed to answer; its log says why")
            if response.status_code == ErrorType.FORBIDDEN.status:
                response = wire.failure(
                    ErrorType.FORBIDDEN, "a signed-in browser posts with its CSRF token only; use GET, or send a token"
                )
            return _shared(request, response, methods)

        return csrf_exempt(login_not_required(answer))

    return decorate


@csrf_exempt
@login_not_required
def unknown(request: HttpRequest, **_: Any) -> HttpResponse:
    return wire.failure(ErrorType.NOT_FOUND, f"{request.path} is not part of this API; see /api/v1/query, query_range")


def _refuse(_request: HttpRequest, message: str) -> HttpResponse:
    return wire.failure(ErrorType.UNAUTHORIZED, message)


def _wrong_method(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse:
    response = wire.failure(ErrorType.METHOD_NOT_ALLOWED, f"{request.path} answers {' and '.join(methods)} only")
    response["Allow"] = ", ".join((*methods, "OPTIONS"))
    return response


def _shared(request: HttpRequest, response: HttpResponse, methods: tuple[str, ...]) -> HttpResponse:
    """Let pages of other origins read the answer, as Prometheus does.

    They need a token for it: with ``*`` a browser sends them no cookie and withholds an answer that took one.
    """
    if "HTTP_ORIGIN" in request.META:
        response["Access-Control-Allow-Headers"] = "Accept, Authorization, Content-Type, Origin"
        response["Access-Control-Allow-Methods"] = ", ".join((*methods, "OPTIONS"))
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Expose-Headers"] = "Date"
    return response
