"""Rates of change over windows: ``rate``, ``increase``, ``delta``, ``irate``, ``idelta``.

The formulas are those of Prometheus (``promql/functions.go``: extrapolatedRate, instantValue), operation for operation, so
that results are equal to the last digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values

from .summation import PrefixSums
from .windows import Windows, cells

_CLOSE = 1.1  # a sample that near to the window's edge, in average distances, stands for the whole way to it


def rate(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=True, per_second=True)


def increase(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=True, per_second=False)


def delta(windows: Windows) -> tuple[Values, Mask]:
    return _extrapolated(windows, counter=False, per_second=False)


def _extrapolated(windows: Windows, *, counter: bool, per_second: bool) -> tuple[Values, Mask]:
    first, last = windows.first, windows.last
    first_values = cells(windows.values, first)
    change = cells(windows.values, last) - first_values
    if counter:
        _add_back_resets(change, windows)

    first_ms, last_ms = cells(windows.timestamps, first), cells(windows.timestamps, last)
    sampled = (last_ms - first_ms) / 1000
    distance = sampled / (windows.count - 1)
    to_start = (first_ms - windows.starts_ms) / 1000
    to_end = (windows.ends_ms - last_ms) / 1000
    to_start = np.where(to_start >= distance * _CLOSE, distance / 2, to_start)
    to_end = np.where(to_end >= distance * _CLOSE, distance / 2, to_end)

    length = (windows.ends_ms[0] - windows.starts_ms[0]) / 1000 if per_second else 1.0
    values = change * ((sampled + to_start + to_end) / sampled / length)
    if counter:
        _clamp_at_zero(values, change, first_values, sampled, to_start, to_end, length)
    return values, windows.count >= 2


def _add_back_resets(change: Values, windows: Windows) -> None:
    """A counter that fell began again at zero: what it had before counts too."""
    fell = windows.values[:, 1:] < windows.values[:, :-1]
    rows = np.flatnonzero(fell.any(axis=1))
    if not rows.size:
        return
    lost = np.zeros((rows.size, windows.values.shape[1]))
    np.copyto(lost[:, 1:], windows.values[rows, :-1], where=fell[rows])
    lo, hi = (index if index.shape[0] == 1 else index[rows] for index in (windows.lo, windows.hi))
    change[rows] += PrefixSums(lost).sums(np.minimum(lo + 1, hi), hi)


def _clamp_at_zero(
    values: Values,
    change: Values,
    first_values: Values,
    sampled: NDArray[np.float64],
    to_start: NDArray[np.float64],
    to_end: NDArray[np.float64],
    length: float,
) -> None:
    """A counter is never extrapolated to before it was zero.  Few cells are that near to it: only those are recomputed."""
    near = first_values * sampled <= change * (to_start * (1 + 1e-9))
    row, column = np.nonzero(near & (change > 0) & (first_values >= 0))
    if not row.size:
        return
    shared = np.zeros_like(row) if sampled.shape[0] == 1 else row
    span = sampled[shared, column]
    to_zero = span * (first_values[row, column] / change[row, column])
    start = np.minimum(to_start[shared, column], to_zero)
    factor = (span + start + to_end[shared, column]) / span / length
    values[row, column] = change[row, column] * factor


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
