"""django-prometheus' two middlewares, without a thread for each step under ASGI, and the ``/metrics`` page.

The outer one is the first of all: it answers ``/metrics`` before anything else sees the request (no tracing, no session,
no redirect to https) and counts what is in flight.  The inner one is the last: it knows the view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django_prometheus.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware
from prometheus_client.registry import Collector

from opsconsole_exporters import exposition, workerprocess
from opsconsole_exporters.django.http import HttpMetrics
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import report, shield

GetResponse = Callable[[HttpRequest], Any]
M = TypeVar("M")


class Outer(PrometheusBeforeMiddleware):  # type: ignore[misc]
    metrics_cls = HttpMetrics

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        options = Options.read()
        self.path = options.metrics_path
        self.token = options.metrics_token
        self.collectors = _queue_collectors() if options.queues else ()

    def __call__(self, request: HttpRequest) -> Any:
        if self.async_mode:
            return self.__acall__(request)
        if request.path_info == self.path:
            return self.page(request)
        workerprocess.ensure_started()
        with self.in_flight():
            self.process_request(request)
            return self.process_response(request, self.get_response(request))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == self.path:
            # The page reads files and may ask the broker: off the event loop, and not on the thread of the views.
            return await sync_to_async(self.page, thread_sensitive=False)(request)
        workerprocess.ensure_started()
        with self.in_flight():
            self.process_request(request)
            response: HttpResponseBase = self.process_response(request, await self.get_response(request))
            return response

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request until its response begins, also if the client goes away and the view is cancelled."""
        with shield("HTTP metrics"):
            self.metrics.active.inc()
        try:
            yield
        finally:
            with shield("HTTP metrics"):
                self.metrics.active.dec()

    def process_request(self, request: HttpRequest) -> None:
        with shield("HTTP metrics"):
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        with shield("HTTP metrics"):
            super().process_response(request, response)
        return response

    def page(self, request: HttpRequest) -> HttpResponse:
        if not exposition.authorized(self.token, request.headers.get("authorization", "")):
            return HttpResponse("a bearer token is needed\n", status=401, headers={"WWW-Authenticate": "Bearer"})
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse("only GET\n", status=405, headers={"Allow": "GET, HEAD"})
        page = exposition.render(request.headers.get("accept", ""), self.collectors)
        return HttpResponse(page.body, content_type=page.content_type)


class Inner(PrometheusAfterMiddleware):  # type: ignore[misc]
    metrics_cls = HttpMetrics

    def label_metric(
        self, metric: Any, request: HttpRequest, response: HttpResponseBase | None = None, **labels: str
    ) -> Any:
        # django-prometheus puts the raw method on its latency: whoever sends FOO001, FOO002, ... adds series without end.
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)

    def process_request(self, request: HttpRequest) -> None:
        with shield("HTTP metrics"):
            super().process_request(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with shield("HTTP metrics"):
            super().process_view(request, view, *args, **kwargs)

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        with shield("HTTP metrics"):
            super().process_template_response(request, response)
        return response

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        with shield("HTTP metrics"):
            super().process_response(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Nothing: the response that Django makes of the exception is counted, and once is enough.

        django-prometheus observes the latency here *and* there, and counts exceptions that another middleware then
        handles; those that nobody handles come by ``got_request_exception``.
        """


class AsyncInner(Inner):
    """The same steps as coroutines, because Django would run plain methods in a thread, one hop each."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        self.process_request(request)
        return self.process_response(request, await self.get_response(request))

    async def process_view(self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return super().process_view(request, view, *args, **kwargs)

    async def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        return super().process_template_response(request, response)


@sync_and_async_middleware
def outer(get_response: GetResponse) -> Outer:
    return _made(Outer, get_response)


@sync_and_async_middleware
def inner(get_response: GetResponse) -> Inner:
    return _made(AsyncInner if iscoroutinefunction(get_response) else Inner, get_response)


def _made(middleware: Callable[[GetResponse], M], get_response: GetResponse) -> M:
    """The middleware, or Django's polite way of doing without: metrics that cannot be made must not stop a service."""
    try:
        return middleware(get_response)
    except Exception as error:
        report("HTTP metrics", error)
        raise MiddlewareNotUsed from error


def _queue_collectors() -> tuple[Collector, ...]:
    """The queues of the project's Celery app, for a service without a sidecar."""
    from celery import current_app

    from opsconsole_exporters.queues import QueueCollector, QueueSampler

    return (QueueCollector(QueueSampler(current_app._get_current_object())),)  # noqa: SLF001 - Celery's own idiom
