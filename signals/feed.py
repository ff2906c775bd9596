"""Feeds: the inverse of a signal.  Which raw series, held steady, make its expression read a chosen level.

Generated tests are built on them: a test says "P95 at 0.7 s", the feed says which buckets must grow how fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from opsconsole_exporters.catalog import Metric

EXAMPLE_LABELS: Mapping[str, str] = {
    "alias": "default",
    "db_client_connection_pool_name": "default",
    "db_client_connection_state": "used",
    "method": "GET",
    "queue": "default",
    "status": "200",
    "transport": "http",
    "vendor": "postgresql",
    "view": "checkout",
}
"""One believable value of each label of the catalogue that a feed may have to fill."""

_TRAFFIC_PER_S = 1000.0
"""Events a second behind a share or a quantile: enough that whole counts hit a level within a thousandth."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One raw series.  ``value`` is the level of a gauge, or the growth per second of a counter."""

    name: str
    labels: Mapping[str, str]
    value: float
    counter: bool = False
    scalable: bool = False
    """More of it, in step with its fellows, leaves the signal where it is: shares and quantiles, not rates."""


class Feed(Protocol):
    def at(self, level: float) -> tuple[Flow, ...]:
        """The series, always the same ones in the same order, that make the signal read ``level``."""
        ...


@dataclass(frozen=True, slots=True)
class Gauge:
    """The metric itself is the level."""

    metric: Metric

    def at(self, level: float) -> tuple[Flow, ...]:
        return (Flow(self.metric.name, _labels(self.metric), level),)


@dataclass(frozen=True, slots=True)
class GaugeRatio:
    """``part / whole``, of a whole of 1000."""

    part: Metric
    whole: Metric

    def at(self, level: float) -> tuple[Flow, ...]:
        return (
            Flow(self.part.name, _labels(self.part), level * 1000),
            Flow(self.whole.name, _labels(self.whole), 1000),
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """The metric grows by the level each second."""

    metric: Metric

    def at(self, level: float) -> tuple[Flow, ...]:
        return (Flow(self.metric.name, _labels(self.metric), level, counter=True),)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a counter whose ``label`` is ``part``, of that and ``rest`` together."""

    metric: Metric
    label: str
    part: str
    rest: str

    def at(self, level: float) -> tuple[Flow, ...]:
        return tuple(
            Flow(
                self.metric.name,
                {**_labels(self.metric), self.label: value},
                share * _TRAFFIC_PER_S,
                counter=True,
                scalable=True,
            )
            for value, share in ((self.part, level), (self.rest, 1 - level))
        )


@dataclass(frozen=True, slots=True)
class Quantile:
    """``q`` of the histogram, 0 < ``q`` < 1, is the level, as ``histogram_quantile`` interpolates it."""

    metric: Metric
    q: float

    def at(self, level: float) -> tuple[Flow, ...]:
        """Raises ``ValueError`` for a level that no quantile can read: beyond the finite buckets, or so low in the first
        that even a histogram with nothing above it reads higher.
        """
        bounds = self.metric.buckets
        if not self.q * bounds[0] <= level <= bounds[-1]:
            raise ValueError(f"{self.metric.name} cannot show {level}: choose a level within its buckets")
        index = next(i for i, bound in enumerate(bounds) if level <= bound)
        low, high = (bounds[index - 1] if index else 0.0), bounds[index]
        depth = (level - low) / (high - low)
        # Linear interpolation puts the quantile at low + (high - low) * (q - below) / inside.  Deep in the bucket
        # (depth > q) no share below it can reach the level, so nothing lies below and the rest in the next bucket.
        below, upto = (1 - (1 - self.q) / (1 - depth), 1.0) if depth <= self.q else (0.0, self.q / depth)
        cumulative = [*(below,) * index, upto, *(1.0,) * (len(bounds) - index)]
        return tuple(
            Flow(
                self.metric.bucket,
                {**_labels(self.metric), "le": le},
                share * _TRAFFIC_PER_S,
                counter=True,
                scalable=True,
            )
            for le, share in zip((*map(str, bounds), "+Inf"), cumulative, strict=True)
        )


def _labels(metric: Metric) -> dict[str, str]:
    return {label: EXAMPLE_LABELS[label] for label in metric.labels}
