"""Django behind ASGI, with one thread hop a request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_THREADS = 192  # a push of traces holds one until its commit, and the receiver takes 128 of them at once


class Handler(ASGIHandler):
    """Runs a request's middleware and view in one thread of a pool.

    Every view and middleware of the console is synchronous.  Django's own ASGI handler keeps the chain asynchronous and
    crosses into a thread, one that it starts for this request alone, for each hook of each middleware: some twenty times.
    For services that push traces every second that was half of what the idle console cost.
    """

    def __init__(self) -> None:
        super(ASGIHandler, self).__init__()  # past its parent's, which would load the chain as asynchronous
        self.load_middleware(is_async=False)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="request")
        self._answer = sync_to_async(self._answer_in_thread, thread_sensitive=False, executor=self._pool)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.handle(scope, receive, send)  # without a context that would start a thread of its own

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await self._answer(request)

    def _answer_in_thread(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        finally:
            close_old_connections()  # the signals that do this elsewhere are sent in another thread
