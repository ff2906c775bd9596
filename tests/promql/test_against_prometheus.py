"""Our answers beside those of a real Prometheus: the same series, the same points, the same values to 1e-9.

Debian's is 2.42, whose windows are closed on both sides; no sample here stands on the edge of a window (that of a
subquery has a broken offset), so that both agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.promql.engine import Engine
from opsconsole.promql.error import PromQLError
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.result import Matrix, Scalar
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels

pytestmark = pytest.mark.real

BASE_MS = 1_700_000_000_000
Answer = dict[Labels, dict[int, float]]

QUERIES = [
    "requests_total",
    'requests_total{status=~"4..|5..", job!="worker"}',
    'requests_total{status!~"2.."} offset 3m',
    '{__name__=~"temp.*|memory_bytes"}',
    "seldom",
    "odd",
    "requests_total @ 1700000600",
    "rate(requests_total[1m])",
    "rate(requests_total[5m])",
    "rate(requests_total[5m] offset 7m)",
    "rate(gappy_total[5m])",
    "delta(seldom[4m])",
    "increase(requests_total[3m])",
    "increase(gappy_total[2m])",
    "irate(requests_total[2m])",
    "irate(gappy_total[2m])",
    "delta(temperature[5m])",
    "delta(odd[5m])",
    "idelta(temperature[2m])",
    "changes(memory_bytes[3m])",
    "resets(requests_total[10m])",
    "avg_over_time(temperature[3m])",
    "avg_over_time(gappy_total[5m])",
    "avg_over_time(odd[1m])",
    "min_over_time(temperature[3m])",
    "max_over_time(odd[3m])",
    "min_over_time(gappy_total[90s])",
    "sum_over_time(temperature[10m])",
    "sum_over_time(odd[2m])",
    "count_over_time(gappy_total[2m])",
    "last_over_time(gappy_total[1m])",
    "present_over_time(seldom[2m])",
    "sum by (job) (rate(requests_total[5m]))",
    "sum without (instance, status) (rate(requests_total[5m]))",
    "sum(rate(requests_total[5m]))",
    "avg by (job) (temperature)",
    "min by (job) (rate(gappy_total[2m]))",
    "max by (status) (requests_total)",
    "count by (job) (seldom)",
    "count(nothing_like_this)",
    "stddev by (job) (memory_bytes)",
    "stdvar(temperature)",
    "group by (status) (requests_total)",
    "topk(2, temperature)",
    "topk by (job) (1, memory_bytes)",
    "bottomk(3, odd)",
    "quantile(0.9, temperature)",
    "quantile by (job) (0.3, odd)",
    'count_values("status", round(odd))',
    "histogram_quantile(0.95, sum by (le) (rate(latency_bucket[5m])))",
    "histogram_quantile(0.5, sum by (job, le) (rate(latency_bucket[2m])))",
    "histogram_quantile(0.999, rate(latency_bucket[5m]))",
    "histogram_quantile(0, latency_bucket)",
    "histogram_quantile(1.5, latency_bucket)",
    'histogram_quantile(0.9, latency_bucket{le!="+Inf"})',
    'sum by (job) (rate(requests_total{status="500"}[5m])) / sum by (job) (rate(requests_total[5m])) > 0.2',
    "rate(latency_sum[5m]) / rate(latency_count[5m])",
    "requests_total / ignoring(status) group_left latency_count",
    "requests_total * on(instance) group_left(version) build_info",
    "build_info * on(instance) group_right(version) requests_total",
    "requests_total / on(instance) temperature",
    "temperature + on(job) memory_bytes",
    "temperature > 0 or seldom",
    "seldom and on(instance) (temperature > 0)",
    "temperature unless seldom > 5",
    "temperature == bool odd",
    "odd != odd",
    "-temperature ^ 2",
    "2 ^ 3 ^ 0.5 - 7 % 4",
    "temperature % 7 + time() * 0",
    "1 - (temperature <= bool 3)",
    "absent(nothing{a='b', c=~'d'})",
    "absent(seldom)",
    "absent(sum(nothing))",
    "absent_over_time(seldom{instance='10.0.0.0:8000'}[1m])",
    "clamp_min(temperature, 3)",
    "clamp_max(odd, 3)",
    "clamp(temperature, -5, scalar(seldom{instance='10.0.0.1:8000'}))",
    "abs(temperature)",
    "round(temperature, 0.5)",
    "sqrt(temperature)",
    "scalar(build_info) + vector(3)",
    "vector(time())",
    "timestamp(seldom)",
    "hour(vector(time())) + minute()",
    "sort_desc(temperature)",
    'label_replace(temperature, "host", "$1", "instance", "(.*):.*")',
    'label_join(temperature, "where", "/", "job", "instance")',
    "max_over_time(rate(requests_total[1m])[5m:30s] offset 500ms)",
    "avg_over_time((temperature > 0)[10m:1m] offset 500ms)",
    "sum by (job) (increase(requests_total[1m:10s] offset 59s500ms))",
]  # fmt: skip


@pytest.fixture(scope="module")
def both(prometheus: Callable[..., Any], shop: Sequence[Block]) -> tuple[Engine, Any]:
    return Engine(MemorySource(shop)), prometheus(shop)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_answered_as_prometheus_answers_it(both: tuple[Engine, Any], query: str) -> None:
    for at_ms in (BASE_MS + 60_000, BASE_MS + 1_234_000, BASE_MS + 2_700_000):
        _compare_instant(both, query, at_ms)
    for span in ((0, 2_400_000, 15_000), (-120_000, 3_000_000, 61_000), (601_000, 661_000, 7_000)):
        _compare_range(both, query, *span)


SELECTORS = st.sampled_from([
    "temperature", "memory_bytes", "odd", "seldom", "requests_total", 'requests_total{status="500"}', "latency_count",
    'temperature{job="web"}', "nothing",
])  # fmt: skip
WINDOWS = st.sampled_from(["20s", "1m", "2m30s", "5m", "11m"])
OFFSETS = st.sampled_from(["", "", "", " offset 2m", " offset -90s"])
COUNTERS = st.sampled_from(["requests_total", "latency_count", "latency_bucket", "gappy_total"])
CHANGES = st.sampled_from(["rate", "increase", "irate", "resets", "changes"])
STATISTICS = st.sampled_from([f"{name}_over_time" for name in ("avg", "min", "max", "sum", "count", "last", "present")])
GROUPINGS = st.sampled_from(["", " by (job)", " by (job, status)", " without (instance)", " by (instance)", " by ()"])
MATCHINGS = st.sampled_from(["", " on(instance)", " ignoring(status)", " on(job, instance)", " on(job)", " on(status)"])
LEAVES = st.one_of(
    st.builds("{}{}".format, SELECTORS, OFFSETS),
    st.builds("{}({}[{}]{})".format, CHANGES, COUNTERS, WINDOWS, OFFSETS),
    st.builds("{}({}[{}]{})".format, STATISTICS, SELECTORS, WINDOWS, OFFSETS),
)


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    numbers = st.sampled_from(["0", "3.5", "-2", "1e3", "time()"])
    return st.one_of(
        st.builds("{}{} ({})".format, st.sampled_from(["sum", "avg", "min", "max", "count", "group"]), GROUPINGS, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from("+-*/"), numbers),
        st.builds("({}) {} ({})".format, numbers, st.sampled_from("+-*/"), inner),
        st.builds("({}) {} 3.21".format, inner, st.sampled_from([">", "<", "== bool", "!=", ">= bool", "<="])),
        st.builds("({}) {}{}{} ({})".format, inner, st.sampled_from("+-*/"), MATCHINGS,
                  st.sampled_from(["", "", " group_left", " group_right"]), inner).filter(_groups_by_something),
        st.builds("({}) {}{} ({})".format, inner, st.sampled_from(["and", "or", "unless"]), MATCHINGS, inner),
        st.builds("-({})".format, inner),
        st.builds("abs({})".format, inner),
        st.builds("clamp_max({}, 100)".format, inner),
        st.builds("absent({})".format, inner),
        st.builds("scalar({}) + vector(1)".format, inner),
    )  # fmt: skip


def _groups_by_something(query: str) -> bool:
    """``group_left`` needs an ``on`` or ``ignoring`` before it."""
    return ") group_" not in query or not any(f" {op} group_" in query for op in "+-*/")


@settings(
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    query=st.recursive(LEAVES, _wider, max_leaves=4),
    start=st.integers(-200, 2600),
    steps=st.integers(0, 60),
    step=st.integers(1, 97),
)
def test_any_query_is_answered_as_prometheus_answers_it(
    both: tuple[Engine, Any], query: str, start: int, steps: int, step: int
) -> None:
    _compare_instant(both, query, BASE_MS + start * 1000)
    _compare_range(both, query, start * 1000, (start + steps * step) * 1000, step * 1000)


def _compare_instant(both: tuple[Engine, Any], query: str, at_ms: int) -> None:
    engine, prometheus = both
    _assert_equal(
        _ours(lambda: engine.instant(query, at_ms), at_ms), prometheus.instant(query, at_ms), f"{query} at {at_ms}"
    )


def _compare_range(both: tuple[Engine, Any], query: str, start: int, end: int, step: int) -> None:
    engine, prometheus = both
    span = (BASE_MS + start, BASE_MS + end, step)
    _assert_equal(_ours(lambda: engine.range(query, *span)), prometheus.range(query, *span), f"{query} in {span}")


def _ours(answer: Callable[[], Matrix | Scalar], at_ms: int = 0) -> Answer | None:
    try:
        result = answer()
    except PromQLError as error:
        if error.message.startswith("unsupported"):
            raise
        return None
    if isinstance(result, Scalar):
        return {Labels(): {at_ms: result.value}}
    return {
        labels: dict(zip(result.timestamps[present].tolist(), values[present].tolist(), strict=True))
        for labels, values, present in zip(result.labels, result.values, result.present, strict=True)
    }


def _assert_equal(ours: Answer | None, theirs: Answer | None, query: str) -> None:
    if ours is None or theirs is None:
        assert ours is theirs, f"{query}: one of the two refuses it"
        return
    assert ours.keys() == theirs.keys(), query
    for labels, points in ours.items():
        assert points.keys() == theirs[labels].keys(), f"{query}: {labels}"
        for timestamp, value in points.items():
            expected = theirs[labels][timestamp]
            same = math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9) or (
                math.isnan(value) and math.isnan(expected)
            )
            assert same, f"{query}: {labels} at {timestamp}: {value!r}, Prometheus says {expected!r}"
