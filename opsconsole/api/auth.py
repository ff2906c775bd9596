"""Who may use the machine's door: a token of the right scope, or, to read, a person who is signed in.

A token comes as ``Authorization: Bearer``, or as the password of HTTP basic authentication with any user name: a data
source of Grafana and a remote write of Prometheus are set up that way with two fields.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from opsconsole.operations.access import authenticate_token
from opsconsole.operations.console import current

P = ParamSpec("P")
_AUTHORIZATION = "HTTP_AUTHORIZATION"  # ``request.headers`` is a copy of all of them, made when first asked
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
Refuse = Callable[[HttpRequest, str], HttpResponse]


def token_required(scope: str, refuse: Refuse) -> Callable[[View[P]], View[P]]:
    """Only for a token of ``scope``; ``refuse(request, message)`` writes the 401 of the view's protocol."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not _has_token(request, scope):
                return refuse(request, _advice(request, scope))
            return view(request, *args, **kwargs)

        return _marked(guarded)

    return decorate


def token_or_session_required(scope: str, refuse: Refuse) -> Callable[[View[P]], View[P]]:
    """For a token of ``scope``, or for whoever is signed in; their POSTs need the CSRF token as everywhere."""

    def decorate(view: View[P]) -> View[P]:
        for_people = csrf_protect(view)

        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if _has_token(request, scope):
                return view(request, *args, **kwargs)
            if _AUTHORIZATION in request.META or not request.user.is_authenticated:
                return refuse(request, _advice(request, scope))
            return for_people(request, *args, **kwargs)

        return _marked(guarded)

    return decorate


def is_for_machines(view: Callable[..., object]) -> bool:
    """Whether the view checks its token itself, so that what Django does for people may be left out before it."""
    return getattr(view, "for_machines", False)


def _marked(view: View[P]) -> View[P]:
    view.for_machines = True  # type: ignore[attr-defined]
    return csrf_exempt(login_not_required(view))


def _has_token(request: HttpRequest, scope: str) -> bool:
    header = request.META.get(_AUTHORIZATION, "")
    return bool(header) and authenticate_token(_bearer(header), scope, current().clock.now_ms()) is not None


def _bearer(header: str) -> str:
    """The header, or the one with the password of basic authentication as its token; "" when that cannot be read."""
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        _, _, password = b64decode(text.strip(), validate=True).decode().partition(":")
    except ValueError:
        return ""
    return f"Bearer {password}"


def _advice(request: HttpRequest, scope: str) -> str:
    if _AUTHORIZATION in request.META:
        return f"this token is unknown, revoked, or not for scope {scope}; make one with: opsconsole token create"
    return f"a token is missing; send Authorization: Bearer with one of scope {scope} (opsconsole token create)"
