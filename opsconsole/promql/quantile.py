"""Quantiles of classic histograms: cumulative ``_bucket`` series, told apart by ``le``."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels

from .vector import Vector

BUCKET = "le"
_SMALL_DELTA = 1e-12  # differences this small between neighbours are noise of floating-point sums


def histogram_quantile(q: NDArray[np.float64], buckets: Vector) -> Vector:
    """``q``: float64[T].  Series without a number in ``le`` are left out, histograms without ``le="+Inf"`` give NaN."""
    alike: dict[tuple[float, ...], list[tuple[Labels, list[int]]]] = defaultdict(list)
    buckets, histograms = _histograms(buckets)
    for labels, rows in histograms.items():
        alike[tuple(sorted(rows))].append((labels, [rows[bound] for bound in sorted(rows)]))
    parts = []
    for bounds, members in alike.items():
        index = np.array([rows for _, rows in members])  # [H, B]
        values, present = _quantiles(q, np.array(bounds), buckets.values[index], buckets.present[index])
        parts.append(Vector([labels for labels, _ in members], values, present))
    return Vector.joined(parts, buckets.values.shape[1]).without_metric()


def _histograms(buckets: Vector) -> tuple[Vector, dict[Labels, dict[float, int]]]:
    """For each histogram the row of each upper bound, in a vector where ``le="1"`` and ``le="1.0"`` are one row."""
    rows: list[int] = []
    numbers: dict[tuple[Labels, float], int] = {}
    homes: list[int] = []
    for row, labels in enumerate(buckets.labels):
        bound = _bound(labels.get(BUCKET))
        if bound is not None:
            rows.append(row)
            homes.append(numbers.setdefault((labels.drop((BUCKET,)), bound), len(numbers)))
    histograms: dict[Labels, dict[float, int]] = defaultdict(dict)
    for (labels, bound), number in numbers.items():
        histograms[labels][bound] = number
    used = buckets.rows(np.array(rows, dtype=np.intp))
    if len(numbers) < len(rows):
        values, present = np.zeros((2, len(numbers), buckets.values.shape[1]))
        np.add.at(values, homes, np.where(used.present, used.values, 0.0))
        np.add.at(present, homes, used.present)
        used = Vector((), values, present > 0)
    return used, histograms


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quantiles(q: NDArray[np.float64], bounds: Values, counts: Values, present: Mask) -> tuple[Values, Mask]:
    """(values, present) of shape [H, T], for H histograms of the same B bounds; ``counts``: float64[H, B, T]."""
    some: Mask = np.logical_or.reduce(present, axis=1)
    if len(bounds) < 2 or bounds[-1] != np.inf:
        return np.full(some.shape, np.nan), some
    upper, counts = _repaired(bounds, counts, present)
    observations = counts[:, -1]
    rank = q * observations
    reached = counts[:, :-1] >= rank[:, np.newaxis]
    bucket = np.where(reached.any(axis=1), reached.argmax(axis=1), len(bounds) - 1)[:, np.newaxis]
    before = np.maximum(bucket - 1, 0)

    lowest = np.take_along_axis(np.cumsum(present, axis=1), bucket, axis=1)[:, 0] == 1
    end = np.take_along_axis(upper, bucket, axis=1)[:, 0]
    start = np.where(lowest, 0.0, np.take_along_axis(upper, before, axis=1)[:, 0])
    below = np.where(lowest, 0.0, np.take_along_axis(counts, before, axis=1)[:, 0])
    inside = np.take_along_axis(counts, bucket, axis=1)[:, 0] - below
    values = start + (end - start) * ((rank - below) / inside)

    values = np.where(lowest & (end <= 0), end, values)
    values = np.where(bucket[:, 0] == len(bounds) - 1, upper[:, -2], values)
    undefined = (observations == 0) | (present.sum(axis=1) < 2)
    values = np.where(undefined, np.nan, np.where(q < 0, -np.inf, np.where(q > 1, np.inf, values)))
    return np.where(~present[:, -1] | np.isnan(q), np.nan, values), some


def _repaired(bounds: Values, counts: Values, present: Mask) -> tuple[Values, Values]:
    """(upper bounds, counts) of shape [H, B, T], with counts that never fall from one bucket to the next.

    A bucket that is absent at an instant repeats the one before it, so that it is never the first to reach a rank.
    """
    upper = np.empty_like(counts)
    repaired = np.empty_like(counts)
    highest, count = np.full_like(counts[:, 0], np.nan), np.full_like(counts[:, 0], -np.inf)
    for number, bound in enumerate(bounds):
        highest = np.where(present[:, number], bound, highest)
        grown = counts[:, number]
        noise = np.abs(grown - count) < _SMALL_DELTA * (np.abs(grown) + np.abs(count))
        count = np.where(present[:, number] & ~noise & ~(grown < count), grown, count)
        upper[:, number], repaired[:, number] = highest, count
    return upper, repaired
