"""Traces: OpenTelemetry's SDK and its contrib instrumentations, sent as OTLP.

Everything an operator can choose are OpenTelemetry's own variables (``OTEL_*``).  Without an endpoint no exporter starts,
and spans only serve to put trace ids into logs and messages.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib.util import find_spec

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from opsconsole_exporters import otlp
from opsconsole_exporters.options import Options
from opsconsole_exporters.redaction import Redaction
from opsconsole_exporters.sampler import RateLimited
from opsconsole_exporters.service import release
from opsconsole_exporters.shield import report

# At exit the last spans get this long to leave; a console that is down must not hold up a deployment.
FLUSH_AT_EXIT_S = 2.0
# A live console should show a request within a second or two; the SDK's own default is five seconds.
SCHEDULE_DELAY_MS = 1000


class PerProcess(SpanProcessor):
    """Hands spans to a processor that is built in the process that ends them.

    A batching processor owns a thread and a connection, and neither survives a fork.  Servers fork at moments of their own
    (gunicorn before or after loading the application, Celery whenever a child is replaced), so the processor is built when
    the first span ends, and again after every fork.
    """

    def __init__(self, build: Callable[[], SpanProcessor]) -> None:
        self._build = build
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # Reentrant: garbage collection inside ``build`` may finalise a cancelled request and so end its span, on this thread.
        self._lock = threading.RLock()
        self._delegate: SpanProcessor | None = None
        self._early: list[ReadableSpan] | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing: batching begins when a span ends."""

    def on_end(self, span: ReadableSpan) -> None:
        if self._delegate is None:
            with self._lock:
                if self._early is not None:  # ended inside ``build``, further up this thread's stack
                    self._early.append(span)
                    return
                if self._delegate is None:
                    self._begin()
        if (delegate := self._delegate) is not None:
            delegate.on_end(span)

    def _begin(self) -> None:
        self._early = []
        try:
            self._delegate = self._build()
            for early in self._early:
                self._delegate.on_end(early)
        finally:
            self._early = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        delegate = self._delegate
        return delegate is None or _within(timeout_millis / 1000, delegate.force_flush)

    def shutdown(self) -> None:
        if (delegate := self._delegate) is not None:
            _within(FLUSH_AT_EXIT_S, delegate.shutdown)


def install_provider(service: str) -> None:
    """Make our tracer provider the process's, unless the service has brought its own."""
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    attributes = {SERVICE_NAME: service}
    if version := release():
        attributes[SERVICE_VERSION] = version
    chosen = os.environ.get("OTEL_TRACES_SAMPLER")
    provider = TracerProvider(
        sampler=None if chosen else RateLimited(Options.read().traces_per_second), resource=Resource.create(attributes)
    )
    if otlp.wanted():
        provider.add_span_processor(PerProcess(_batching))
    trace.set_tracer_provider(provider)


def use_stable_names() -> None:
    """Choose the stable names of HTTP and database attributes; must run before the first contrib instrumentation."""
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")


def instrument_psycopg() -> None:
    """SQL as child spans, without the values of parameters; for a process without Django, which makes its own."""
    if find_spec("psycopg") is None or find_spec("opentelemetry.instrumentation.psycopg") is None:
        return
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    instrumentor = PsycopgInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument()


def flush() -> None:
    """Send what waits, within ``FLUSH_AT_EXIT_S``; for processes that end without running exit handlers."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(int(FLUSH_AT_EXIT_S * 1000))


def enabled() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


def _batching() -> SpanProcessor:
    from opsconsole_exporters.outbox import Outbox
    from opsconsole_exporters.redactedspans import RedactedSpans

    chosen = "OTEL_BSP_SCHEDULE_DELAY" in os.environ
    try:
        exporter = RedactedSpans(otlp.exporter(), Redaction(Options.read().log_redact.split(",")))
        return Outbox(exporter, schedule_delay_millis=None if chosen else SCHEDULE_DELAY_MS)
    except Exception as error:  # noqa: BLE001 - built while a span of the host ends, which must not notice
        report("export of traces", error)
        return SpanProcessor()


def _within(seconds: float, act: Callable[[], object]) -> bool:
    """Run ``act``, but wait for it no longer than ``seconds``; the SDK itself does not keep to its timeouts."""
    thread = threading.Thread(target=act, name="opsconsole-flush", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
