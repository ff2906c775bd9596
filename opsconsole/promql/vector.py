"""Instant vectors over all evaluation instants at once: what every expression evaluates to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels, LabelSets, derived

from .error import PromQLError
from .plan import Grouping


@dataclass(frozen=True, slots=True)
class Vector:
    """S series at T instants.

    ``labels``: S label sets, all different.  ``values``: float64[S, T], arbitrary where not present.
    ``present``: bool[S, T].
    """

    labels: Sequence[Labels]
    values: Values
    present: Mask

    @classmethod
    def empty(cls, instants: int) -> Vector:
        return cls((), np.empty((0, instants)), np.empty((0, instants), dtype=bool))

    @classmethod
    def joined(cls, parts: Sequence[Vector], instants: int) -> Vector:
        """The series of all parts, which have none in common."""
        if not parts:
            return cls.empty(instants)
        if len(parts) == 1:
            return parts[0]
        return cls(
            _joined([part.labels for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.present for part in parts]),
        )

    def rows(self, index: NDArray[np.intp] | Mask) -> Vector:
        labels = [self.labels[row] for row in (np.flatnonzero(index) if index.dtype == bool else index)]
        return Vector(labels, self.values[index], self.present[index])

    def without_metric(self) -> Vector:
        """Drops metric names.  Series that become the same are joined where they take turns in time.

        Raises ``PromQLError`` where two of them are present at one instant.
        """
        nameless, one_name = derived(self.labels, "without metric", _nameless)
        vector = Vector(nameless, self.values, self.present)
        return vector if one_name else merged(vector)  # what was different under one name stays different


def _nameless(labels: Sequence[Labels]) -> tuple[LabelSets, bool]:
    """The label sets without metric names, and whether all of them had the same one."""
    return LabelSets(one.without_metric() for one in labels), len({one.metric for one in labels}) <= 1


def _joined(parts: Sequence[Sequence[Labels]]) -> Sequence[Labels]:
    sets = [part for part in parts if isinstance(part, LabelSets)]
    return LabelSets.joined(sets) if len(sets) == len(parts) else [labels for part in parts for labels in part]


@dataclass(frozen=True)
class Groups:
    """The rows of a vector in G groups.

    ``labels``: G label sets.  ``ids``: intp[S], the group of each row.
    """

    labels: Sequence[Labels]
    ids: NDArray[np.intp]

    @classmethod
    def of(cls, labels: Sequence[Labels], grouping: Grouping) -> Groups:
        return derived(labels, grouping, lambda sets: cls._of(sets, grouping))

    @classmethod
    def _of(cls, labels: Sequence[Labels], grouping: Grouping) -> Groups:
        numbers: dict[tuple[tuple[str, str], ...], int] = {}
        key = grouping.key
        ids = [numbers.setdefault(key(each), len(numbers)) for each in labels]
        return cls(LabelSets(Labels(each) for each in numbers), np.array(ids, dtype=np.intp))

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """intp[S]: the rows, group after group, in their old order within each."""
        return np.argsort(self.ids, kind="stable")

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        return np.bincount(self.ids, minlength=len(self.labels))

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """intp[G]: where each group begins in ``order``."""
        sizes = self.sizes
        return np.cumsum(sizes) - sizes


def merged(
    vector: Vector, message: str = "vector cannot contain metrics with the same labelset", position: int = -1
) -> Vector:
    """One series for each label set.  Raises ``PromQLError(message)`` where two of a set are present at one instant."""
    numbers: dict[Labels, int] = {}
    ids = np.array([numbers.setdefault(labels, len(numbers)) for labels in vector.labels], dtype=np.intp)
    if len(numbers) == len(vector.labels):
        return vector
    if overlapping(vector.present, ids):
        raise PromQLError(message, position)
    groups = Groups(list(numbers), ids)
    order, starts = groups.order, groups.starts
    values = np.where(vector.present, vector.values, 0.0)[order]
    present = vector.present[order]
    return Vector(
        groups.labels, np.add.reduceat(values, starts, axis=0), np.logical_or.reduceat(present, starts, axis=0)
    )


def overlapping(present: Mask, ids: NDArray[np.intp]) -> bool:
    """Whether two rows of one id are present at one instant; ``present``: bool[S, T], ``ids``: intp[S]."""
    if not ids.size:
        return False
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    return bool((np.add.reduceat(present[order], starts, axis=0, dtype=np.intp) > 1).any())
