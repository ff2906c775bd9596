"""Statistics over windows: the ``*_over_time`` functions, ``changes`` and ``resets``."""

from __future__ import annotations

import numpy as np

from opsconsole.series.block import Mask, Values
from opsconsole.series.stack import Index

from .summation import PrefixSums
from .windows import Windows, cells


def total(windows: Windows) -> tuple[Values, Mask]:
    return PrefixSums(_padded(windows)).sums(windows.lo, windows.hi), windows.count > 0


def mean(windows: Windows) -> tuple[Values, Mask]:
    return PrefixSums(_padded(windows)).means(windows.lo, windows.hi), windows.count > 0


def minimum(windows: Windows) -> tuple[Values, Mask]:
    return _extreme(windows, np.fmin), windows.count > 0


def maximum(windows: Windows) -> tuple[Values, Mask]:
    return _extreme(windows, np.fmax), windows.count > 0


def count(windows: Windows) -> tuple[Values, Mask]:
    return windows.count.astype(np.float64), windows.count > 0


def present(windows: Windows) -> tuple[Values, Mask]:
    return np.ones(windows.count.shape), windows.count > 0


def first(windows: Windows) -> tuple[Values, Mask]:
    return cells(windows.values, windows.first), windows.count > 0


def last(windows: Windows) -> tuple[Values, Mask]:
    return cells(windows.values, windows.last), windows.count > 0


def changes(windows: Windows) -> tuple[Values, Mask]:
    """How often the value changed; from NaN to NaN is no change."""
    after, before = windows.values[:, 1:], windows.values[:, :-1]
    return _occurrences((after != before) & ~(np.isnan(after) & np.isnan(before)), windows), windows.count > 0


def resets(windows: Windows) -> tuple[Values, Mask]:
    return _occurrences(windows.values[:, 1:] < windows.values[:, :-1], windows), windows.count > 0


def _occurrences(between: Mask, windows: Windows) -> Values:
    """How many of the steps from one sample to the next lie within each window; ``between``: bool[S, P - 1]."""
    before = np.zeros(windows.values.shape)  # of the steps up to each cell
    np.cumsum(between, axis=1, dtype=np.float64, out=before[:, 1:])
    return cells(before, windows.last) - cells(before, windows.first)


def _padded(windows: Windows) -> Values:
    """The samples with zeros behind the last, where compacted rows carry gaps."""
    if windows.hi.shape[0] == 1:
        return windows.values
    behind = np.arange(windows.values.shape[1]) >= windows.hi.max(axis=1, keepdims=True)
    return np.where(behind, 0.0, windows.values)


def _extreme(windows: Windows, choose: np.ufunc) -> Values:
    """By doubling: the extremes of every 1, 2, 4, ... cells; two overlapping runs make up any window.

    ``choose`` takes the number where one of two is NaN, as Prometheus does.
    """
    if windows.ends_ms.size == 1:
        column = np.arange(windows.values.shape[1])
        inside = np.where((column >= windows.lo) & (column < windows.hi), windows.values, np.nan)
        only: Values = choose.reduce(inside, axis=1, keepdims=True)
        return only
    lo, length = windows.lo, windows.count
    exponent: Index = np.frexp(np.maximum(length, 1))[1] - 1
    runs = windows.values
    extremes = cells(runs, windows.first)
    for level in range(int(exponent.max(initial=0)) + 1):
        if level:
            runs = choose(runs[:, : -(1 << level - 1)], runs[:, 1 << level - 1 :])
        right = np.clip(windows.hi - (1 << level), 0, runs.shape[1] - 1)
        left = np.clip(lo, 0, runs.shape[1] - 1)
        extremes = np.where(exponent == level, choose(cells(runs, left), cells(runs, right)), extremes)
    return extremes
