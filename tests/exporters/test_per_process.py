"""The span processor that every process builds for itself."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opsconsole_exporters.tracing import PerProcess


class Collecting(SpanProcessor):
    def __init__(self) -> None:
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.name)


@pytest.mark.timeout(20)
def test_a_span_that_ends_while_the_processor_is_built_neither_hangs_nor_is_lost() -> None:
    """As when garbage collection inside an import finalises a cancelled request."""
    collecting, built = Collecting(), []

    def build() -> SpanProcessor:
        built.append(threading.get_ident())
        tracer.start_span("ended by garbage collection").end()
        return collecting

    provider = TracerProvider()
    provider.add_span_processor(PerProcess(build))
    tracer = provider.get_tracer("test")
    tracer.start_span("first").end()
    tracer.start_span("second").end()
    assert len(built) == 1
    assert collecting.names == ["ended by garbage collection", "first", "second"]


def test_a_build_that_fails_is_tried_again_with_the_next_span() -> None:
    collecting, attempts = Collecting(), []

    def build() -> SpanProcessor:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no thread can be started")
        return collecting

    processor = PerProcess(build)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    with pytest.raises(OSError, match="no thread"):
        tracer.start_span("first").end()
    tracer.start_span("second").end()
    assert collecting.names == ["second"]
