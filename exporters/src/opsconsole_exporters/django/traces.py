"""A span for each request, after OpenTelemetry's stable HTTP conventions.

OpenTelemetry's own Django instrumentation resolves the URL a second time, builds it thrice and collects every attribute
before it knows whether anybody will see them: 200 microseconds for a request that is not even sampled.  Here such a request
costs its ids, which its logs and the calls it makes still carry.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest
from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter

from opsconsole_exporters import __version__
from opsconsole_exporters.django.http import METHODS
from opsconsole_exporters.django.inflight import InFlight, of_request
from opsconsole_exporters.django.queries import RequestQueries
from opsconsole_exporters.django.spans import record_queries
from opsconsole_exporters.log import log
from opsconsole_exporters.shield import report, shielded

_PART = "traces"
_EXCLUDED = ("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS")


class Headers(Getter[Mapping[str, Any]]):
    """Reads a header out of ``request.META``, without the copy of all of them that ``request.headers`` is."""

    def get(self, carrier: Mapping[str, Any], key: str) -> list[str] | None:
        value = carrier.get(_in_meta(key))
        return None if value is None else [value]

    def keys(self, carrier: Mapping[str, Any]) -> list[str]:
        return [name[5:].lower().replace("_", "-") for name in carrier if name.startswith("HTTP_")]


HEADERS = Headers()


class RequestSpan:
    """The span of one request, current from its making until ``end``."""

    # Not the request, which holds this: only a garbage collection would free the two.
    __slots__ = ("_token", "span")

    def __init__(self, tracer: trace.Tracer, request: HttpRequest) -> None:
        if trace.get_current_span().get_span_context().is_valid:
            parent, kind = None, trace.SpanKind.INTERNAL  # the server itself is traced
        else:
            parent, kind = _caller(request.META), trace.SpanKind.SERVER
        self.span = tracer.start_span(_method(request), parent, kind)
        if self.span.is_recording():
            self.span.set_attributes(attributes_of(request))
        self._token = context.attach(trace.set_span_in_context(self.span, parent))

    def end(self, request: HttpRequest, queries: RequestQueries, status: int) -> None:
        context.detach(self._token)
        try:
            if self.span.is_recording():
                self._describe(request, status)
                record_queries(self.span, queries)
        finally:
            self.span.end()

    def _describe(self, request: HttpRequest, status: int) -> None:
        span, match = self.span, request.resolver_match
        if name := match and (match.route or match.url_name):
            span.update_name(f"{_method(request)} {name}")
            span.set_attribute("http.route", match.route if match else "")
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(trace.StatusCode.ERROR)


def attributes_of(request: HttpRequest) -> dict[str, Any]:
    """What a request says of itself.  Never its query string, in which tokens travel."""
    meta = request.META
    found = {
        "http.request.method": _method(request) if request.method in METHODS else "_OTHER",
        "url.scheme": request.scheme or "http",
        "url.path": request.path,
    }
    for name, key in (
        ("server.address", "SERVER_NAME"),
        ("client.address", "REMOTE_ADDR"),
        ("user_agent.original", "HTTP_USER_AGENT"),
    ):
        if value := meta.get(key):
            found[name] = value
    return found


class RequestSpans:
    """Makes the spans of a service's requests."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("opsconsole_exporters.django", __version__)
        self._excluded = excluded()
        got_request_exception.connect(_record, dispatch_uid="opsconsole_exporters.traces")

    # Both as shielded() does, without its cost on every request.

    def begin(self, request: HttpRequest) -> RequestSpan | None:
        try:
            if self._excluded is not None and self._excluded.search(_address(request)):
                return None
            return RequestSpan(self._tracer, request)
        except Exception as error:  # noqa: BLE001 - see above
            report(_PART, error)
            return None

    def end(self, flight: InFlight, request: HttpRequest, status: int) -> None:
        if flight.span is None:
            return
        try:
            flight.span.end(request, flight.queries, status)
        except Exception as error:  # noqa: BLE001 - see above
            report(_PART, error)


def excluded() -> re.Pattern[str] | None:
    """The addresses that are not traced, as OpenTelemetry's variables name them: regular expressions, with commas between."""
    name = next((name for name in _EXCLUDED if name in os.environ), _EXCLUDED[-1])
    told = filter(None, map(str.strip, os.environ.get(name, "").split(",")))
    patterns = [pattern for pattern in told if _is_pattern(pattern, name)]
    return re.compile("|".join(patterns)) if patterns else None


def _is_pattern(text: str, name: str) -> bool:
    try:
        re.compile(text)
    except re.error as error:
        log.warning(f"{name}: {text!r} is no regular expression and is left out: {error}")
        return False
    return True


@shielded(_PART)
def _record(request: HttpRequest | None = None, **_: object) -> None:
    """Keep an exception that nobody has handled; Django sends the signal while it makes a 500 of it."""
    flight, error = of_request(request) if request is not None else None, sys.exc_info()[1]
    if flight is not None and flight.span is not None and error is not None:
        flight.span.span.record_exception(error)


@cache
def _headers_of_callers() -> tuple[str, ...]:
    """The headers by which a trace can come along, as ``META`` has them."""
    return tuple(_in_meta(name) for name in propagate.get_global_textmap().fields)


def _in_meta(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def _caller(meta: Mapping[str, Any]) -> Context | None:
    for name in _headers_of_callers():
        if name in meta:
            return propagate.extract(meta, getter=HEADERS)
    return None


def _method(request: HttpRequest) -> str:
    return request.method if request.method in METHODS and request.method else "HTTP"


def _address(request: HttpRequest) -> str:
    """As the client named it; ``build_absolute_uri`` would raise for a host that is not allowed."""
    return f"{request.scheme}://{request.META.get('HTTP_HOST', '')}{request.path}"
