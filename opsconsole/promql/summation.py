"""Sums that do not lose small numbers beside big ones.

Prometheus adds with Kahan's compensation.  Here each rounding error is computed exactly (Knuth's two-sum), summed beside the
sum, and added at the end: same digits, whole matrices at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.stack import Index

from .windows import cells

_CANCELLING = 0.1  # below this share of the sum of magnitudes, plain addition may have lost digits
_NEAR_OVERFLOW = 1e290
_SCALE = 2.0**128


def _rounding_error(a: Values, b: Values, total: Values) -> Values:
    """What ``total = a + b`` lost, exactly; 0 where infinities take part."""
    part = total - a
    error = (a - (total - part)) + (b - part)
    return np.where(np.isfinite(error), error, 0.0)


def begins(ids: Index) -> Index:
    """Where in sorted ``ids`` each run of equal ones begins."""
    return np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1)) if ids.size else np.empty(0, np.intp)


def lengths(starts: Index, rows: int) -> Index:
    """How long the runs are that begin at ``starts``; the last one ends with ``rows``."""
    ends = np.append(starts[1:], rows)
    return ends - starts


def runs(rows: Values, starts: Index) -> Values:
    """float64[R, T]: the plain sums of rows ``starts[r]:starts[r + 1]``, the fast way where all runs are equally long."""
    if len(starts) == len(rows):
        return rows
    length, rest = divmod(len(rows), len(starts))
    if rest == 0 and (starts == np.arange(0, len(rows), length)).all():
        equal: Values = rows.reshape(len(starts), length, -1).sum(axis=1)
        return equal
    sums: Values = np.add.reduceat(rows, starts, axis=0)
    return sums


def grouped_sums(values: Values, starts: NDArray[np.intp]) -> Values:
    """float64[G, T]: the sums of rows ``starts[g]:starts[g + 1]`` of ``values`` float64[S, T]."""
    sums: Values = np.add.reduceat(values, starts, axis=0)
    if values.min() >= 0.0:
        return sums  # nothing can cancel
    magnitudes = np.add.reduceat(np.abs(values), starts, axis=0)
    doubtful = np.flatnonzero((np.abs(sums) < _CANCELLING * magnitudes).any(axis=1))
    if doubtful.size:
        sizes = np.diff(np.append(starts, len(values)))
        rows = np.repeat(np.isin(np.arange(len(starts)), doubtful), sizes)
        sums[doubtful] = _compensated_sums(values[rows], np.cumsum(sizes[doubtful]) - sizes[doubtful])
    return sums


def _compensated_sums(values: Values, starts: NDArray[np.intp]) -> Values:
    """Adds neighbours of one group, then neighbours of the results, until one row a group is left."""
    ids = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values))))
    high = values
    low = np.zeros_like(high)
    while (ids[1:] == ids[:-1]).any():
        starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
        rank = np.arange(len(ids)) - np.repeat(starts, np.diff(np.append(starts, len(ids))))
        left = np.flatnonzero(rank % 2 == 0)
        paired = np.flatnonzero(np.append(ids[1:] == ids[:-1], False)[left])
        right = left[paired] + 1
        a, b = high[left[paired]], high[right]
        total = a + b
        error = low[right] + _rounding_error(a, b, total)
        high, low, ids = high[left], low[left], ids[left]
        high[paired] = total
        low[paired] += error
    return high + low


class PrefixSums:
    """Sums of any window of every row in constant time: the difference of two compensated running sums."""

    def __init__(self, rows: Values) -> None:
        """``rows``: float64[S, P]; values that are not finite are counted apart, so that they stay in their windows."""
        finite = np.isfinite(rows)
        clean = rows if finite.all() else np.where(finite, rows, 0.0)
        self._odd = np.flatnonzero(~finite.all(axis=1))
        odd = rows[self._odd]
        self._kinds = [_running(kind) for kind in (np.isnan(odd), odd == np.inf, odd == -np.inf)]
        self._scale = _SCALE if clean.size and np.abs(clean).max() > _NEAR_OVERFLOW else 1.0
        clean = clean / self._scale
        sums = _running(clean)
        self._sums = sums
        self._errors = _running(_rounding_error(sums[:, :-1], clean, sums[:, 1:]))

    def sums(self, lo: NDArray[np.intp], hi: NDArray[np.intp]) -> Values:
        """float64[S, T]: the sums of cells ``lo:hi``, indexes of shape [1, T] or [S, T]."""
        return self._between(lo, hi) * self._scale

    def means(self, lo: NDArray[np.intp], hi: NDArray[np.intp]) -> Values:
        """Like ``sums``, divided by the number of cells before a big sum could overflow."""
        return self._between(lo, hi) / (hi - lo) * self._scale

    def _between(self, lo: NDArray[np.intp], hi: NDArray[np.intp]) -> Values:
        sums = (cells(self._sums, hi) - cells(self._sums, lo)) + (cells(self._errors, hi) - cells(self._errors, lo))
        if self._odd.size:
            lo, hi = (index if index.shape[0] == 1 else index[self._odd] for index in (lo, hi))
            nan, up, down = (cells(running, hi) > cells(running, lo) for running in self._kinds)
            sums[self._odd] = np.select([nan | (up & down), up, down], [np.nan, np.inf, -np.inf], sums[self._odd])
        return sums


def _running(rows: Values | Mask) -> Values:
    """float64[S, P + 1]: column p is the sum of the first p cells."""
    sums = np.zeros((rows.shape[0], rows.shape[1] + 1))
    np.cumsum(rows, axis=1, dtype=np.float64, out=sums[:, 1:])
    return sums
