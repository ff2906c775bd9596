"""The two middlewares, without a thread for each step under ASGI, and the ``/metrics`` page.

The outer one is the first of all: it answers ``/metrics`` before anything else sees the request (no tracing, no session,
no redirect to https), counts what is in flight and makes the span of the request.  The inner one is the last: it knows the view.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from prometheus_client.registry import Collector

from opsconsole_exporters import exposition, requestid, tracing, workerprocess
from opsconsole_exporters.django.cacheserver import cache_server_collectors
from opsconsole_exporters.django.http import CLIENT_CLOSED_REQUEST, PART, http_metrics
from opsconsole_exporters.django.inflight import InFlight
from opsconsole_exporters.django.migrations import migration_collectors
from opsconsole_exporters.django.traces import RequestSpans
from opsconsole_exporters.options import Options
from opsconsole_exporters.process import eventloop
from opsconsole_exporters.shield import report, shield

GetResponse = Callable[[HttpRequest], Any]
M = TypeVar("M")

_REQUEST_ID = "HTTP_X_REQUEST_ID"


class Outer:
    without_response = 500

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.metrics = http_metrics()
        self.spans = _request_spans()
        options = Options.read()
        self.path = options.metrics_path
        self.token = options.metrics_token
        self.with_request_id = options.request_id
        self.collectors = _collectors(options)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        workerprocess.ensure_started()
        if request.path_info == self.path:
            return self.page(request)
        response: HttpResponseBase | None = None
        flight = self.begin(request)
        try:
            response = self.get_response(request)
        finally:
            self.end(flight, request, response)
        return response

    # Both as shielded() does, without its cost on every request.

    def begin(self, request: HttpRequest) -> InFlight | None:
        try:
            request_id = requestid.accepted(request.META.get(_REQUEST_ID)) if self.with_request_id else None
            self.metrics.begin()
            flight = InFlight(request, request_id)
        except Exception as error:  # noqa: BLE001 - see above
            report(PART, error)
            return None
        if self.spans is not None:
            flight.span = self.spans.begin(request)
        return flight

    def end(self, flight: InFlight | None, request: HttpRequest, response: HttpResponseBase | None) -> None:
        if flight is None:
            return
        if self.spans is not None:
            self.spans.end(flight, request, self.without_response if response is None else response.status_code)
        try:
            flight.land()
            # Tell the client the id of its request, unless the service does.
            if flight.request_id is not None and response is not None:
                response.headers.setdefault(requestid.HEADER, flight.request_id)
            self.metrics.end(flight, request, response)
        except Exception as error:  # noqa: BLE001 - see above
            report(PART, error)

    def page(self, request: HttpRequest) -> HttpResponse:
        if not exposition.authorized(self.token, request.headers.get("authorization", "")):
            return HttpResponse("a bearer token is needed\n", status=401, headers={"WWW-Authenticate": "Bearer"})
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse("only GET\n", status=405, headers={"Allow": "GET, HEAD"})
        page = exposition.render(request.headers.get("accept", ""), self.collectors)
        return HttpResponse(page.body, content_type=page.content_type)


class AsyncOuter(Outer):
    # Django cancels the view of a client that went away.
    without_response = CLIENT_CLOSED_REQUEST

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:  # type: ignore[override]
        workerprocess.ensure_started()
        eventloop.ensure_watched()
        if request.path_info == self.path:
            # The page reads files and may ask the broker: off the event loop, and not on the thread of the views.
            return await sync_to_async(self.page, thread_sensitive=False)(request)
        response: HttpResponseBase | None = None
        flight = self.begin(request)
        try:
            response = await self.get_response(request)
        finally:
            # Also when the client goes away and the view is cancelled.
            self.end(flight, request, response)
        return response


class Inner:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.metrics = http_metrics()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        self.metrics.enter(request)
        try:
            response = self.get_response(request)
        finally:
            self.metrics.leave(request, response)
        return response

    def process_view(self, request: HttpRequest, _view: Callable[..., Any], _args: Any, _kwargs: Any) -> None:
        self.metrics.view(request)

    def process_template_response(self, _request: HttpRequest, response: Any) -> Any:
        self.metrics.count_template(response)
        return response


class AsyncInner:
    """The same steps as coroutines, because Django would run plain methods in a thread, one hop each."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.metrics = http_metrics()
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        self.metrics.enter(request, asyncio.current_task())
        try:
            response = await self.get_response(request)
        finally:
            self.metrics.leave(request, response)
        return response

    async def process_view(self, request: HttpRequest, _view: Callable[..., Any], _args: Any, _kwargs: Any) -> None:
        self.metrics.view(request)

    async def process_template_response(self, _request: HttpRequest, response: Any) -> Any:
        self.metrics.count_template(response)
        return response


@sync_and_async_middleware
def outer(get_response: GetResponse) -> Any:
    return _made(AsyncOuter if iscoroutinefunction(get_response) else Outer, get_response)


@sync_and_async_middleware
def inner(get_response: GetResponse) -> Any:
    return _made(AsyncInner if iscoroutinefunction(get_response) else Inner, get_response)


def _request_spans() -> RequestSpans | None:
    """None if nothing is traced."""
    with shield("Django traces"):
        return RequestSpans() if tracing.enabled() else None
    return None


def _made(middleware: Callable[[GetResponse], M], get_response: GetResponse) -> M:
    """The middleware, or Django's polite way of doing without: metrics that cannot be made must not stop a service."""
    try:
        return middleware(get_response)
    except Exception as error:
        report(PART, error)
        raise MiddlewareNotUsed from error


def _collectors(options: Options) -> tuple[Collector, ...]:
    """What is read when the page is asked for, each part on its own."""
    found: list[Collector] = []
    with shield("cache server metrics"):
        found += cache_server_collectors()
    if options.migrations:
        with shield("migration metrics"):
            found += migration_collectors()
    if options.queues:
        with shield("queue metrics"):
            found += _queue_collectors()
    return tuple(found)


def _queue_collectors() -> tuple[Collector, ...]:
    """The queues of the project's Celery app, for a service without a sidecar."""
    from celery import current_app

    from opsconsole_exporters.celery.management import Management
    from opsconsole_exporters.queues import QueueCollector, QueueSampler

    app = current_app._get_current_object()  # noqa: SLF001 - Celery's own idiom
    return (QueueCollector(QueueSampler(app, management=Management.read(os.environ))),)
