"""The HTTP metrics of one process: what the middlewares count, with every label set looked up once."""

from __future__ import annotations

import asyncio
import sys
from contextvars import Token
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from opsconsole_exporters import exemplars, metrics
from opsconsole_exporters.catalog import http as names
from opsconsole_exporters.catalog.database import REQUEST_QUERIES, REQUEST_QUERY_SECONDS, REQUEST_REPEATED_QUERIES
from opsconsole_exporters.django import streaming
from opsconsole_exporters.django.children import Children
from opsconsole_exporters.django.queries import RequestQueries, current
from opsconsole_exporters.shield import report, shielded

# The status that nginx has made usual for a client that did not wait; nobody ever sees it.
CLIENT_CLOSED_REQUEST = 499
UNNAMED_VIEW = "<unnamed view>"  # as django-prometheus calls it

# Others share one name, because whoever sends FOO001, FOO002, ... would make names without end.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})


@dataclass(slots=True)
class Begun:
    """A request in flight, not frozen because that costs a microsecond each.  ``started`` as ``perf_counter()`` gives it."""

    started: float
    queries: RequestQueries
    token: Token[RequestQueries | None]


class HttpMetrics:
    """Counts a request at four moments; ``begin`` and ``end`` around all middlewares, ``enter`` and ``leave`` inside them."""

    def __init__(self) -> None:
        # Whole service: no labels.
        self._active = metrics.gauge(names.HTTP_ACTIVE)
        self._requests_before = metrics.counter(names.HTTP_REQUESTS_BEFORE)
        self._responses_before = metrics.counter(names.HTTP_RESPONSES_BEFORE)
        self._latency_whole = metrics.histogram(names.HTTP_LATENCY_WHOLE)
        self._ajax = metrics.counter(names.HTTP_AJAX)
        self._request_body = metrics.histogram(names.HTTP_REQUEST_BODY)
        self._response_body = metrics.histogram(names.HTTP_RESPONSE_BODY)
        self._streaming = metrics.counter(names.HTTP_STREAMING)
        # By what the request and its response are.
        self._duration = Children(metrics.histogram(names.HTTP_DURATION))
        self._methods = Children(metrics.counter(names.HTTP_METHODS))
        self._transports = Children(metrics.counter(names.HTTP_TRANSPORTS))
        self._views = Children(metrics.counter(names.HTTP_REQUESTS))
        self._templates = Children(metrics.counter(names.HTTP_TEMPLATES))
        self._statuses = Children(metrics.counter(names.HTTP_STATUSES))
        self._responses = Children(metrics.counter(names.HTTP_RESPONSES))
        self._charsets = Children(metrics.counter(names.HTTP_CHARSETS))
        self._latency = Children(metrics.histogram(names.HTTP_LATENCY))
        self._exceptions = Children(metrics.counter(names.HTTP_EXCEPTIONS))
        self._view_exceptions = Children(metrics.counter(names.HTTP_VIEW_EXCEPTIONS))
        self._queries = Children(metrics.histogram(REQUEST_QUERIES))
        self._query_seconds = Children(metrics.counter(REQUEST_QUERY_SECONDS))
        self._repeated = Children(metrics.counter(REQUEST_REPEATED_QUERIES))
        got_request_exception.connect(self.count_unhandled, dispatch_uid="opsconsole_exporters")

    @shielded("HTTP metrics")
    def begin(self) -> Begun:
        self._active.inc()
        self._requests_before.inc()
        queries = RequestQueries()
        return Begun(perf_counter(), queries, current.set(queries))

    @shielded("HTTP metrics")
    def end(self, begun: Begun | None, request: HttpRequest, response: HttpResponseBase | None) -> None:
        """Count the response, or with None that the view was cancelled because its client had gone."""
        if begun is None:
            return
        self._active.dec()
        seconds = perf_counter() - begun.started
        current.reset(begun.token)
        match = request.resolver_match
        status = CLIENT_CLOSED_REQUEST if response is None else response.status_code
        self._duration[(match.route or "") if match else "", method_of(request), str(status)].observe(
            seconds, begun.queries.exemplar
        )
        self._latency_whole.observe(seconds)
        view = (view_of(request),)
        queries = begun.queries
        self._queries[view].observe(queries.count)
        if queries.count:
            self._query_seconds[view].inc(queries.seconds)
            if repeated := queries.repeated:
                self._repeated[view].inc(repeated)
        if response is not None:
            self._responses_before.inc()
            if response.streaming:
                streaming.watch(response, view[0])

    @shielded("HTTP metrics")
    def enter(self, request: HttpRequest, task: asyncio.Task[Any] | None = None) -> float:
        """Count a request that has come through all middlewares; ``task`` runs its view, if that is async."""
        self._methods[method_of(request),].inc()
        self._transports[transport_of(request),].inc()
        # As the deprecated ``request.is_ajax()`` had it.
        if request.META.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest":
            self._ajax.inc()
        length = str(request.META.get("CONTENT_LENGTH") or "0")
        self._request_body.observe(int(length) if length.isdecimal() else 0)
        queries = current.get()
        if queries is not None:
            queries.task = task
        return perf_counter()

    @shielded("HTTP metrics")
    def count_view(self, request: HttpRequest) -> None:
        self._views[view_of(request), transport_of(request), method_of(request)].inc()

    @shielded("HTTP metrics")
    def count_template(self, response: Any) -> None:
        self._templates[template_of(response),].inc()

    @shielded("HTTP metrics")
    def leave(self, started: float | None, request: HttpRequest, response: HttpResponseBase | None) -> None:
        """Count what the view and the exception handlers have made of the request; None as for ``end``."""
        view, method = view_of(request), method_of(request)
        status = str(CLIENT_CLOSED_REQUEST if response is None else response.status_code)
        exemplar = exemplars.of_current_span()
        if (queries := current.get()) is not None:
            queries.exemplar = exemplar
        if started is not None:
            self._latency[view, method].observe(perf_counter() - started, exemplar)
        self._statuses[status,].inc()
        self._responses[status, view, method].inc()
        if response is None:
            return
        self._charsets[str(response.charset),].inc()
        if response.streaming:
            self._streaming.inc()
        elif isinstance(response, HttpResponse):
            self._response_body.observe(len(response.content))

    def count_unhandled(self, request: HttpRequest | None = None, **_: object) -> None:
        """Count an exception that became a 500; Django sends the signal while it is being handled."""
        try:
            error = sys.exc_info()[0]
            self._exceptions[error.__name__ if error else "unknown",].inc()
            self._view_exceptions[view_of(request) if request is not None else UNNAMED_VIEW,].inc()
        except Exception as failure:  # noqa: BLE001 - see shield(); its context would hide the exception being handled
            report("HTTP metrics", failure)


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


def transport_of(request: HttpRequest) -> str:
    return "https" if request.is_secure() else "http"


def template_of(response: Any) -> str:
    """The template's name; a template made of a string has none, and its address would be a series of its own."""
    name = getattr(response, "template_name", None)
    first = name[0] if isinstance(name, list | tuple) and name else name
    return first if isinstance(first, str) else "<unnamed template>"
