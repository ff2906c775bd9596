"""Straight lines through the samples of windows: ``deriv`` and ``predict_linear``.

Least squares by differences of running sums.  So that they lose no digits, time and value are counted from a point nearby: the
instants of evaluation are taken in runs no longer than a window, each with an origin of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opsconsole.series.block import Mask, Values
from opsconsole.series.stack import NEVER, Index

from .summation import PrefixSums
from .windows import Windows

_RUNS = 256  # at most, lest tiny windows over a long range mean thousands of them


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a run of instants; float64[1 or S, t] each.

    ``columns``: which instants.  ``origin_ms``: where ``seconds``, the mean of the samples' times, counts from.
    """

    columns: slice
    origin_ms: int
    seconds: Values
    values: Values
    slopes: Values


def slope(windows: Windows) -> tuple[Values, Mask]:
    """Per second."""
    slopes = np.empty((len(windows.values), windows.lo.shape[1]))
    for lines in _lines(windows):
        slopes[:, lines.columns] = lines.slopes
    return slopes, windows.count >= 2


def line_at(windows: Windows, when: Values) -> tuple[Values, Mask]:
    """The height of each line at an instant; ``when``: float64[T], Unix seconds."""
    heights = np.empty((len(windows.values), windows.lo.shape[1]))
    for lines in _lines(windows):
        away = when[lines.columns] - lines.origin_ms / 1000 - lines.seconds
        heights[:, lines.columns] = lines.values + lines.slopes * away
    return heights, windows.count >= 2


def _lines(windows: Windows) -> Iterator[_Lines]:
    for columns in _runs(windows):
        lo, hi = windows.lo[:, columns], windows.hi[:, columns]
        first = min(int(lo.min()), windows.values.shape[1] - 1)
        cells = slice(first, max(int(hi.max()), first + 1))
        lo, hi = np.maximum(lo - first, 0), np.maximum(hi - first, 0)
        origin_ms = int(windows.starts_ms[columns][0])
        times = windows.timestamps[:, cells]
        x = np.where(np.abs(times) < NEVER, times - origin_ms, 0) / 1000  # nothing stands in the columns of no time
        y = windows.values[:, cells]
        level = np.where(np.isfinite(y[:, :1]), y[:, :1], 0.0)
        means_x, means_y, slopes = _fitted(x, y - level, lo, hi)
        yield _Lines(columns, origin_ms, means_x, means_y + level, slopes)


def _fitted(x: Values, y: Values, lo: Index, hi: Index) -> tuple[Values, Values, Values]:
    """(mean x, mean y, slope) of the cells ``lo:hi``; a line through an infinite value is nowhere."""
    count = hi - lo
    sum_x, sum_xx = (_sums(each, lo, hi) for each in (x, x * x))
    sum_y, sum_xy = (_sums(each, lo, hi) for each in (y, x * y))
    slopes = (sum_xy - sum_x * sum_y / count) / (sum_xx - sum_x * sum_x / count)
    finite = np.isfinite(sum_y)
    return sum_x / count, np.where(finite, sum_y / count, np.nan), np.where(finite, slopes, np.nan)


def _sums(rows: Values, lo: Index, hi: Index) -> Values:
    """float64[1 or S, T]: those of the cells ``lo:hi``; one window is summed as it stands."""
    if lo.shape[1] > 1:
        return PrefixSums(rows).sums(lo, hi)
    column = np.arange(rows.shape[1])
    sums: Values = np.where((lo <= column) & (column < hi), rows, 0.0).sum(axis=1, keepdims=True)
    return sums


def _runs(windows: Windows) -> Iterator[slice]:
    """Instants that follow each other within the length of a window."""
    ends, length = windows.ends_ms, int(windows.ends_ms[0] - windows.starts_ms[0])
    length = max(length, int(ends.max() - ends.min()) // _RUNS)
    run = (ends - ends.min()) // max(length, 1)
    edges = np.flatnonzero(np.diff(run, prepend=run[0] - 1, append=run[-1] + 1))
    for first, after in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield slice(first, after)
