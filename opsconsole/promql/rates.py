"""Rates of change over windows: ``rate``, ``increase``, ``delta``, ``irate``, ``idelta``.

The formulas are those of Prometheus (``promql/functions.go``: extrapolatedRate, instantValue), operation for operation, so
that results are equal to the last digits.
"""

from __future__ import annotations

import numpy as np

from opsconsole.series.block import Mask, Values

from .reach import Reach
from .summation import PrefixSums
from .windows import Windows, cells


def rate(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=True, seconds=windows.seconds)


def increase(windows: Windows, seconds: float = 1.0) -> tuple[Values, Mask]:
    """The increase, divided by ``seconds``."""
    return _extrapolated(windows, counter=True, seconds=seconds)


def delta(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=False)


def _extrapolated(windows: Windows, *, counter: bool, seconds: float = 1.0) -> tuple[Values, Mask]:
    """The change within each window, as if samples stood at its edges, divided by ``seconds``."""
    first_values = cells(windows.values, windows.first)
    change = cells(windows.values, windows.last) - first_values
    if counter:
        add_back_resets(change, windows)
    first_ms, last_ms = cells(windows.timestamps, windows.first), cells(windows.timestamps, windows.last)
    reach = Reach.of(first_ms, last_ms, windows.count, windows.starts_ms, windows.ends_ms)
    values = change * (reach.factor / seconds)
    if counter:
        row, column = np.nonzero(reaching_below_zero(change, first_values, reach))
        values[row, column] = down_to_zero(
            change[row, column], first_values[row, column], reach.at(row, column), seconds
        )
    return values, windows.count >= 2


def add_back_resets(change: Values, windows: Windows) -> None:
    """A counter that fell began again at zero: what it had before counts too."""
    fell = windows.values[:, 1:] < windows.values[:, :-1]
    rows = np.flatnonzero(fell.any(axis=1))
    if rows.size and windows.hi.shape[0] > 1:  # what stands behind the windows of a row may be no sample
        inside = fell[rows] & (np.arange(1, windows.values.shape[1]) < windows.hi[rows].max(axis=1, keepdims=True))
        rows = rows[inside.any(axis=1)]
    if not rows.size:
        return
    lost = np.zeros((rows.size, windows.values.shape[1]))
    np.copyto(lost[:, 1:], windows.values[rows, :-1], where=fell[rows])
    lo, hi = (index if index.shape[0] == 1 else index[rows] for index in (windows.lo, windows.hi))
    change[rows] += PrefixSums(lost).sums(np.minimum(lo + 1, hi), hi)


def reaching_below_zero(change: Values, first_values: Values, reach: Reach) -> Mask:
    """In which windows the counter would have begun below zero: few."""
    near = first_values * reach.sampled <= change * (reach.to_start * (1 + 1e-9))
    return near & (change > 0) & (first_values >= 0)


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
