"""Spans on their way out: a queue of bounded length in every process, and a count of what never left.

OpenTelemetry's batching processor drops the oldest span when its queue is full, and forgets a batch whose export failed.
Both are right for the host, and both must be seen.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.exporter import SPANS_DROPPED
from opsconsole_exporters.options import count
from opsconsole_exporters.shield import shielded

_SDKS_QUEUE_SIZE, _SDKS_BATCH_SIZE = 2048, 512


class Outbox(BatchSpanProcessor):
    """The SDK's processor; ``dropped`` counts by reason."""

    def __init__(self, exporter: SpanExporter, schedule_delay_millis: float | None) -> None:
        self._waiting = 0
        self._length = queue_size()
        self._count = threading.Lock()
        super().__init__(
            Counted(exporter, self),
            max_queue_size=self._length,
            schedule_delay_millis=schedule_delay_millis,
            # The SDK refuses a batch that is longer than the queue, and 512 is its default.
            max_export_batch_size=min(self._length, batch_size()),
        )

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            with self._count:
                self._waiting += 1
                full = self._waiting > self._length
                if full:
                    self._waiting = self._length
            if full:
                dropped("full", 1)
        super().on_end(span)

    def taken(self, spans: int) -> None:
        """They have left the queue for the exporter."""
        with self._count:
            self._waiting = max(0, self._waiting - spans)


class Counted(SpanExporter):
    """An exporter whose failures are counted."""

    def __init__(self, exporter: SpanExporter, outbox: Outbox) -> None:
        self._exporter = exporter
        self._outbox = outbox

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._outbox.taken(len(spans))
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                dropped("refused", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def queue_size() -> int:
    """Spans of this process that may wait."""
    return count("OTEL_BSP_MAX_QUEUE_SIZE", _SDKS_QUEUE_SIZE)


def batch_size() -> int:
    return count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", _SDKS_BATCH_SIZE)


@shielded("span metrics")
def dropped(reason: str, spans: int) -> None:
    """``full``: the queue was; ``refused``: the collector did not take them, or could not be reached."""
    metrics.counter(SPANS_DROPPED).labels(reason).inc(spans)
