"""What all addresses under ``/api/v1`` share: who may ask, by which method, from which page, and how errors look.

Source: Prometheus 3, web/api/v1/api.go and util/httputil/cors.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from opsconsole.operations import query
from opsconsole.records.models import ApiToken

from . import wire
from .answer import Answer
from .auth import advice, is_known_at_once, is_right
from .request import Request
from .wire import ErrorType

View = Callable[..., Answer]
"""``view(parameters, **path)``: what it answers to these parameters; ``path`` are the variable parts of its address."""

log = structlog.get_logger(__name__)

_SCOPE = ApiToken.Scope.READ
_UNREADABLE = (BadRequest, SuspiciousOperation, MultiPartParserError, UnreadablePostError)


def endpoint(*methods: str, at_once: bool = False) -> Callable[[View], Endpoint]:
    """Answer ``methods`` for whoever may read, and turn all that goes wrong into Prometheus' error answers.

    ``at_once``: the view heeds ``Parameters.at_once``.
    """
    return lambda view: Endpoint(view, methods, at_once=at_once)


class Endpoint:
    """A view of Django's, for people and for what reads a body as Django does; and the same by ``answer``, for machines."""

    csrf_exempt = True  # it asks for the CSRF token itself, of those who come with a session
    login_required = False
    for_machines = True

    def __init__(self, view: View, methods: tuple[str, ...], *, at_once: bool) -> None:
        self._view = view
        self._methods = methods
        self._at_once = at_once
        self._for_person = csrf_protect(self._unguarded)

    def __call__(self, request: HttpRequest, **path: str) -> HttpResponse:
        asked = Request.of_django(request)
        if asked.authorization or asked.method not in self._methods or not request.user.is_authenticated:
            return self.answer(asked, path).for_django()
        response = self._for_person(request, **path)
        if response.status_code != ErrorType.FORBIDDEN.status:
            return response
        refusal = wire.failure(
            ErrorType.FORBIDDEN, "a signed-in browser posts with its CSRF token only; use GET, or send a token"
        )
        return self._shared(asked, refusal).for_django()

    def answer(self, request: Request, path: dict[str, str]) -> Answer:
        """To whoever has a token, and why not to all others."""
        if request.method == "OPTIONS":
            answer = wire.nothing()
        elif request.method not in self._methods:
            answer = wire.failure(
                ErrorType.METHOD_NOT_ALLOWED, f"{request.path} answers {' and '.join(self._methods)} only"
            ).saying(("Allow", ", ".join((*self._methods, "OPTIONS"))))
        elif is_right(request.authorization, _SCOPE):
            answer = self._answer(request, path)
        else:
            answer = wire.failure(ErrorType.UNAUTHORIZED, advice(request.authorization, _SCOPE))
        return self._shared(request, answer)

    def answer_at_once(self, request: Request, path: dict[str, str]) -> Answer | None:
        """The same, of a request ``at_once``: in a fraction of a millisecond without waiting for anything, or None."""
        if not (self._at_once and request.method in self._methods and is_known_at_once(request.authorization, _SCOPE)):
            return None
        try:
            return self._shared(request, self._view(request.parameters(), **path))
        except Exception:  # noqa: BLE001  whatever it is, the usual way will come to it and say so
            return None

    def _unguarded(self, request: HttpRequest, **path: str) -> HttpResponse:
        asked = Request.of_django(request)
        return self._shared(asked, self._answer(asked, path)).for_django()

    def _answer(self, request: Request, path: dict[str, str]) -> Answer:  # noqa: PLR0911  one line an error
        try:
            return self._view(request.parameters(), **path)
        except _UNREADABLE as error:
            return wire.failure(ErrorType.BAD_DATA, f"the request cannot be read: {error}")
        except ValueError as error:  # parameters and queries that make no sense
            return wire.failure(ErrorType.BAD_DATA, str(error))
        except query.QueryFailed as error:
            return wire.failure(ErrorType.EXECUTION, str(error))
        except query.QueryTimeout as error:
            return wire.failure(ErrorType.TIMEOUT, str(error))
        except query.QueryCanceled as error:
            return wire.failure(ErrorType.CANCELED, str(error))
        except query.QueryUnavailable as error:
            return wire.failure(ErrorType.UNAVAILABLE, str(error))
        except Exception:
            log.exception("a request to the API failed", path=request.path)
            return wire.failure(ErrorType.INTERNAL, "the console failed to answer; its log says why")

    def _shared(self, request: Request, answer: Answer) -> Answer:
        """Let pages of other origins read the answer, as Prometheus does.

        They need a token for it: with ``*`` a browser sends them no cookie and withholds an answer that took one.
        """
        if not request.has_origin:
            return answer
        return answer.saying(
            ("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin"),
            ("Access-Control-Allow-Methods", ", ".join((*self._methods, "OPTIONS"))),
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Expose-Headers", "Date"),
        )


@csrf_exempt
@login_not_required
def unknown(request: HttpRequest, **_: Any) -> HttpResponse:
    sentence = f"{request.path} is not part of this API; see /api/v1/query, query_range"
    return wire.failure(ErrorType.NOT_FOUND, sentence).for_django()
