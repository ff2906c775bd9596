from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opsconsole_exporters.catalog.http import HTTP_LATENCY, HTTP_REQUESTS, HTTP_RESPONSES
from opsconsole_exporters.catalog.pools import POOL_CONNECTIONS, POOL_MAX

from signals.feed import Flow, GaugeRatio, Quantile, Rate, Share


def quantile_of(flows: tuple[Flow, ...], q: float) -> float:
    """Linear interpolation over cumulative buckets, the plain textbook way."""
    bounds = [float(flow.labels["le"]) for flow in flows]
    counts = [flow.value for flow in flows]
    rank = q * counts[-1]
    index = next(i for i, count in enumerate(counts) if count >= rank)
    below, low = (counts[index - 1], bounds[index - 1]) if index else (0.0, 0.0)
    return low + (bounds[index] - low) * (rank - below) / (counts[index] - below)


@given(level=st.floats(0.01, 75), q=st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_feed_shows_the_level_it_was_asked_for(level: float, q: float) -> None:
    flows = Quantile(HTTP_LATENCY, q).at(level)
    assert quantile_of(flows, q) == pytest.approx(level, rel=1e-6)


@given(level=st.floats(0.01, 75))
def test_buckets_of_a_quantile_feed_are_cumulative_and_complete(level: float) -> None:
    flows = Quantile(HTTP_LATENCY, 0.95).at(level)
    assert [flow.labels["le"] for flow in flows] == [*map(str, HTTP_LATENCY.buckets), "+Inf"]
    values = [flow.value for flow in flows]
    assert values == sorted(values)


@pytest.mark.parametrize("level", [0, 0.005, 76])
def test_a_level_that_the_buckets_cannot_show_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="choose a level within its buckets"):
        Quantile(HTTP_LATENCY, 0.95).at(level)


def test_a_share_feed_splits_the_traffic() -> None:
    failed, fine = Share(HTTP_RESPONSES, label="status", part="500", rest="200").at(0.05)
    assert failed.labels["status"] == "500"
    assert failed.value / (failed.value + fine.value) == pytest.approx(0.05)


def test_a_ratio_of_gauges_needs_no_traffic() -> None:
    part, whole = GaugeRatio(POOL_CONNECTIONS, POOL_MAX).at(0.9)
    assert part.value / whole.value == pytest.approx(0.9)
    assert not part.counter


def test_more_traffic_would_change_a_rate_so_its_flow_does_not_scale() -> None:
    (flow,) = Rate(HTTP_REQUESTS).at(10)
    assert (flow.value, flow.counter, flow.scalable) == (10, True, False)
