"""Instant vectors over all evaluation instants at once: what every expression evaluates to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels, LabelSets, derived

from .error import PromQLError
from .plan import Grouping

_FEW = 64  # series; as many as a panel draws, and some


@dataclass(frozen=True, slots=True)
class Vector:
    """S series at T instants.

    ``labels``: S label sets, all different.  ``values``: float64[S, T], arbitrary where not present.
    ``present``: bool[S, T].
    ``nameless``: bool[S], which series will lose their metric name when the evaluation ends, None for none.  Until then the
    name tells series apart, and ``label_replace`` may still use it: Prometheus' delayed removal of names.
    """

    labels: Sequence[Labels]
    values: Values
    present: Mask
    nameless: Mask | None = None

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
            _joined_flags(parts),
        )

    def rows(self, index: NDArray[np.intp]) -> Vector:
        labels = chosen(self.labels, index)
        nameless = None if self.nameless is None else self.nameless[index]
        return Vector(labels, self.values[index], self.present[index], nameless)

    def valued(self, values: Values, present: Mask | None = None) -> Vector:
        """The same series with other values."""
        return Vector(self.labels, values, self.present if present is None else present, self.nameless)

    def labelled(self, labels: Sequence[Labels], named: Mask | None = None) -> Vector:
        """The same values under other labels; the ``named`` ones, bool[S], keep their metric name after all."""
        nameless = self.nameless if named is None or self.nameless is None else self.nameless & ~named
        return replace(self, labels=labels, nameless=nameless)

    def without_metric(self) -> Vector:
        """The same series, which lose their metric names in the end."""
        return Vector(self.labels, self.values, self.present, np.ones(len(self.labels), dtype=bool))

    def settled(self) -> Vector:
        """Drops the names that are to be lost.  Series that become the same are joined where they take turns in time.

        Raises ``PromQLError`` where two of them are present at one instant.
        """
        if self.nameless is None:
            return self
        if self.nameless.all():
            labels, one_name = derived(self.labels, "without metric", _nameless)
            vector = Vector(labels, self.values, self.present)
            return vector if one_name else merged(vector)  # what was different under one name stays different
        partly = [
            each.without_metric() if nameless else each
            for each, nameless in zip(self.labels, self.nameless.tolist(), strict=True)
        ]
        return merged(Vector(partly, self.values, self.present))


def chosen(labels: Sequence[Labels], index: NDArray[np.intp]) -> Sequence[Labels]:
    """Some of the label sets; the same object as long as a few are the same ones, which mostly they are."""
    if index.size > _FEW or not isinstance(labels, LabelSets):
        return [labels[row] for row in index.tolist()]
    last: dict[bytes, LabelSets] = labels.derive(("chosen", index.size), lambda _: {})
    which = index.tobytes()
    if (found := last.get(which)) is None:
        found = LabelSets(labels[row] for row in index.tolist())
        last.clear()
        last[which] = found
    return found


def _nameless(labels: Sequence[Labels]) -> tuple[LabelSets, bool]:
    """The label sets without metric names, and whether all of them had the same one."""
    return LabelSets(one.without_metric() for one in labels), len({one.metric for one in labels}) <= 1


def _joined(parts: Sequence[Sequence[Labels]]) -> Sequence[Labels]:
    sets = [part for part in parts if isinstance(part, LabelSets)]
    return LabelSets.joined(sets) if len(sets) == len(parts) else [labels for part in parts for labels in part]


def _joined_flags(parts: Sequence[Vector]) -> Mask | None:
    if all(part.nameless is None for part in parts):
        return None
    none = (np.zeros(len(part.labels), dtype=bool) if part.nameless is None else part.nameless for part in parts)
    return np.concatenate(list(none))


@dataclass(frozen=True)
class Groups:
    """The rows of a vector in G groups.

    ``labels``: G label sets.  ``order``: intp[S], the rows, group after group, in their old order within each.
    ``sizes``: intp[G].
    """

    labels: LabelSets
    order: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, labels: Sequence[Labels], grouping: Grouping) -> Groups:
        return derived(labels, grouping, lambda sets: cls._of(sets, grouping))

    @classmethod
    def _of(cls, labels: Sequence[Labels], grouping: Grouping) -> Groups:
        numbers: dict[tuple[tuple[str, str], ...], int] = {}
        key = grouping.key
        ids = [numbers.setdefault(key(each), len(numbers)) for each in labels]
        return cls.numbered(LabelSets(Labels(each) for each in numbers), np.array(ids, dtype=np.intp))

    @classmethod
    def numbered(cls, labels: LabelSets, ids: NDArray[np.intp]) -> Groups:
        """``ids``: intp[S], the group of each row."""
        return cls(labels, np.argsort(ids, kind="stable"), np.bincount(ids, minlength=len(labels)))

    @cached_property
    def ids(self) -> NDArray[np.intp]:
        """intp[S]: the group of each row."""
        ids = np.empty_like(self.order)
        ids[self.order] = np.repeat(np.arange(self.sizes.size), self.sizes)
        return ids

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """intp[G]: where each group begins in ``order``."""
        sizes = self.sizes
        return np.cumsum(sizes) - sizes


def merged(
    vector: Vector, message: str = "vector cannot contain metrics with the same labelset", position: int = -1
) -> Vector:
    """One series for each label set.  Raises ``PromQLError(message)`` where two of a set are present at one instant."""
    groups = derived(vector.labels, "alike", _alike)
    if len(groups.labels) == len(vector.labels):
        return vector
    if overlapping(vector.present, groups.ids):
        raise PromQLError(message, position)
    order, starts = groups.order, groups.starts
    values = np.where(vector.present, vector.values, 0.0)[order]
    present = vector.present[order]
    return Vector(
        groups.labels,
        np.add.reduceat(values, starts, axis=0),
        np.logical_or.reduceat(present, starts, axis=0),
        None if vector.nameless is None else vector.nameless[order][starts],
    )


def _alike(labels: Sequence[Labels]) -> Groups:
    numbers: dict[Labels, int] = {}
    ids = np.array([numbers.setdefault(one, len(numbers)) for one in labels], dtype=np.intp)
    return Groups.numbered(LabelSets(numbers), ids)


def overlapping(present: Mask, ids: NDArray[np.intp]) -> bool:
    """Whether two rows of one id are present at one instant; ``present``: bool[S, T], ``ids``: intp[S]."""
    if not ids.size:
        return False
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    return bool((np.add.reduceat(present[order], starts, axis=0, dtype=np.intp) > 1).any())
