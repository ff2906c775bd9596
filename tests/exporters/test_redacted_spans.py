"""A span without a secret goes out as it is; one with a secret as a copy that says everything else."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags
from opsconsole_exporters import shield
from opsconsole_exporters.redactedspans import UNSEARCHED, RedactedSpans, without_secrets
from opsconsole_exporters.redaction import HIDDEN, Redaction

SESAME = "open-sesame-42"


class Kept(SpanExporter):
    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def tracer(kept):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    yield provider.get_tracer("test")
    provider.shutdown()


def test_a_span_without_a_secret_is_not_copied(tracer, kept):
    with tracer.start_as_current_span("GET item/") as span:
        span.set_attribute("db.query.text", "SELECT key FROM session WHERE id = %s")
        span.set_attribute("gen_ai.usage.input_tokens", 100)
        span.set_attribute("gen_ai.response.finish_reasons", ("stop", "length"))
        span.add_event("retry", {"attempt": 2})
    assert without_secrets(kept.spans[0], Redaction()) is kept.spans[0]


def test_a_copy_says_everything_but_the_secret(tracer, kept):
    other = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span("work", links=[Link(other, {"token": SESAME, "n": 1})]) as span:
        span.set_attribute("iban", "DE00")
        span.set_attribute("rows", 7)
        span.add_event("called", {"url": f"https://a/?token={SESAME}", "n": 2}, timestamp=5)
        span.set_status(StatusCode.ERROR, f"password={SESAME}")
    before = kept.spans[0]
    after = without_secrets(before, Redaction(["iban"]))
    assert dict(after.attributes) == {"iban": HIDDEN, "rows": 7}
    assert [(e.name, dict(e.attributes), e.timestamp) for e in after.events] == [
        ("called", {"url": f"https://a/?token={HIDDEN}", "n": 2}, 5)
    ]
    assert [(link.context, dict(link.attributes)) for link in after.links] == [(other, {"token": HIDDEN, "n": 1})]
    assert (after.status.status_code, after.status.description) == (StatusCode.ERROR, f"password={HIDDEN}")
    for name in ("name", "context", "parent", "resource", "kind", "start_time", "end_time", "instrumentation_scope"):
        assert getattr(after, name) == getattr(before, name)
    assert (after.dropped_attributes, after.dropped_events, after.dropped_links) == (0, 0, 0)
    assert SESAME not in after.to_json()


def test_a_span_that_cannot_be_searched_leaves_without_its_texts(tracer, kept, caplog, monkeypatch):
    class Broken(Redaction):
        def field(self, name, value):
            raise RuntimeError(name)

    monkeypatch.setattr(shield, "_reported", set())
    with tracer.start_as_current_span(f"token={SESAME}") as span:
        span.set_attribute("any", SESAME)
    out = Kept()
    assert RedactedSpans(out, Broken()).export(kept.spans) is SpanExportResult.SUCCESS
    (sent,) = out.spans
    assert dict(sent.attributes) == {UNSEARCHED: "RuntimeError"}
    assert sent.context == kept.spans[0].context
    assert SESAME not in sent.to_json()
    assert "redaction of traces failed" in caplog.text
