"""OpenTelemetry's Django instrumentation, fit for ASGI.

Its middleware is synchronous, so that under ASGI every request would leave the event loop for a thread and come back.
It only reads headers and starts a span, which needs no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.instrumentation.utils import suppress_instrumentation

from opsconsole_exporters.django.http import CLIENT_CLOSED_REQUEST

_contrib: Any = _DjangoMiddleware  # not annotated by its authors


class AsyncTraces:
    """Contrib's steps, called on the event loop in the request's own context."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._steps = _contrib(get_response)
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        self._steps.process_request(request)
        try:
            response: HttpResponseBase = await self._get_response(request)
        except asyncio.CancelledError:
            # Django cancels the view of a client that went away; contrib would never end the span.
            self._steps.process_response(request, HttpResponse(status=CLIENT_CLOSED_REQUEST))
            raise
        response = self._steps.process_response(request, response)
        return response  # noqa: RET504 - contrib is not annotated, this gives the type

    async def process_view(self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._steps.process_view(request, view, *args, **kwargs)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        self._steps.process_exception(request, exception)


@sync_and_async_middleware
def traces(get_response: Callable[[HttpRequest], Any]) -> Any:
    return (AsyncTraces if iscoroutinefunction(get_response) else _contrib)(get_response)


def leave_out_connection_setup() -> None:
    """No spans for what Django says to a connection before anybody uses it.

    A pool opens connections in threads of its own, so each of these statements would be a trace of one span.
    """
    if find_spec("psycopg") is None:
        return
    from django.db.backends.postgresql.base import DatabaseWrapper

    wrapper: Any = DatabaseWrapper  # the method is Django's own, and there since 5.1
    configure = getattr(wrapper, "_configure_connection", None)
    if configure is None:
        return

    @wraps(configure)
    def quietly(self: Any, connection: Any) -> Any:
        with suppress_instrumentation():
            return configure(self, connection)

    wrapper._configure_connection = quietly  # noqa: SLF001 - see above


class DjangoTraces(DjangoInstrumentor):
    """Contrib's instrumentor, which installs a middleware by its name: ours."""

    _opentelemetry_middleware = f"{__name__}.traces"
