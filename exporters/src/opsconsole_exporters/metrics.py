"""The metrics of the catalogue as objects of prometheus-client, made once per process."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from opsconsole_exporters import multiprocess
from opsconsole_exporters.catalog import Metric


@cache
def counter(metric: Metric) -> Counter:
    multiprocess.prepare()
    return Counter(metric.name, metric.help, metric.labels)


@cache
def gauge(metric: Metric) -> Gauge:
    """A gauge of a service, not of one worker: a sum over the processes that live, unless the catalogue says otherwise."""
    multiprocess.prepare()
    return Gauge(metric.name, metric.help, metric.labels, multiprocess_mode=metric.merge)


@cache
def histogram(metric: Metric) -> Histogram:
    multiprocess.prepare()
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets)
