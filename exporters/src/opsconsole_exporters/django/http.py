"""The HTTP metrics of one process: what the middlewares count, with every label set looked up once."""

from __future__ import annotations

import asyncio
import sys
from functools import cache, lru_cache
from time import perf_counter
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from opsconsole_exporters import exemplars, metrics, sharedvalues
from opsconsole_exporters.batch import counted
from opsconsole_exporters.catalog import http as names
from opsconsole_exporters.catalog.database import REQUEST_QUERIES, REQUEST_QUERY_SECONDS, REQUEST_REPEATED_QUERIES
from opsconsole_exporters.django import streaming
from opsconsole_exporters.django.children import Children, Together
from opsconsole_exporters.django.inflight import InFlight, of_request
from opsconsole_exporters.shield import report, shielded

PART = "HTTP metrics"

# The status that nginx has made usual for a client that did not wait; nobody ever sees it.
CLIENT_CLOSED_REQUEST = 499
UNNAMED_VIEW = "<unnamed view>"  # as django-prometheus calls it

# Others share one name, because whoever sends FOO001, FOO002, ... would make names without end.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})


class HttpMetrics:
    """Counts a request at four moments: ``begin`` and ``end`` around all middlewares, ``enter`` and ``leave`` inside them.

    What happens after ``begin`` is written together at the ``end``.
    """

    def __init__(self) -> None:
        # Whole service: no labels.
        active = metrics.gauge(names.HTTP_ACTIVE)
        self._beginning = counted((active, metrics.counter(names.HTTP_REQUESTS_BEFORE)))
        self._landing = active
        self._responses_before = metrics.counter(names.HTTP_RESPONSES_BEFORE)
        self._latency_whole = metrics.histogram(names.HTTP_LATENCY_WHOLE)
        self._ajax = metrics.counter(names.HTTP_AJAX)
        self._request_body = metrics.histogram(names.HTTP_REQUEST_BODY)
        self._response_body = metrics.histogram(names.HTTP_RESPONSE_BODY)
        self._streaming = metrics.counter(names.HTTP_STREAMING)
        # By what the request and its response are.
        self._duration = Children(metrics.histogram(names.HTTP_DURATION))
        self._views = Children(metrics.counter(names.HTTP_REQUESTS))
        self._templates = Children(metrics.counter(names.HTTP_TEMPLATES))
        self._charsets = Children(metrics.counter(names.HTTP_CHARSETS))
        self._latency = Children(metrics.histogram(names.HTTP_LATENCY))
        self._exceptions = Children(metrics.counter(names.HTTP_EXCEPTIONS))
        self._view_exceptions = Children(metrics.counter(names.HTTP_VIEW_EXCEPTIONS))
        self._queries = Children(metrics.histogram(REQUEST_QUERIES))
        self._query_seconds = Children(metrics.counter(REQUEST_QUERY_SECONDS))
        self._repeated = Children(metrics.counter(REQUEST_REPEATED_QUERIES))
        # Of the status, the view, the method and the transport.
        self._answered = Together(
            (Children(metrics.counter(names.HTTP_STATUSES)), (0,)),
            (Children(metrics.counter(names.HTTP_RESPONSES)), (0, 1, 2)),
            (Children(metrics.counter(names.HTTP_METHODS)), (2,)),
            (Children(metrics.counter(names.HTTP_TRANSPORTS)), (3,)),
        )
        got_request_exception.connect(self.count_unhandled, dispatch_uid="opsconsole_exporters")

    def begin(self) -> None:
        sharedvalues.add(self._beginning)

    def end(self, flight: InFlight, request: HttpRequest, response: HttpResponseBase | None) -> None:
        """Count the response, or with None that the view was cancelled because its client had gone."""
        flight.batch.count(self._landing, -1.0)
        try:
            self._end(flight, request, response)
        finally:  # what has landed is not in flight any more, whatever else fails
            flight.batch.write()

    def _end(self, flight: InFlight, request: HttpRequest, response: HttpResponseBase | None) -> None:
        batch, queries = flight.batch, flight.queries
        seconds = perf_counter() - flight.started
        match = request.resolver_match
        route = (match.route or "") if match else ""
        batch.observe(self._duration[route, method_of(request), status_of(response)], seconds, flight.exemplar)
        batch.observe(self._latency_whole, seconds)
        view = (view_of(request),)
        batch.observe(self._queries[view], queries.count)
        if queries.count:
            batch.count(self._query_seconds[view], queries.seconds)
            if repeated := queries.repeated:
                batch.count(self._repeated[view], repeated)
        if response is not None:
            batch.count(self._responses_before)
            if response.streaming:
                streaming.watch(response, view[0])

    def enter(self, request: HttpRequest, task: asyncio.Task[Any] | None = None) -> None:
        """A request has come through all middlewares; ``task`` runs its view, if that is async."""
        flight = of_request(request)
        if flight is not None:
            flight.queries.task = task
            flight.entered = perf_counter()

    def view(self, request: HttpRequest) -> None:
        """No middleware has answered in the place of the view, which is called now."""
        flight = of_request(request)
        if flight is not None:
            flight.viewed = True

    @shielded(PART)
    def count_template(self, response: Any) -> None:
        self._templates[template_of(response),].inc()

    def leave(self, request: HttpRequest, response: HttpResponseBase | None) -> None:
        """Count what the view and the exception handlers have made of the request; None as for ``end``."""
        flight = of_request(request)
        if flight is None:
            return
        try:
            self._leave(flight, request, response)
        except Exception as failure:  # noqa: BLE001 - as shielded() does, without its cost on every request
            report(PART, failure)

    def _leave(self, flight: InFlight, request: HttpRequest, response: HttpResponseBase | None) -> None:
        batch = flight.batch
        view, method, transport = view_of(request), method_of(request), transport_of(request)
        flight.exemplar = exemplars.of_current_span() if flight.span is None else exemplars.of_span(flight.span.span)
        batch.observe(self._latency[view, method], perf_counter() - flight.entered, flight.exemplar)
        batch.extend(self._answered[status_of(response), view, method, transport])
        if flight.viewed:
            batch.count(self._views[view, transport, method])
        # As the deprecated ``request.is_ajax()`` had it.
        if request.META.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest":
            batch.count(self._ajax)
        length = str(request.META.get("CONTENT_LENGTH") or "0")
        batch.observe(self._request_body, int(length) if length.isdecimal() else 0)
        if response is None:
            return
        batch.count(self._charsets[charset_of(response),])
        if response.streaming:
            batch.count(self._streaming)
        elif isinstance(response, HttpResponse):
            batch.observe(self._response_body, len(response.content))

    def count_unhandled(self, request: HttpRequest | None = None, **_: object) -> None:
        """Count an exception that became a 500; Django sends the signal while it is being handled."""
        try:
            error = sys.exc_info()[0]
            self._exceptions[error.__name__ if error else "unknown",].inc()
            self._view_exceptions[view_of(request) if request is not None else UNNAMED_VIEW,].inc()
        except Exception as failure:  # noqa: BLE001 - see shield(); its context would hide the exception being handled
            report(PART, failure)


