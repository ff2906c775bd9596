"""The metrics of the catalogue as objects of prometheus-client, made once per process, with bounded label sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from math import isnan
from threading import Lock
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from opsconsole_exporters import multiprocess
from opsconsole_exporters.batch import Batch
from opsconsole_exporters.catalog import Metric
from opsconsole_exporters.catalog.exporter import FOLDED
from opsconsole_exporters.options import Options


class _Bounded:
    """What a label from outside (a queue, a model, a task) can do to a service: fill its memory, a label set each.

    So there is a most, above which further ones share one, and are counted.  Those that came first stay.
    """

    metric: Metric
    most: int
    _metrics: Any  # of prometheus-client's own: children by label values
    _labelnames: Any

    def labels(self, *values: Any, **named: Any) -> Any:
        if named:
            values = tuple(named[name] for name in self._labelnames if name in named)
        key = tuple(map(str, values))
        child = self._metrics.get(key)
        if child is not None:
            return child
        if len(self._metrics) >= self.most and len(key) == len(self._labelnames):
            if self.metric is not FOLDED:
                counter(FOLDED).labels(self.metric.name).inc()
            key = self.metric.overflow(key)
        return super().labels(*key)  # type: ignore[misc]

    def holds(self, key: tuple[str, ...]) -> bool:
        """Whether these label values have a child of their own, which may be remembered by whoever asks often."""
        return key in self._metrics


AnyMetric = TypeVar("AnyMetric", bound=_Bounded)


class BoundedCounter(_Bounded, Counter):
    pass


class BoundedGauge(_Bounded, Gauge):
    pass


class BoundedHistogram(_Bounded, Histogram):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """As prometheus-client does, whose way to the bucket and its sum is longer."""
        if isnan(amount):  # which is in no bucket
            super().observe(amount, exemplar)
            return
        batch = Batch()
        batch.observe(self, amount, exemplar)
        batch.write()


_making = Lock()


def _forget_who_was_making() -> None:
    """A child that is forked meanwhile would wait for a thread that it does not have."""
    global _making
    _making = Lock()


os.register_at_fork(after_in_child=_forget_who_was_making)


def _once(make: Callable[[Metric], AnyMetric]) -> Callable[[Metric], AnyMetric]:
    """``cache`` lets two threads that are first at the same moment both make one, and prometheus-client refuses the second."""
    made: dict[Metric, AnyMetric] = {}

    @cache
    def get(metric: Metric) -> AnyMetric:
        with _making:
            if metric not in made:
                made[metric] = make(metric)
            return made[metric]

    return get


@_once
def counter(metric: Metric) -> BoundedCounter:
    multiprocess.prepare()
    return _bounded(BoundedCounter(metric.name, metric.help, metric.labels), metric)


@_once
def gauge(metric: Metric) -> BoundedGauge:
    """A gauge of a service, not of one worker: a sum over the processes that live, unless the catalogue says otherwise."""
    multiprocess.prepare()
    return _bounded(BoundedGauge(metric.name, metric.help, metric.labels, multiprocess_mode=metric.merge), metric)


@_once
def histogram(metric: Metric) -> BoundedHistogram:
    multiprocess.prepare()
    return _bounded(BoundedHistogram(metric.name, metric.help, metric.labels, buckets=metric.buckets), metric)


def _bounded(made: AnyMetric, metric: Metric) -> AnyMetric:
    made.metric, made.most = metric, metric.cap or Options.read().label_sets
    return made
