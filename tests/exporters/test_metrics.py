"""A metric is made once, however many threads use it first at the same moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opsconsole_exporters import metrics
from opsconsole_exporters.catalog import Kind, Metric
from prometheus_client import REGISTRY

THREADS = 4


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads change places at nearly every instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize(("make", "kind"), [(metrics.counter, Kind.COUNTER), (metrics.histogram, Kind.HISTOGRAM)])
def test_threads_that_use_a_metric_first_share_it(impatient, make, kind):
    suffix, more = ("_total", {}) if kind is Kind.COUNTER else ("", {"buckets": (1.0,)})
    starting = threading.Barrier(THREADS)

    def ask(metric: Metric) -> object:
        starting.wait()
        return make(metric)

    with ThreadPoolExecutor(THREADS) as threads:
        for number in range(100):
            metric = Metric(f"first_use_{kind.value}_{number}{suffix}", kind, ("task",), "Of this test.", **more)
            made = list(threads.map(ask, [metric] * THREADS))
            try:
                assert len(set(map(id, made))) == 1
            finally:
                REGISTRY.unregister(made[0])
