"""Quantiles and shares of classic histograms: cumulative ``_bucket`` series, told apart by ``le``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels

from .vector import Vector

BUCKET = "le"
_SMALL_DELTA = 1e-12  # differences this small between neighbours are noise of floating-point sums


@dataclass(frozen=True, slots=True)
class Alike:
    """H histograms of the same B bounds.

    ``labels``: H label sets, without ``le``.  ``bounds``: float64[B], ascending.  ``counts``: float64[H, B, T], cumulative.
    ``present``: bool[H, B, T].
    """

    labels: Sequence[Labels]
    bounds: Values
    counts: Values
    present: Mask

    @property
    def some(self) -> Mask:
        """bool[H, T]: where any bucket is present."""
        some: Mask = np.logical_or.reduce(self.present, axis=1)
        return some


@dataclass(frozen=True, slots=True)
class Histograms:
    """``buckets``: a vector in which ``le="1"`` and ``le="1.0"`` are one row; ``rows``: for each histogram those of its bounds."""

    buckets: Vector
    rows: dict[Labels, dict[float, int]]

    @classmethod
    def of(cls, vector: Vector) -> tuple[Histograms, list[Labels]]:
        """The histograms of a vector, and the label sets that have no number in ``le`` and are left out."""
        rows: list[int] = []
        strange: list[Labels] = []
        numbers: dict[tuple[Labels, float], int] = {}
        homes: list[int] = []
        for row, labels in enumerate(vector.labels):
            bound = _bound(labels.get(BUCKET))
            if bound is not None:
                rows.append(row)
                homes.append(numbers.setdefault((labels.drop((BUCKET,)), bound), len(numbers)))
            elif vector.present[row].any():
                strange.append(labels)
        histograms: dict[Labels, dict[float, int]] = defaultdict(dict)
        for (labels, bound), number in numbers.items():
            histograms[labels][bound] = number
        used = vector.rows(np.array(rows, dtype=np.intp))
        if len(numbers) < len(rows):
            values, present = np.zeros((2, len(numbers), vector.values.shape[1]))
            np.add.at(values, homes, np.where(used.present, used.values, 0.0))
            np.add.at(present, homes, used.present)
            used = Vector((), values, present > 0)
        return cls(used, histograms), strange

    def alike(self) -> Iterator[Alike]:
        together: dict[tuple[float, ...], list[tuple[Labels, list[int]]]] = defaultdict(list)
        for labels, rows in self.rows.items():
            together[tuple(sorted(rows))].append((labels, [rows[bound] for bound in sorted(rows)]))
        for bounds, members in together.items():
            index = np.array([rows for _, rows in members])  # [H, B]
            yield Alike(
                [labels for labels, _ in members],
                np.array(bounds),
                self.buckets.values[index],
                self.buckets.present[index],
            )


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def quantiles(histograms: Histograms, q: NDArray[np.float64]) -> tuple[Vector, list[Labels]]:
    """``q``: float64[T].  Histograms without ``le="+Inf"`` give NaN.

    Also the label sets of those whose counts fell from one bucket to the next, and had to be repaired.
    """
    parts, falling = [], []
    for alike in histograms.alike():
        values, fell = _quantiles(alike, q)
        parts.append(Vector(alike.labels, values, alike.some))
        falling += [labels for labels, each in zip(alike.labels, fell.tolist(), strict=True) if each]
    return Vector.joined(parts, q.size), falling


def fractions(histograms: Histograms, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> Vector:
    """The share of observations above ``lower`` and up to ``upper``; float64[T] each."""
    parts = []
    for alike in histograms.alike():
        total = np.where(alike.present[:, -1] & (alike.bounds[-1] == np.inf), alike.counts[:, -1], np.nan)
        values = (_observed(alike, upper, total) - _observed(alike, lower, total)) / total
        values = np.where(lower >= upper, 0.0, values)
        unknown = (total == 0) | np.isnan(total) | np.isnan(lower) | np.isnan(upper)
        parts.append(Vector(alike.labels, np.where(unknown, np.nan, values), alike.some))
    return Vector.joined(parts, lower.size)


def _observed(alike: Alike, value: NDArray[np.float64], total: Values) -> Values:
    """float64[H, T]: how many observations are up to a value; within a bucket linear, within an infinite one none of its own."""
    observed = np.full(total.shape, np.nan)
    below = np.zeros(total.shape)
    start = np.where(_lowest(alike) > 0, 0.0, -np.inf)
    for number, bound in enumerate(alike.bounds.tolist()):
        present, count = alike.present[:, number], alike.counts[:, number]
        asked = present & np.isnan(observed)
        inside = below + (count - below) * ((value - start) / (bound - start))
        inside = np.where(np.isneginf(start), count, inside)
        observed = np.where(asked & (start >= value), below, observed)
        observed = np.where(asked & (start < value) & (bound > value), inside, observed)
        below, start = np.where(present, count, below), np.where(present, bound, start)
    return np.where(np.isnan(observed) | (observed > total), total, observed)


def _lowest(alike: Alike) -> Values:
    """float64[H, T]: the lowest bound that is present."""
    lowest: Values = alike.bounds[alike.present.argmax(axis=1)]
    return lowest


def _quantiles(alike: Alike, q: NDArray[np.float64]) -> tuple[Values, NDArray[np.bool_]]:
    """(float64[H, T], bool[H]: whose counts fell)."""
    bounds, present, shape = alike.bounds, alike.present, alike.some.shape
    if bounds[-1] != np.inf:
        return np.full(shape, np.nan), np.zeros(shape[0], dtype=bool)
    upper, counts, fell = _repaired(bounds, alike.counts, present)
    asked = present[:, -1] & (q >= 0) & (q <= 1)
    falling: Mask = np.logical_or.reduce(fell & asked, axis=1)
    if len(bounds) < 2:
        return np.where(present[:, -1] & (q < 0), -np.inf, np.where(present[:, -1] & (q > 1), np.inf, np.nan)), falling
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
    values = np.where(undefined, np.nan, values)
    values = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, values))
    return np.where(~present[:, -1] | np.isnan(q), np.nan, values), falling


def _repaired(bounds: Values, counts: Values, present: Mask) -> tuple[Values, Values, Mask]:
    """(upper bounds, counts) of shape [H, B, T], with counts that never fall; and bool[H, T], where they did.

    A bucket that is absent at an instant repeats the one before it, so that it is never the first to reach a rank.
    """
    upper = np.empty_like(counts)
    repaired = np.empty_like(counts)
    highest, count = np.full_like(counts[:, 0], np.nan), np.full_like(counts[:, 0], -np.inf)
    fell = np.zeros(count.shape, dtype=bool)
    for number, bound in enumerate(bounds):
        highest = np.where(present[:, number], bound, highest)
        grown = counts[:, number]
        noise = np.abs(grown - count) < _SMALL_DELTA * (np.abs(grown) + np.abs(count))
        falls = grown < count
        fell |= present[:, number] & ~noise & falls
        count = np.where(present[:, number] & ~noise & ~falls, grown, count)
        upper[:, number], repaired[:, number] = highest, count
    return upper, repaired, fell
