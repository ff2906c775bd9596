"""Who may use the machine's door: a token of the right scope.

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
from django.views.decorators.csrf import csrf_exempt

from opsconsole.operations import access
from opsconsole.operations.console import current

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
Refuse = Callable[[HttpRequest, str], HttpResponse]


def token_required(scope: str, refuse: Refuse) -> Callable[[View[P]], View[P]]:
    """Only for a token of ``scope``; ``refuse(request, message)`` writes the 401 of the view's protocol."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            authorization = request.META.get("HTTP_AUTHORIZATION", "")  # ``request.headers`` is a copy of all of them
            if not is_right(authorization, scope):
                return refuse(request, advice(authorization, scope))
            return view(request, *args, **kwargs)

        guarded.for_machines = True  # type: ignore[attr-defined]
        return csrf_exempt(login_not_required(guarded))

    return decorate


def is_for_machines(view: Callable[..., object]) -> bool:
    """Whether the view checks its token itself, so that what Django does for people may be left out before it."""
    return getattr(view, "for_machines", False)


def is_right(authorization: str, scope: str) -> bool:
    """Whether the header has a token of ``scope``."""
    return access.authenticate_token(_bearer(authorization), scope, current().clock.now_ms()) is not None


def is_known_at_once(authorization: str, scope: str) -> bool:
    """Whether it has, and that can be told without asking the database."""
    return access.knows_token(_bearer(authorization), scope, current().clock.now_ms())


def advice(authorization: str, scope: str) -> str:
    """What to do when it has none."""
    if authorization:
        return f"this token is unknown, revoked, or not for scope {scope}; make one with: opsconsole token create"
    return f"a token is missing; send Authorization: Bearer with one of scope {scope} (opsconsole token create)"


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
