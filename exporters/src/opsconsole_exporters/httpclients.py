"""Calls of other services as spans, and the trace goes on in them (W3C ``traceparent``): requests, httpx and httpx2.

By OpenTelemetry's instrumentations, each if it is installed.  What they would say of an address is cut before its query
string, which may hold a key.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from opentelemetry.trace import Span

from opsconsole_exporters.shield import shield, shielded

# Module of the client -> module and class of its instrumentation.
_CLIENTS = {
    "requests": ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
    "httpx": ("opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor"),
    "httpx2": ("opentelemetry.instrumentation.httpx", "HTTPX2ClientInstrumentor"),
}


def instrument_clients() -> None:
    """Instrument what is installed and nobody has instrumented; one that fails costs no other."""
    for client, (module, name) in _CLIENTS.items():
        if find_spec(client) is None or not _is_installed(module):
            continue
        with shield(f"traces of {client}"):
            make = getattr(import_module(module), name, None)
            if make is not None and not make().is_instrumented_by_opentelemetry:
                hooks: dict[str, Any] = {"request_hook": name_without_query}
                if client != "requests":
                    hooks["async_request_hook"] = name_without_query_async
                make().instrument(**hooks)


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
