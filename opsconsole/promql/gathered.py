"""Statistics that need all the samples of a window side by side: spread, quantiles, smoothing, times of extremes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from opsconsole.series.block import Mask, Values
from opsconsole.series.stack import Index

from .windows import Windows, cells

_AT_ONCE = 4_000_000  # cells to hold beside each other, 32 MB


def _each(windows: Windows, statistic: Callable[[Values, Mask, slice], Values]) -> tuple[Values, Mask]:
    """The statistic of every window, for as many instants at once as memory allows.

    ``statistic`` takes float64[S, t, n] samples in order of time, bool[1 or S, t, n] which of them are in the window, and which
    t instants these are; it gives float64[S, t].
    """
    count = windows.count
    series, width = len(windows.values), max(int(count.max(initial=0)), 1)
    results = np.empty((series, count.shape[1]))
    together = max(_AT_ONCE // (max(series, 1) * width), 1)
    for start in range(0, count.shape[1], together):
        columns = slice(start, start + together)
        steps = np.arange(max(int(count[:, columns].max(initial=0)), 1))
        index = np.minimum(windows.lo[:, columns, np.newaxis] + steps, windows.values.shape[1] - 1)
        flat = cells(windows.values, index.reshape(len(index), -1))
        inside = steps < count[:, columns, np.newaxis]
        results[:, columns] = statistic(flat.reshape(series, *index.shape[1:]), inside, columns)
    return results, count > 0


def variance(windows: Windows) -> tuple[Values, Mask]:
    def of(samples: Values, inside: Mask, _: slice) -> Values:
        count = inside.sum(axis=2)
        distances = np.where(inside, samples - samples[..., :1], 0.0)  # so that equal values have no spread at all
        means = distances.sum(axis=2, keepdims=True) / count[..., np.newaxis]
        deviations = np.where(inside, distances - means, 0.0)
        variances: Values = (deviations * deviations).sum(axis=2) / count
        return variances

    return _each(windows, of)


def deviation(windows: Windows) -> tuple[Values, Mask]:
    variances, present = variance(windows)
    return np.sqrt(variances), present


def quantile(windows: Windows, q: Values) -> tuple[Values, Mask]:
    """Linear between the two nearest ranks, NaN ranking lowest; ``q``: float64[T]."""
    return _each(windows, lambda samples, inside, columns: _quantile(samples, inside, q[columns]))


def median_absolute_deviation(windows: Windows) -> tuple[Values, Mask]:
    """The median distance from the median; NaN where a sample is NaN."""

    def of(samples: Values, inside: Mask, _: slice) -> Values:
        half = np.full(samples.shape[1], 0.5)
        middle = _quantile(samples, inside, half)
        distances = _quantile(np.abs(samples - middle[..., np.newaxis]), inside, half)
        return np.where((np.isnan(samples) & inside).any(axis=2), np.nan, distances)

    return _each(windows, of)


def _quantile(samples: Values, inside: Mask, q: Values) -> Values:
    lowest = np.where(np.isnan(samples), -np.inf, samples)
    order = np.sort(np.where(inside, lowest, np.inf), axis=2)
    unknown = (np.isnan(samples) & inside).sum(axis=2)  # these came first
    last = np.maximum(inside.sum(axis=2) - 1, 0)
    rank = np.where(np.isnan(q), 0.0, np.clip(q, 0.0, 1.0)) * last
    below = np.floor(rank).astype(np.intp)
    weight = rank - below

    def ranked(number: Index) -> Values:
        number = np.broadcast_to(number, order.shape[:2])
        found = np.take_along_axis(order, number[..., np.newaxis], axis=2)[..., 0]
        return np.where(number < unknown, np.nan, found)

    low, high = ranked(below), ranked(np.minimum(below + 1, last))
    values = low * (1 - weight) + high * weight
    return np.select([np.isnan(q), q < 0, q > 1], [np.nan, -np.inf, np.inf], values)


def smoothed(windows: Windows, smoothing: Values, trend: Values) -> tuple[Values, Mask]:
    """Holt's linear smoothing; the factors are float64[T], between 0 and 1."""

    def of(samples: Values, inside: Mask, columns: slice) -> Values:
        share, drift_share = smoothing[columns], trend[columns]
        level = samples[..., 0]
        before, drift = level, samples[..., min(1, samples.shape[2] - 1)] - level
        for number in range(1, samples.shape[2]):
            here = np.broadcast_to(inside[..., number], level.shape)
            if number > 1:
                drift = np.where(here, drift_share * (level - before) + (1 - drift_share) * drift, drift)
            before = np.where(here, level, before)
            level = np.where(here, share * samples[..., number] + (1 - share) * (level + drift), level)
        return level

    values, _ = _each(windows, of)
    return values, windows.count >= 2


def time_of_first(windows: Windows) -> tuple[Values, Mask]:
    """Unix seconds, like all times here."""
    return cells(windows.timestamps, windows.first) / 1000, windows.count > 0


def time_of_last(windows: Windows) -> tuple[Values, Mask]:
    return cells(windows.timestamps, windows.last) / 1000, windows.count > 0


def time_of_maximum(windows: Windows) -> tuple[Values, Mask]:
    """Of the last one, if there are several."""
    return _time_of_extreme(windows, np.fmax)


def time_of_minimum(windows: Windows) -> tuple[Values, Mask]:
    return _time_of_extreme(windows, np.fmin)


def _time_of_extreme(windows: Windows, choose: np.ufunc) -> tuple[Values, Mask]:
    def of(samples: Values, inside: Mask, columns: slice) -> Values:
        known = np.where(inside, samples, np.nan)
        extreme = choose.reduce(known, axis=2, keepdims=True)
        meant = inside & ((known == extreme) | np.isnan(extreme))
        number = meant.shape[2] - 1 - meant[..., ::-1].argmax(axis=2)
        index = np.minimum(windows.lo[:, columns] + number, windows.timestamps.shape[1] - 1)
        return cells(windows.timestamps, index) / 1000

    return _each(windows, of)
