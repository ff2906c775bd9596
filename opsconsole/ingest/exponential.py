"""Exponential histograms as classic buckets.

Every bound is one of the histogram's own, so that no observation changes sides: where there are too many, neighbours are
merged by halving the resolution, which is exact.  At the finest, an octave has four buckets.
Source: OpenTelemetry, specification/metrics/data-model.md, "ExponentialHistogram".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FINEST_SCALE = 2
MOST_BUCKETS = 64  # of each sign
_MOST_SENT = 4096
_SCALES = range(-10, 21)


@dataclass(slots=True)
class Exponential:
    """``positive`` and ``negative``: counts by index; index i holds magnitudes in (b^i, b^(i+1)], b = 2^(2^-scale)."""

    scale: int
    zero: float = 0.0
    zero_threshold: float = 0.0
    positive: Counter[int] = field(default_factory=Counter)
    negative: Counter[int] = field(default_factory=Counter)

    @classmethod
    def read(
        cls,
        scale: int,
        zero: int,
        zero_threshold: float,
        positive: tuple[int, Sequence[int]],
        negative: tuple[int, Sequence[int]],
    ) -> Exponential:
        """From (offset, counts) as sent, at the finest scale we keep.  Raises ``ValueError``."""
        if scale not in _SCALES:
            raise ValueError(f"scale {scale} is not between {_SCALES[0]} and {_SCALES[-1]}")
        if max(len(positive[1]), len(negative[1])) > _MOST_SENT:
            raise ValueError(f"more than {_MOST_SENT:,} buckets")
        histogram = cls(scale, float(zero), zero_threshold, _counted(*positive), _counted(*negative))
        return histogram.at(min(scale, FINEST_SCALE))

    def at(self, scale: int) -> Exponential:
        """The same at a scale that is not finer."""
        shift = self.scale - scale
        if shift == 0:
            return self
        merged = [_shifted(counts, shift) for counts in (self.positive, self.negative)]
        return Exponential(scale, self.zero, self.zero_threshold, *merged)

    def __add__(self, other: Exponential) -> Exponential:
        """Both together, at the coarser scale."""
        scale = min(self.scale, other.scale)
        one, two = self.at(scale), other.at(scale)
        return Exponential(
            scale,
            one.zero + two.zero,
            max(one.zero_threshold, two.zero_threshold),
            one.positive + two.positive,
            one.negative + two.negative,
        )

    def classic(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(upper bounds ascending, without +Inf; how many observations are not above each)."""
        scale = min(_fitting(self.positive, self.scale), _fitting(self.negative, self.scale))
        fit = self.at(scale)
        counts: dict[float, float] = {}
        below = 0.0
        if fit.negative:
            low, high = min(fit.negative), max(fit.negative)
            for index in range(high, low - 1, -1):
                below += fit.negative[index]
                counts[-_bound(index, scale)] = below
        below += fit.zero
        if fit.zero or fit.negative:
            counts[fit.zero_threshold] = below
        if fit.positive:
            low, high = min(fit.positive), max(fit.positive)
            counts[_bound(low, scale)] = below
            for index in range(low, high + 1):
                below += fit.positive[index]
                counts[_bound(index + 1, scale)] = below
        finite = sorted(bound for bound in counts if abs(bound) != float("inf"))
        return tuple(finite), tuple(counts[bound] for bound in finite)


def _counted(offset: int, counts: Sequence[int]) -> Counter[int]:
    return Counter({offset + position: count for position, count in enumerate(counts) if count})


def _shifted(counts: Mapping[int, int], shift: int) -> Counter[int]:
    merged: Counter[int] = Counter()
    for index, count in counts.items():
        merged[index >> shift] += count
    return merged


def _fitting(counts: Mapping[int, int], scale: int) -> int:
    """The finest scale, up to ``scale``, at which the range of the indices is no wider than we keep."""
    if counts:
        low, high = min(counts), max(counts)
        while high - low >= MOST_BUCKETS:
            low, high, scale = low >> 1, high >> 1, scale - 1
    return scale


def _bound(index: int, scale: int) -> float:
    exponent = index * 2.0**-scale
    if exponent >= 1024:
        return float("inf")
    return float(2.0**exponent) if exponent > -1075 else 0.0
