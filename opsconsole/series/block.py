"""Blocks: many series that share their timestamps, as one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .labels import Labels

Timestamps = NDArray[np.int64]
Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_NAN_SAMPLE_BITS = 0x7FF8000000000001
_STALE_BITS = 0x7FF0000000000002

NAN_SAMPLE = float(np.int64(_NAN_SAMPLE_BITS).view(np.float64))
"""A sample whose value is NaN, in the bits Prometheus gives it."""

STALE = float(np.int64(_STALE_BITS).view(np.float64))
"""The series ended here, in the bits of Prometheus' staleness marker.  Copies keep them, arithmetic does not."""


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of S series at P shared instants: the scrapes of one target, or the writes of one client.

    ``labels``: S label sets, metric name included.
    ``timestamps``: int64[P], Unix milliseconds, strictly ascending.
    ``values``: float64[S, P].  A cell is a sample (one that really is NaN is stored as ``NAN_SAMPLE``), ``STALE`` where
    the series ended, or any other NaN where nothing is known of it at that instant.
    """

    labels: Sequence[Labels]
    timestamps: Timestamps
    values: Values

    def blocks(self) -> Sequence[Block]:
        """Itself, as a stack gives its own."""
        return (self,)

    def within(self, start_ms: int, end_ms: int) -> Block | None:
        """The part in (start_ms, end_ms]; None when there is none."""
        first, last = np.searchsorted(self.timestamps, (start_ms, end_ms), side="right")
        if first == last:
            return None
        return Block(self.labels, self.timestamps[first:last], self.values[:, first:last])


def is_sample(values: Values) -> Mask:
    """Which cells of a block hold a sample."""
    sampled = ~np.isnan(values)
    if not sampled.all():
        sampled |= values.view(np.int64) == _NAN_SAMPLE_BITS
    return sampled


def is_stale(values: Values) -> Mask:
    """Which cells of a block end their series."""
    stale: Mask = values.view(np.int64) == _STALE_BITS
    return stale
