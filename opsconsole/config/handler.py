"""Django behind HTTP, with one thread hop a request, and without what is for people when a machine asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from io import BytesIO
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, get_resolver

from opsconsole.api.auth import is_for_machines
from opsconsole.api.endpoint import Endpoint
from opsconsole.api.request import Request

from .connection import Reply

_THREADS = 192  # a push of traces holds one until its commit, and the receiver takes 128 of them at once
_PATHS_REMEMBERED = 1024


class Handler(ASGIHandler):
    """Runs a request's middleware and view in one thread of a pool.

    Every view and middleware of the console is synchronous.  Django's own ASGI handler keeps the chain asynchronous and
    crosses into a thread, one that it starts for this request alone, for each hook of each middleware: some twenty times.
    For services that push traces every second that was half of what the idle console cost.

    The middlewares serve people: sessions, CSRF, CSP, messages.  A request with an ``Authorization`` header to a view that
    checks it itself passes them by: the same view, a tenth of the time.
    """

    def __init__(self) -> None:
        super(ASGIHandler, self).__init__()  # past its parent's, which would load the chain as asynchronous
        self.load_middleware(is_async=False)
        self.pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="request")
        self._in_thread = sync_to_async(self._respond, thread_sensitive=False, executor=self.pool)
        self._for_machine = convert_exception_to_response(_view)
        self._resolve = lru_cache(_PATHS_REMEMBERED)(get_resolver().resolve)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.handle(scope, receive, send)  # without a context that would start a thread of its own

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self._in_thread(request)
        if isinstance(response, HttpResponse) and response.status_code not in (204, 304):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def answer(self, scope: Any, body: bytes, cancelled: threading.Event) -> Reply:
        """Status, headers and body for a request that is here as a whole; call it in a thread of ``pool``.

        ``request.cancelled`` is set when the client has gone.
        """
        if (found := self._endpoint(scope)) and (asked := Request.of_scope(scope, body, cancelled)):
            endpoint, path = found
            try:
                return endpoint.answer(asked, path).for_machine()
            finally:
                close_old_connections()
        request, refusal = self.create_request(scope, BytesIO(body))
        if request is None:
            return _plainly(refusal)
        request.cancelled = cancelled  # type: ignore[attr-defined]  # see ``opsconsole.api.request``
        return _plainly(self._respond(request))

    def answer_at_once(self, scope: Any, body: bytes, cancelled: threading.Event) -> Reply | None:
        """The same on the event loop, where it takes a fraction of a millisecond and waits for nothing; or None."""
        if (found := self._endpoint(scope)) and (asked := Request.of_scope(scope, body, cancelled, at_once=True)):
            endpoint, path = found
            answer = endpoint.answer_at_once(asked, path)
            return None if answer is None else answer.for_machine()
        return None

    def _endpoint(self, scope: Any) -> tuple[Endpoint, dict[str, str]] | None:
        match = self._machines_view(scope["path"])
        return (match.func, match.kwargs) if match is not None and isinstance(match.func, Endpoint) else None

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        try:
            if "HTTP_AUTHORIZATION" in request.META and (match := self._machines_view(request.path_info)):
                request.resolver_match = match
                return cast("HttpResponseBase", self._for_machine(request))  # as the view is: synchronous
            return self.get_response(request)
        finally:
            close_old_connections()  # the signals that do this elsewhere are sent in another thread

    def _machines_view(self, path: str) -> ResolverMatch | None:
        try:
            match: ResolverMatch = self._resolve(path)
        except Resolver404:
            return None
        return match if is_for_machines(match.func) else None


def _view(request: HttpRequest) -> HttpResponseBase:
    match = cast("ResolverMatch", request.resolver_match)  # ``_respond`` has just set it
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response


def _plainly(response: Any) -> Reply:
    if response.streaming:
        try:
            body = b"".join(response)
        finally:
            response.close()
    else:
        body = response.content  # nothing to close, and ``_respond`` has let go of the database
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.output(header="").strip().encode("ascii")) for cookie in response.cookies.values()
    ]
    return response.status_code, headers, body
