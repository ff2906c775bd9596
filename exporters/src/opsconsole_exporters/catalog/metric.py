"""What is said of a metric."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Merge = Literal["livesum", "livemax", "livemin", "livemostrecent"]


OVERFLOW = "other"
"""The value of labels that would make one label set too many."""

CLOSED_LABELS = frozenset(
    (
        "kind",
        "method",
        "operation",
        "outcome",
        "reason",
        "result",
        "state",
        "status",
        "token_class",
        "transport",
        "vendor",
    )
)
"""Labels that have few values, all of them ours: they keep theirs when the others overflow."""


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
    what a gauge is for a whole service: how prometheus-client joins those of its processes.  ``cap``: the most label sets of
    a process; 0 for as many as the service was told.  Further ones are counted under ``OVERFLOW``.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    unit: str = ""
    merge: Merge = "livesum"
    cap: int = 0

    def __str__(self) -> str:
        return self.name

    def overflow(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """The label values under which those of one set too many are counted."""
        return tuple(
            value if name in CLOSED_LABELS else OVERFLOW for name, value in zip(self.labels, values, strict=True)
        )

    @property
    def bucket(self) -> str:
        return f"{self.name}_bucket"

    @property
    def sum(self) -> str:
        return f"{self.name}_sum"

    @property
    def count(self) -> str:
        return f"{self.name}_count"