@cache
def http_metrics() -> HttpMetrics:
    """The process's own: both middlewares use it, and Django may build them more than once."""
    return HttpMetrics()


def view_of(request: HttpRequest) -> str:
    match = getattr(request, "resolver_match", None)
    return (match and match.view_name) or UNNAMED_VIEW


def method_of(request: HttpRequest) -> str:
    """The method, or one label for all that HTTP does not know: a client may send as many as it likes."""
    method = request.method or ""
    return method if method in METHODS else "<invalid method>"


def status_of(response: HttpResponseBase | None) -> str:
    return str(CLIENT_CLOSED_REQUEST if response is None else response.status_code)


def charset_of(response: HttpResponseBase) -> str:
    # What a response has been given; else Django looks for it in the content type, each time that it is asked.
    given = getattr(response, "_charset", None)
    return str(given) if given is not None else _charset_in(response.headers.get("Content-Type"))


@lru_cache(100)
def _charset_in(content_type: str | None) -> str:
    return str(HttpResponse(content_type=content_type).charset)


def transport_of(request: HttpRequest) -> str:
    return "https" if request.is_secure() else "http"


def template_of(response: Any) -> str:
    """The template's name; a template made of a string has none, and its address would be a series of its own."""
    name = getattr(response, "template_name", None)
    first = name[0] if isinstance(name, list | tuple) and name else name
    return first if isinstance(first, str) else "<unnamed template>"
