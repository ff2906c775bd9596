"""How far the samples of a window stand for it: what extrapolation makes of its edges.

Source: Prometheus, promql/functions.go (extrapolatedRate), operation for operation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.stack import Index

CLOSE = 1.1  # a sample that near to the window's edge, in average distances, stands for the whole way to it


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the samples of a window stand for it, in seconds; float64[1 or S, T] each.

    ``sampled``: from the first to the last sample.  ``to_start``, ``to_end``: beyond these, towards the edges of the window.
    """

    sampled: Values
    to_start: Values
    to_end: Values

    @classmethod
    def of(
        cls, first_ms: Timestamps, last_ms: Timestamps, count: Index, starts_ms: Timestamps, ends_ms: Timestamps
    ) -> Reach:
        """``first_ms``, ``last_ms``, ``count``: [1 or S, T], when the first and the last sample of each window were taken, and
        how many it has.  ``starts_ms``, ``ends_ms``: int64[T], the edges of the windows.
        """
        sampled = (last_ms - first_ms) / 1000
        distance = sampled / (count - 1)
        to_start = (first_ms - starts_ms) / 1000
        to_end = (ends_ms - last_ms) / 1000
        return cls(
            sampled,
            np.where(to_start >= distance * CLOSE, distance / 2, to_start),
            np.where(to_end >= distance * CLOSE, distance / 2, to_end),
        )

    @property
    def factor(self) -> Values:
        return (self.sampled + self.to_start + self.to_end) / self.sampled

    def of_those(self, index: Index | Mask) -> Reach:
        return Reach(self.sampled[index], self.to_start[index], self.to_end[index])

    def at(self, row: Index, column: Index) -> Reach:
        """The reach of single cells."""
        row = np.zeros_like(row) if self.sampled.shape[0] == 1 else row
        return Reach(self.sampled[row, column], self.to_start[row, column], self.to_end[row, column])
