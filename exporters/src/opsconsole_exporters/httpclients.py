"""Calls of other services as spans, and the trace goes on in them (W3C ``traceparent``): requests, httpx and httpx2.

By OpenTelemetry's instrumentations, each if it is installed, and once the service has imported the client: importing one
for a service that never calls anybody would cost each of its processes a tenth of a second and megabytes.  What they would say of an address is cut before its query
string, which may hold a key.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from opentelemetry.trace import Span
from wrapt import register_post_import_hook

from opsconsole_exporters.shield import shield, shielded

# Module of the client -> module and class of its instrumentation.
_CLIENTS = {
    "requests": ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
    "httpx": ("opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor"),
    "httpx2": ("opentelemetry.instrumentation.httpx", "HTTPX2ClientInstrumentor"),
}


def instrument_clients() -> None:
    """Instrument what the service imports, now or later, unless somebody has; one that fails costs no other."""
    for client in _CLIENTS:
        register_post_import_hook(_imported, client)


def _imported(library: ModuleType) -> None:
    module, _ = _CLIENTS[library.__name__]
    with shield(f"traces of {library.__name__}"):
        if not _is_installed(module):
            return
        instrumentation = import_module(module)
        # That of httpx imports httpx2 before it is whole itself, so whoever imports one of them sees to both.
        for client, (of, name) in _CLIENTS.items():
            if of == module and client in sys.modules and hasattr(instrumentation, name):
                _instrument(client, getattr(instrumentation, name)())


def _instrument(client: str, instrumentor: Any) -> None:
    if not instrumentor.is_instrumented_by_opentelemetry:
        hooks: dict[str, Any] = {"request_hook": name_without_query}
        if client != "requests":
            hooks["async_request_hook"] = name_without_query_async
        instrumentor.instrument(**hooks)


@shielded("traces of HTTP clients")
def name_without_query(span: Span, request: Any) -> None:
    """Say the address without user, query string and fragment."""
    if span.is_recording():
        address = str(request.url).partition("?")[0].partition("#")[0]
        scheme, separator, rest = address.partition("://")
        authority, slash, path = rest.partition("/")
        span.set_attribute("url.full", f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}")


async def name_without_query_async(span: Span, request: Any) -> None:
    name_without_query(span, request)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that would hold it
        return False
