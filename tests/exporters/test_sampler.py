"""Which traces are kept, by a clock that the test moves."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opsconsole_exporters import options
from opsconsole_exporters.sampler import AT_ONCE, RateLimited

TRACE_ID = 0x1234


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def kept(sampler: RateLimited, count: int) -> int:
    return sum(sampler.should_sample(None, TRACE_ID, "GET").decision.is_sampled() for _ in range(count))


def test_a_quiet_service_keeps_all():
    clock = Clock()
    sampler = RateLimited(10, clock)
    for _ in range(100):
        clock.now += 0.11
        assert kept(sampler, 1) == 1


def test_a_busy_one_keeps_so_many_a_second_and_unused_room_lasts_a_second():
    clock = Clock()
    sampler = RateLimited(20, clock)
    assert kept(sampler, 1000) == 20
    clock.now += 0.5
    assert kept(sampler, 1000) == 10
    clock.now += 3600
    assert kept(sampler, 1000) == 20


def test_what_comes_together_is_kept_together_even_when_few_a_second_are():
    clock = Clock()
    sampler = RateLimited(0.1, clock)
    assert kept(sampler, 1000) == AT_ONCE
    clock.now += 9
    assert kept(sampler, 5) == 0
    clock.now += 1
    assert kept(sampler, 5) == 1
    clock.now += 3600
    assert kept(sampler, 1000) == AT_ONCE


def test_none_a_second_is_none():
    assert kept(RateLimited(0, Clock()), 5) == 0


@pytest.mark.parametrize("flags", [trace.TraceFlags.SAMPLED, trace.TraceFlags.DEFAULT])
def test_whoever_called_decides(flags):
    tracer = TracerProvider(sampler=RateLimited(0 if flags else 10)).get_tracer("test")
    caller = trace.SpanContext(TRACE_ID, 7, is_remote=True, trace_flags=trace.TraceFlags(flags))
    span = tracer.start_span("GET", trace.set_span_in_context(trace.NonRecordingSpan(caller)))
    assert span.is_recording() is bool(flags)
    assert span.get_span_context().trace_id == TRACE_ID


def test_the_rate_is_read(monkeypatch):
    monkeypatch.setenv("OPSCONSOLE_TRACES_PER_SECOND", "0.5")
    assert options.Options.read().traces_per_second == 0.5
