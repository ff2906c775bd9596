"""Rates of change over windows: ``rate``, ``increase``, ``delta``, ``irate``, ``idelta``.

The formulas are those of Prometheus (``promql/functions.go``: extrapolatedRate, instantValue), operation for operation, so
that results are equal to the last digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values

from .summation import PrefixSums
from .ticks import Ticks
from .windows import Index, Windows, cells

CLOSE = 1.1  # a sample that near to the window's edge, in average distances, stands for the whole way to it


def rate(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=True, seconds=windows.seconds)


def increase(windows: Windows, seconds: float = 1.0) -> tuple[Values, Mask]:
    """The increase, divided by ``seconds``."""
    return _extrapolated(windows, counter=True, seconds=seconds)


def delta(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the samples of a window stand for it, in seconds; float64[1 or S, T] each.

    ``sampled``: from the first to the last sample.  ``to_start``, ``to_end``: beyond these, towards the edges of the window.
    """

    sampled: Values
    to_start: Values
    to_end: Values

    @classmethod
    def of(cls, first_ms: Timestamps, last_ms: Timestamps, asked: Windows | Ticks) -> Reach:
        """``first_ms``, ``last_ms``: int64[1 or S, T], when the first and the last sample of each window were taken."""
        sampled = (last_ms - first_ms) / 1000
        distance = sampled / (asked.count - 1)
        to_start = (first_ms - asked.starts_ms) / 1000
        to_end = (asked.ends_ms - last_ms) / 1000
        return cls(
            sampled,
            np.where(to_start >= distance * CLOSE, distance / 2, to_start),
            np.where(to_end >= distance * CLOSE, distance / 2, to_end),
        )

    @property
    def factor(self) -> Values:
        return (self.sampled + self.to_start + self.to_end) / self.sampled

    def rows(self, index: Index) -> Reach:
        return Reach(self.sampled[index], self.to_start[index], self.to_end[index])

    def at(self, row: Index, column: Index) -> Reach:
        """The reach of single cells."""
        row = np.zeros_like(row) if self.sampled.shape[0] == 1 else row
        return Reach(self.sampled[row, column], self.to_start[row, column], self.to_end[row, column])


def _extrapolated(windows: Windows, *, counter: bool, seconds: float = 1.0) -> tuple[Values, Mask]:
    """The change within each window, as if samples stood at its edges, divided by ``seconds``."""
    first_values = cells(windows.values, windows.first)
    change = cells(windows.values, windows.last) - first_values
    if counter:
        add_back_resets(change, windows)
    reach = Reach.of(cells(windows.timestamps, windows.first), cells(windows.timestamps, windows.last), windows)
    values = change * (reach.factor / seconds)
    if counter:
        row, column = reaching_below_zero(change, first_values, reach)
        values[row, column] = down_to_zero(
            change[row, column], first_values[row, column], reach.at(row, column), seconds
        )
    return values, windows.count >= 2


def add_back_resets(change: Values, windows: Windows) -> None:
    """A counter that fell began again at zero: what it had before counts too."""
    fell = windows.values[:, 1:] < windows.values[:, :-1]
    rows = np.flatnonzero(fell.any(axis=1))
    if not rows.size:
        return
    lost = np.zeros((rows.size, windows.values.shape[1]))
    np.copyto(lost[:, 1:], windows.values[rows, :-1], where=fell[rows])
    lo, hi = (index if index.shape[0] == 1 else index[rows] for index in (windows.lo, windows.hi))
    change[rows] += PrefixSums(lost).sums(np.minimum(lo + 1, hi), hi)


def reaching_below_zero(change: Values, first_values: Values, reach: Reach) -> tuple[Index, Index]:
    """(rows, columns) of the few windows in which the counter would have begun below zero."""
    near = first_values * reach.sampled <= change * (reach.to_start * (1 + 1e-9))
    row, column = np.nonzero(near & (change > 0) & (first_values >= 0))
    return row, column


def down_to_zero(change: Values, first_values: Values, reach: Reach, seconds: float) -> Values:
    """A counter is never extrapolated to before it was zero."""
    to_zero = reach.sampled * (first_values / change)
    clamped = Reach(reach.sampled, np.minimum(reach.to_start, to_zero), reach.to_end)
    return change * (clamped.factor / seconds)


def irate(windows: Windows) -> tuple[Values, Mask]:
    """The rate between the last two samples."""
    newest, before = _last_two(windows)
    change = np.where(newest < before, newest, newest - before)
    last = windows.last
    seconds = (cells(windows.timestamps, last) - cells(windows.timestamps, np.maximum(last - 1, 0))) / 1000
    return change / seconds, windows.count >= 2


def idelta(windows: Windows) -> tuple[Values, Mask]:
    """The difference of the last two samples."""
    newest, before = _last_two(windows)
    return newest - before, windows.count >= 2


def _last_two(windows: Windows) -> tuple[Values, Values]:
    last = windows.last
    return cells(windows.values, last), cells(windows.values, np.maximum(last - 1, 0))
