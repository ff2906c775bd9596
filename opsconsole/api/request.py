"""A request to the API, as little of it as its endpoints need: made from Django's, or straight from the connection's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from django.http import HttpRequest

from .parameters import Form, Parameters, form_of

_FORM = b"application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """``authorization``: the header, "" without.  ``form`` reads the body, which may be no form at all.

    ``has_origin``: a page of another origin asks.  ``cancelled``: set when the client has gone, where somebody tells.
    ``at_once``: the answer is wanted without waiting for anything, or not at all.
    """

    method: str
    path: str
    query_string: str
    form: Callable[[], Form]
    authorization: str
    has_origin: bool
    cancelled: Event | None = None
    at_once: bool = False

    @classmethod
    def of_django(cls, request: HttpRequest) -> Request:
        said = request.META
        return cls(
            method=request.method or "",
            path=request.path,
            query_string=said.get("QUERY_STRING", ""),
            form=lambda: request.POST.lists(),  # noqa: PLW0108  the body is read when it is asked for
            authorization=said.get("HTTP_AUTHORIZATION", ""),
            has_origin="HTTP_ORIGIN" in said,
            cancelled=getattr(request, "cancelled", None),
        )

    @classmethod
    def of_scope(cls, scope: Any, body: bytes, cancelled: Event, *, at_once: bool = False) -> Request | None:
        """Of a request with ``Authorization``, in the words of ASGI; None for one without, or whose body is for Django to
        read: forms in parts or in other characters.
        """
        authorization, kind, has_origin = "", b"", False
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin1")
            elif name == b"content-type":
                kind = value
            elif name == b"origin":
                has_origin = True
        if not authorization or (body and kind != _FORM):
            return None
        return cls(
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"].decode(errors="replace"),
            form=lambda: form_of(body.decode(errors="replace")).items(),
            authorization=authorization,
            has_origin=has_origin,
            cancelled=cancelled,
            at_once=at_once,
        )

    def parameters(self) -> Parameters:
        """Raises what reading a body raises, and ``ValueError``."""
        return Parameters(
            self.query_string, self.form() if self.method == "POST" else (), self.cancelled, at_once=self.at_once
        )
