"""Batches: what many queries want to know of one metric at one instant, each kind of work done once for all of them.

The panels of a board add up hundreds of rates each, and numpy takes as long to be called as to add a thousand.  So the rows
of all sums are laid one behind the other, group after group, and added in one go; the histograms among the results are
asked for all quantiles together.  Which rows these are is worked out once, for as long as the metric has the same series.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import METRIC_NAME, Labels, LabelSets, derived
from opsconsole.series.matcher import Matcher
from opsconsole.series.stack import Index

from . import quantile
from .aggregate import REDUCTIONS, reduced
from .plan import Aggregate, Grouping
from .quantile import Alike, Layout
from .select import matching
from .vector import Groups, Vector


@dataclass(frozen=True, slots=True)
class Sum:
    """An aggregation, mostly a sum, of the rates that ``matchers`` mean: one result a group."""

    operator: str
    matchers: tuple[Matcher, ...]
    grouping: Grouping

    @classmethod
    def of(cls, node: Aggregate, matchers: tuple[Matcher, ...]) -> Sum | None:
        """None for an aggregation whose results keep labels of single series, or their metric's name."""
        named = METRIC_NAME in node.grouping.names and not node.grouping.without
        return None if named or node.operator not in REDUCTIONS else cls(node.operator, matchers, node.grouping)


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of the histograms whose buckets are the results of a sum."""

    q: float
    of: Sum


Wanted = Sum | Quantile


@dataclass(frozen=True, slots=True)
class Answer:
    """``falling``: the histograms whose counts had to be repaired."""

    vector: Vector
    falling: Sequence[Labels] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """All that is wanted of the rates of one metric, each thing once.  ``wanted`` has the sums of its quantiles too."""

    wanted: tuple[Wanted, ...]

    @classmethod
    def of(cls, wanted: Iterable[Wanted]) -> Batch:
        each = tuple(wanted)
        return cls(tuple(dict.fromkeys((*(one.of for one in each if isinstance(one, Quantile)), *each))))

    def answers(self, whole: Vector) -> Mapping[int, Answer]:
        """By the number of what is wanted; what is left out has to be found another way.

        ``whole``: the rates of all series of the metric, at one instant.
        """
        arrangement = derived(whole.labels, self, self._arranged)
        return arrangement.answers(replace(whole, nameless=None))

    def _arranged(self, labels: Sequence[Labels]) -> _Arrangement:
        by_operator: dict[str, list[tuple[int, Index, Groups]]] = defaultdict(list)
        for number, one in enumerate(self.wanted):
            if isinstance(one, Sum):
                picked = matching(labels, one.matchers)
                rows, of_rows = (np.arange(len(labels)), labels) if picked is None else picked
                if rows.size:
                    groups = Groups.of(of_rows, one.grouping)
                    by_operator[one.operator].append((number, rows[groups.order], groups))
        reductions = [
            (
                operator,
                Groups(
                    LabelSets(each for _, _, groups in parts for each in groups.labels),
                    np.concatenate([rows for _, rows, _ in parts]),
                    np.concatenate([groups.sizes for _, _, groups in parts]),
                ),
            )
            for operator, parts in by_operator.items()
        ]
        sums = _places((number, groups.labels) for parts in by_operator.values() for number, _, groups in parts)
        return _Arrangement(reductions, sums, self._histograms(sums))

    def _histograms(self, sums: Mapping[int, _Place]) -> Sequence[_Histograms]:
        by_bounds: dict[tuple[float, ...], list[tuple[int, float, LabelSets, Index]]] = defaultdict(list)
        numbers = {one: number for number, one in enumerate(self.wanted)}
        for one, number in numbers.items():
            if isinstance(one, Quantile) and (place := sums.get(numbers[one.of])) is not None:
                layout = derived(place.labels, "histograms", Layout.of)
                if layout.plain:
                    ((labels, bounds, index),) = layout.alike
                    by_bounds[tuple(bounds.tolist())].append((number, one.q, labels, index + place.rows.start))
        return [
            _Histograms(
                LabelSets(each for _, _, labels, _ in parts for each in labels),
                np.array(bounds),
                np.concatenate([index for *_, index in parts]),
                np.repeat([q for _, q, _, _ in parts], [len(labels) for _, _, labels, _ in parts])[:, np.newaxis],
                _places((number, labels) for number, _, labels, _ in parts),
            )
            for bounds, parts in by_bounds.items()
        ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the results of one thing stand among those of all, and their labels."""

    labels: LabelSets
    rows: slice


def _places(parts: Iterable[tuple[int, LabelSets]]) -> Mapping[int, _Place]:
    places, begin = {}, 0
    for number, labels in parts:
        places[number] = _Place(labels, slice(begin, begin + len(labels)))
        begin += len(labels)
    return places


@dataclass(frozen=True, slots=True)
class _Histograms:
    """H histograms of the same B bounds.  ``buckets``: intp[H, B], results of sums.  ``q``: float64[H, 1]."""

    labels: LabelSets
    bounds: Values
    buckets: Index
    q: NDArray[np.float64]
    places: Mapping[int, _Place]

    def answers(self, sums: Values, present: Mask) -> Mapping[int, Answer]:
        alike = Alike(self.labels, self.bounds, sums[self.buckets], present[self.buckets])
        values, fell = quantile.of_alike(alike, self.q)
        some, falling = alike.some, np.flatnonzero(fell).tolist()
        return {
            number: Answer(
                Vector(place.labels, values[place.rows], some[place.rows]).without_metric(),
                [self.labels[each] for each in _between(falling, place.rows)],
            )
            for number, place in self.places.items()
        }


def _between(numbers: Sequence[int], rows: slice) -> Sequence[int]:
    """Those of ascending ``numbers`` that are among ``rows``."""
    return numbers[bisect_left(numbers, rows.start) : bisect_left(numbers, rows.stop)]


@dataclass(frozen=True, slots=True)
class _Arrangement:
    """A batch over the series that a metric has.  ``reductions``: operators, and the groups that each goes over."""

    reductions: Sequence[tuple[str, Groups]]
    sums: Mapping[int, _Place]
    histograms: Sequence[_Histograms]

    def answers(self, whole: Vector) -> Mapping[int, Answer]:
        if not self.reductions:
            return {}
        parts = [reduced(operator, whole, groups) for operator, groups in self.reductions]
        values = np.concatenate([part.values for part in parts])
        present = np.concatenate([part.present for part in parts])
        answers = {
            number: Answer(Vector(place.labels, values[place.rows], present[place.rows]))
            for number, place in self.sums.items()
        }
        for histograms in self.histograms:
            answers |= histograms.answers(values, present)
        return answers
