"""What is said of a metric."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Merge = Literal["livesum", "livemax", "livemin", "livemostrecent"]


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family as it appears on ``/metrics``.

    ``name`` is the exposed name: with ``_total`` for a counter, without ``_bucket`` for a histogram.
    ``buckets`` are upper bounds in the metric's own unit, without ``+Inf``; empty unless a histogram.
    ``unit`` as Prometheus names base units (``seconds``, ``bytes``, ``ratio``), empty for a plain number.  ``merge`` says
    what a gauge is for a whole service: how prometheus-client joins those of its processes.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    unit: str = ""
    merge: Merge = "livesum"

    def __str__(self) -> str:
        return self.name

    @property
    def bucket(self) -> str:
        return f"{self.name}_bucket"

    @property
    def sum(self) -> str:
        return f"{self.name}_sum"

    @property
    def count(self) -> str:
        return f"{self.name}_count"
