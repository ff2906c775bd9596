"""``POST /v1/metrics`` by hand and by a real OpenTelemetry SDK, out again by PromQL."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from opsconsole.ingest.otlp_metrics import OtlpMetricsDecoder
from opsconsole.operations import query
from opsconsole.operations.console import Console
from opsconsole.series.clock import SystemClock

from .conftest import NOW_MS

pytestmark = pytest.mark.django_db(transaction=True)

PROTOBUF = "application/x-protobuf"
CUMULATIVE, DELTA = 2, 1
MS = 1_000_000
ME = 'instance="pod-1", job="shop/web"'


@pytest.fixture
def request_of() -> Callable[..., ExportMetricsServiceRequest]:
    """``request_of(metric=…)``: one metric of a service, in a scope without a name."""

    def make(**metric: Any) -> ExportMetricsServiceRequest:
        request = ExportMetricsServiceRequest()
        resource = request.resource_metrics.add()
        for name, value in (("service.name", "web"), ("service.namespace", "shop"), ("service.instance.id", "pod-1")):
            resource.resource.attributes.add(key=name).value.string_value = value
        json_format.ParseDict(metric, resource.scope_metrics.add().metrics.add())
        return request

    return make


def point(at_ms: int, **more: Any) -> dict[str, Any]:
    return {"timeUnixNano": at_ms * MS, "startTimeUnixNano": (NOW_MS - 60_000) * MS, **more}


def send(client: Client, request: ExportMetricsServiceRequest) -> ExportMetricsServiceResponse:
    answer = client.post("/v1/metrics", request.SerializeToString(), content_type=PROTOBUF)
    assert answer.status_code == 200, answer.content
    return ExportMetricsServiceResponse.FromString(answer.content)


def values(console: Console, promql: str, at_ms: int = NOW_MS + 5000) -> dict[str, float]:
    result = query.instant(console, promql, at_ms)
    return {str(labels): row[0] for labels, row in zip(result.labels, result.values.tolist(), strict=True)}


def test_a_gauge_a_counter_and_a_sum_that_may_fall(pusher, pushed_into, request_of):
    points = [point(NOW_MS, asDouble=0.5, attributes=[{"key": "http.route", "value": {"stringValue": "/"}}])]
    send(pusher, request_of(name="cpu.utilization", unit="1", gauge={"dataPoints": points}))
    total = {"dataPoints": [point(NOW_MS, asInt=7)], "aggregationTemporality": CUMULATIVE}
    send(pusher, request_of(name="http.requests", unit="{request}", sum={**total, "isMonotonic": True}))
    send(pusher, request_of(name="jobs", unit="1", sum=total))
    assert values(pushed_into, '{job="shop/web"}') == {
        f'cpu_utilization_ratio{{http_route="/", {ME}}}': 0.5,
        f"http_requests_total{{{ME}}}": 7,
        f"jobs{{{ME}}}": 7,
    }
    assert pushed_into.metadata.find("http_requests_total")["http_requests_total"][0].type == "counter"


def test_a_histogram_in_json_and_zipped(pusher, pushed_into, request_of):
    trace = {"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708"}
    one = {"count": "6", "sum": 3.5, "explicitBounds": [0.1, 1], "bucketCounts": ["1", "2", "3"]}
    document = json_format.MessageToDict(
        request_of(name="lag", unit="s", histogram={"dataPoints": [point(NOW_MS, **one)], "aggregationTemporality": 2})
    )
    exemplar = {"timeUnixNano": str(NOW_MS * MS), "asDouble": 0.5, **trace}
    histogram = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["histogram"]
    histogram["dataPoints"][0]["exemplars"] = [exemplar]
    body = gzip.compress(json_format.json.dumps(document).encode())
    headers = {"content-encoding": "gzip"}
    answer = pusher.generic("POST", "/v1/metrics", body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert values(pushed_into, '{__name__=~"lag.*"}') == {
        f'lag_seconds_bucket{{instance="pod-1", job="shop/web", le="{bound}"}}': count
        for bound, count in (("0.1", 1), ("1", 3), ("+Inf", 6))
    } | {f"lag_seconds_sum{{{ME}}}": 3.5, f"lag_seconds_count{{{ME}}}": 6}
    (kept,) = pushed_into.exemplars.select((), 0, NOW_MS)
    assert (kept.labels.get("le"), kept.exemplars[0].labels.get("trace_id")) == ("1", trace["traceId"])


def test_a_summary(pusher, pushed_into, request_of):
    quantiles = [{"quantile": 0.5, "value": 1}, {"quantile": 0.99, "value": 4}]
    one = point(NOW_MS, count="9", sum=12, quantileValues=quantiles)
    send(pusher, request_of(name="old", summary={"dataPoints": [one]}))
    assert sorted(values(pushed_into, '{__name__=~"old.*"}').values()) == [1, 4, 9, 12]


def test_deltas_are_added_up_a_repeated_one_once_and_go_on_after_a_restart(pusher, pushed_into, request_of):
    def delta(at_ms: int) -> ExportMetricsServiceRequest:
        total = {"dataPoints": [point(at_ms, asInt=2)], "aggregationTemporality": DELTA, "isMonotonic": True}
        return request_of(name="d", sum=total)

    for at_ms in (NOW_MS, NOW_MS + 1000, NOW_MS + 1000, NOW_MS + 2000):
        assert not send(pusher, delta(at_ms)).HasField("partial_success")
    assert values(pushed_into, "d_total") == {f"d_total{{{ME}}}": 6}
    partial = send(pusher, delta(NOW_MS + 500)).partial_success
    assert (partial.rejected_data_points, partial.error_message[:18]) == (1, "out of order delta")
    receivers = pushed_into.receivers
    fresh = OtlpMetricsDecoder(receivers.intake.roster, receivers.otlp_metrics._newest)
    for at_ms, expected in ((NOW_MS + 2000, 6), (NOW_MS + 3000, 8)):
        push = fresh.decode(delta(at_ms).SerializeToString(), PROTOBUF, NOW_MS)
        assert push.values.tolist() == [expected]


def test_a_point_without_a_recorded_value_ends_its_series(pusher, pushed_into, request_of):
    send(pusher, request_of(name="g", gauge={"dataPoints": [point(NOW_MS, asInt=7)]}))
    send(pusher, request_of(name="g", gauge={"dataPoints": [point(NOW_MS + 1000, flags=1)]}))
    assert values(pushed_into, "g", NOW_MS + 500) == {f"g{{{ME}}}": 7}
    assert values(pushed_into, "g") == {}


def test_what_is_not_taken_is_a_partial_success(pusher, pushed_into, request_of):
    for metric, sentence in (
        ({"name": "a", "sum": {"dataPoints": [point(NOW_MS, asInt=1)]}}, "aggregation temporality"),
        ({"name": "...", "gauge": {"dataPoints": [point(NOW_MS, asInt=1)]}}, "which is no name"),
        ({"name": "f", "gauge": {"dataPoints": [point(NOW_MS + 700_000, asInt=1)]}}, "too far in the future"),
        (
            {"name": "h", "histogram": {"dataPoints": [point(NOW_MS, bucketCounts=["1"], explicitBounds=[1.0])],
                                        "aggregationTemporality": CUMULATIVE}},
            "do not go with",
        ),
    ):  # fmt: skip
        partial = send(pusher, request_of(**metric)).partial_success
        assert partial.rejected_data_points == 1
        assert sentence in partial.error_message


@pytest.fixture
def shop(pusher, pushed_into, live_server) -> Iterator[Callable[..., Any]]:
    """``shop(temporality)``: the meter of a real SDK that exports to this console, and what exports."""
    object.__setattr__(pushed_into, "clock", SystemClock())
    pushed_into.receivers.intake._clock = pushed_into.clock
    providers: list[MeterProvider] = []

    def start(temporality: AggregationTemporality) -> tuple[Any, MeterProvider]:
        preferred = dict.fromkeys((Counter, Histogram, ObservableCounter), temporality)
        header = {"authorization": pusher.defaults["HTTP_AUTHORIZATION"]}
        exporter = OTLPMetricExporter(f"{live_server.url}/v1/metrics", headers=header, preferred_temporality=preferred)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        resource = Resource({"service.name": "sdk", "service.instance.id": temporality.name, "region": "eu"})
        exponential = View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())
        provider = MeterProvider([reader], resource, views=[exponential], shutdown_on_exit=False)
        providers.append(provider)
        return provider.get_meter("shop", "1.2"), provider

    yield start
    for provider in providers:
        provider.shutdown()


@pytest.mark.parametrize("temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA])
def test_every_instrument_of_a_real_sdk_is_read_back(shop, pushed_into, temporality):
    meter, provider = shop(temporality)
    counter, up_down = meter.create_counter("orders", "1"), meter.create_up_down_counter("queue.length")
    histogram = meter.create_histogram("duration", "s", explicit_bucket_boundaries_advisory=[0.1, 1, 10])
    exponential = meter.create_histogram("exponential", "s")
    meter.create_observable_gauge("temperature", [lambda _: [Observation(21.5)]], "Cel")
    meter.create_observable_counter("read", [lambda _: [Observation(1000)]], "By")
    for _ in range(3):
        counter.add(2, {"plan": "pro"})
        up_down.add(-1)
        for seconds in (0.05, 0.5, 5, 50):
            histogram.record(seconds)
            exponential.record(seconds)
        assert provider.force_flush(20_000)

    now_ms = pushed_into.clock.now_ms()
    found = values(pushed_into, f'sum by (__name__) ({{instance="{temporality.name}", le=~"|[+]Inf"}})', now_ms)
    assert found == {
        "duration_seconds_bucket": 12,
        "duration_seconds_count": 12,
        "duration_seconds_sum": pytest.approx(3 * 55.55),
        "exponential_seconds_bucket": 12,
        "exponential_seconds_count": 12,
        "exponential_seconds_sum": pytest.approx(3 * 55.55),
        "orders_total": 6,
        "queue_length": -3,
        "read_bytes_total": 1000,
        "target_info": 1,
        "temperature_celsius": 21.5,
    }
    labels = f'instance="{temporality.name}", job="sdk", otel_scope_name="shop", otel_scope_version="1.2", plan="pro"'
    assert values(pushed_into, "orders_total", now_ms) == {f"orders_total{{{labels}}}": 6}
    assert values(pushed_into, "target_info", now_ms).popitem()[0].count('region="eu"') == 1
    half = values(pushed_into, "histogram_quantile(0.5, exponential_seconds_bucket)", now_ms)
    assert list(half.values()) == [pytest.approx(0.5, rel=0.2)]
    assert list(values(pushed_into, 'duration_seconds_bucket{le="1"}', now_ms).values()) == [6]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_comes_there_is_an_answer(pusher, pushed_into, request_of, data):
    one = point(NOW_MS, count="3", sum=3.5, scale=data.draw(st.integers(-(2**31), 2**31 - 1)))
    one |= {"positive": {"offset": data.draw(st.integers(-(2**31), 2**31 - 1)), "bucketCounts": ["1", "2"]}}
    request = request_of(name="e", exponentialHistogram={"dataPoints": [one], "aggregationTemporality": 1})
    as_json = data.draw(st.booleans())
    body = bytearray(json_format.MessageToJson(request).encode() if as_json else request.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        position = data.draw(st.integers(0, len(body) - 1))
        body[position : position + data.draw(st.integers(0, 2))] = data.draw(st.binary(min_size=1, max_size=4))
    zipped = data.draw(st.sampled_from([False, False, True]))
    sent = gzip.compress(bytes(body)) if zipped else bytes(body)
    if data.draw(st.booleans()):
        sent = sent[: data.draw(st.integers(1, len(sent)))]
    answer = pusher.generic(
        "POST",
        "/v1/metrics",
        sent,
        content_type="application/json" if as_json else PROTOBUF,
        headers={"content-encoding": "gzip" if zipped else ""},
    )
    assert answer.status_code in {200, 400, 413, 415}, answer.content
