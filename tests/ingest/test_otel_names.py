"""Names by the rules of the OpenTelemetry specification and Prometheus' translator."""

from __future__ import annotations

import pytest

from opsconsole.ingest.otel_names import Kind, label_name, labels, metric_name


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.request.duration", "s", Kind.HISTOGRAM, "http_server_request_duration_seconds"),
        ("http.server.duration", "ms", Kind.HISTOGRAM, "http_server_duration_milliseconds"),
        ("system.network.io", "By", Kind.COUNTER, "system_network_io_bytes_total"),
        ("requests", "{requests}", Kind.COUNTER, "requests_total"),
        ("total.requests", "1", Kind.COUNTER, "requests_total"),
        ("requests_total", "", Kind.COUNTER, "requests_total"),
        ("system.cpu.utilization", "1", Kind.GAUGE, "system_cpu_utilization_ratio"),
        ("active", "1", Kind.UP_DOWN, "active"),
        ("disk.used", "%", Kind.GAUGE, "disk_used_percent"),
        ("network.speed", "By/s", Kind.GAUGE, "network_speed_bytes_per_second"),
        ("rate.bytes", "By/m", Kind.GAUGE, "rate_bytes_per_minute"),
        ("speed", "foo/bar", Kind.GAUGE, "speed_foo_per_bar"),
        ("pages", "{page}/s", Kind.GAUGE, "pages_per_second"),
        ("memory_bytes", "By", Kind.GAUGE, "memory_bytes"),
        ("2xx", "", Kind.GAUGE, "_2xx"),
        ("job:rate", "", Kind.GAUGE, "job:rate"),
        ("größe", "", Kind.GAUGE, "gr_e"),
        ("...", "", Kind.GAUGE, ""),
    ],
)
def test_a_metric_is_named_as_prometheus_would(name: str, unit: str, kind: Kind, expected: str) -> None:
    assert metric_name(name, unit, kind) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("http.method", "http_method"), ("0a", "key_0a"), ("_a", "key_a"), ("__a", "__a"), ("ä", "key_")],
)
def test_a_label_is_named_as_prometheus_would(name: str, expected: str) -> None:
    assert label_name(name) == expected


def test_values_of_names_that_become_one_are_put_together() -> None:
    assert labels([("a_b", "2"), ("a.b", "1"), ("", "x")]) == {"a_b": "1;2"}
