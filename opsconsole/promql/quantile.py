"""Quantiles and shares of classic histograms: cumulative ``_bucket`` series, told apart by ``le``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels, LabelSets, derived
from opsconsole.series.stack import Index

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
class Layout:
    """Which rows make up which histograms.

    ``rows``: intp[R], those with a number in ``le``; ``strange``: intp, those without.  ``homes``: intp[R], as which bucket
    each counts, of ``buckets`` different ones: ``le="1"`` and ``le="1.0"`` are one.
    ``alike``: histograms of the same bounds, as (label sets, float64[B], intp[H, B] of buckets).
    """

    rows: Index
    strange: Index
    homes: Index
    buckets: int
    alike: Sequence[tuple[LabelSets, Values, Index]]

    @property
    def plain(self) -> bool:
        """Whether each row is a bucket of its own, and all histograms have the same bounds."""
        return not self.strange.size and self.buckets == self.rows.size and len(self.alike) == 1

    @classmethod
    def of(cls, labels: Sequence[Labels]) -> Layout:
        rows, strange, homes = [], [], []
        numbers: dict[tuple[Labels, float], int] = {}
        for row, one in enumerate(labels):
            bound = _bound(one.get(BUCKET))
            if bound is None:
                strange.append(row)
                continue
            rows.append(row)
            homes.append(numbers.setdefault((one.drop((BUCKET,)), bound), len(numbers)))
        histograms: dict[Labels, dict[float, int]] = defaultdict(dict)
        for (one, bound), number in numbers.items():
            histograms[one][bound] = number
        together: dict[tuple[float, ...], list[Labels]] = defaultdict(list)
        for one, of_bound in histograms.items():
            together[tuple(sorted(of_bound))].append(one)
        alike = [
            (
                LabelSets(members),
                np.array(bounds),
                np.array([[histograms[one][bound] for bound in bounds] for one in members]),
            )
            for bounds, members in together.items()
        ]
        some, others, home = (np.array(each, dtype=np.intp) for each in (rows, strange, homes))
        return cls(some, others, home, len(numbers), alike)


@dataclass(frozen=True, slots=True)
class Histograms:
    """The histograms of a vector.  ``strange``: the label sets that have no number in ``le`` and are left out."""

    alike: Sequence[Alike]
    strange: Sequence[Labels]

    @classmethod
    def of(cls, vector: Vector) -> Histograms:
        layout = derived(vector.labels, "histograms", Layout.of)
        strange = [vector.labels[row] for row in layout.strange if vector.present[row].any()]
        values, present = vector.values[layout.rows], vector.present[layout.rows]
        if layout.buckets < layout.rows.size:
            sums, some = np.zeros((2, layout.buckets, values.shape[1]))
            np.add.at(sums, layout.homes, np.where(present, values, 0.0))
            np.add.at(some, layout.homes, present)
            values, present = sums, some > 0
        alike = [Alike(labels, bounds, values[index], present[index]) for labels, bounds, index in layout.alike]
        return cls(alike, strange)


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
    for alike in histograms.alike:
        values, fell = of_alike(alike, q)
        parts.append(Vector(alike.labels, values, alike.some))
        falling += [labels for labels, each in zip(alike.labels, fell.tolist(), strict=True) if each]
    return Vector.joined(parts, q.size), falling


def fractions(histograms: Histograms, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> Vector:
    """The share of observations above ``lower`` and up to ``upper``; float64[T] each."""
    parts = []
    for alike in histograms.alike:
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


def of_alike(alike: Alike, q: NDArray[np.float64]) -> tuple[Values, NDArray[np.bool_]]:
    """(float64[H, T], bool[H]: whose counts fell).  ``q``: float64[T] or [H, T]."""
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


def _without_noise(counts: Values) -> Values:
    """A bucket that differs from the one before it by no more than sums are rounded by is equal to it."""
    while True:
        before, after = counts[:, :-1], counts[:, 1:]
        noise = (after != before) & (np.abs(after - before) < _SMALL_DELTA * (np.abs(after) + np.abs(before)))
        if not noise.any():
            return counts
        counts = np.concatenate([counts[:, :1], np.where(noise, before, after)], axis=1)


def _repaired(bounds: Values, counts: Values, present: Mask) -> tuple[Values, Values, Mask]:
    """(upper bounds, counts) of shape [H, B, T], with counts that never fall; and bool[H, T], where they did.

    A bucket that is absent at an instant repeats the one before it, so that it is never the first to reach a rank.
    """
    if present.all():
        counts = _without_noise(counts)
        if (counts[:, 1:] >= counts[:, :-1]).all():  # as nearly always: nothing to repair
            whole = np.broadcast_to(bounds[:, np.newaxis], counts.shape)
            return whole, counts, np.zeros(counts[:, 0].shape, dtype=bool)
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
