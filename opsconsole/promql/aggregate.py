"""Aggregations: ``sum by (job) (...)`` and its kin, over all instants at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels

from .plan import Grouping
from .summation import grouped_sums
from .vector import Groups, Vector


class Members:
    """The rows of a vector sorted by group: group g is the rows ``starts[g]`` to ``starts[g] + sizes[g]``."""

    def __init__(self, vector: Vector, grouping: Grouping) -> None:
        groups = Groups.of(vector.labels, grouping)
        self.groups = groups
        self.order = groups.order
        self.starts = groups.starts
        self.values: Values = vector.values[self.order]
        self.present: Mask = vector.present[self.order]
        self.complete = bool(self.present.all())
        counts = groups.sizes[:, np.newaxis] if self.complete else self._added(self.present)
        self.counts: NDArray[np.intp] = np.broadcast_to(counts, (len(groups.labels), vector.values.shape[1]))

    def filled(self, value: float) -> Values:
        """float64[S, T]: the values, with ``value`` where there is none."""
        return self.values if self.complete else np.where(self.present, self.values, value)

    def spread(self, of_groups: Values) -> Values:
        """float64[S, T]: for each row the value of its group."""
        return np.repeat(of_groups, self.groups.sizes, axis=0)

    def _added(self, rows: Mask) -> NDArray[np.intp]:
        return np.add.reduceat(rows, self.starts, axis=0, dtype=np.intp)


def aggregate(
    operator: str, vector: Vector, grouping: Grouping, parameter: NDArray[np.float64] | str | None
) -> Vector:
    """``parameter``: float64[T] for topk, bottomk and quantile; the label for count_values."""
    if not vector.labels:
        return vector
    if operator in _SELECTIONS:
        return _SELECTIONS[operator](vector, grouping, parameter)
    members = Members(vector, grouping)
    if operator == "quantile":
        values = _quantile(members, parameter)
    else:
        values = _REDUCTIONS[operator](members)
    return Vector(members.groups.labels, values, members.counts > 0)


def _sum(members: Members) -> Values:
    return grouped_sums(members.filled(0.0), members.starts)


def _mean(members: Members) -> Values:
    values = members.filled(0.0)
    sums = grouped_sums(values, members.starts)
    if np.isinf(sums).any():  # perhaps the sum alone is too big: divide first
        divided = grouped_sums(values / members.spread(members.counts.astype(np.float64)), members.starts)
        return np.where(np.isinf(sums), divided, sums / members.counts)
    return sums / members.counts


def _minimum(members: Members) -> Values:
    return np.fmin.reduceat(members.filled(np.nan), members.starts, axis=0)


def _maximum(members: Members) -> Values:
    return np.fmax.reduceat(members.filled(np.nan), members.starts, axis=0)


def _count(members: Members) -> Values:
    return members.counts.astype(np.float64)


def _group(members: Members) -> Values:
    return np.ones(members.counts.shape)


def _variance(members: Members) -> Values:
    deviations = np.where(members.present, members.values - members.spread(_mean(members)), 0.0)
    return grouped_sums(deviations * deviations, members.starts) / members.counts


def _deviation(members: Members) -> Values:
    return np.sqrt(_variance(members))


def _quantile(members: Members, q: NDArray[np.float64]) -> Values:
    """Linear between the two nearest ranks; -Inf below 0 and +Inf above 1."""
    ascending = np.take_along_axis(members.values, _ranking(members, members.values, nan_first=True), axis=0)
    position = np.where(np.isnan(q), 0.0, np.clip(q, 0.0, 1.0)) * np.maximum(members.counts - 1, 0)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(members.counts - 1, 0))
    first = members.starts[:, np.newaxis]
    low = np.take_along_axis(ascending, first + below, axis=0)
    high = np.take_along_axis(ascending, first + above, axis=0)
    weight = position - below
    values = low * (1 - weight) + high * weight
    return np.select([np.isnan(q), q < 0, q > 1], [np.nan, -np.inf, np.inf], values)


def _topk(vector: Vector, grouping: Grouping, k: NDArray[np.float64]) -> Vector:
    return _ranked(vector, grouping, k, np.negative)


def _bottomk(vector: Vector, grouping: Grouping, k: NDArray[np.float64]) -> Vector:
    return _ranked(vector, grouping, k, np.positive)


def _ranked(vector: Vector, grouping: Grouping, k: NDArray[np.float64], direction: np.ufunc) -> Vector:
    """The k series of each group that come first at each instant, under their own labels; NaN comes last."""
    members = Members(vector, grouping)
    ranking = _ranking(members, direction(members.values), nan_first=False)
    rank = np.arange(len(members.order)) - np.repeat(members.starts, members.groups.sizes)
    chosen = np.zeros_like(members.present)
    np.put_along_axis(chosen, ranking, rank[:, np.newaxis] < k, axis=0)
    chosen &= members.present
    rows = np.flatnonzero(chosen.any(axis=1))
    if chosen.shape[1] == 1:  # an instant query shows them in their order
        rows = ranking[chosen[ranking[:, 0], 0], 0]
    return Vector([vector.labels[row] for row in members.order[rows]], members.values[rows], chosen[rows])


def _ranking(members: Members, keys: Values, *, nan_first: bool) -> NDArray[np.intp]:
    """intp[S, T]: in each column the rows of group after group, by ascending key within each; absent ones last."""
    group = np.repeat(np.arange(len(members.starts)), members.groups.sizes)[:, np.newaxis]
    odd = np.isnan(keys)
    nature = np.where(members.present, -1 * odd if nan_first else 1 * odd, 2)
    return np.lexsort((keys, nature, np.broadcast_to(group, keys.shape)), axis=0)


def _count_values(vector: Vector, grouping: Grouping, label: str) -> Vector:
    """How many series of a group have each value; the value becomes a label."""
    groups = Groups.of(vector.labels, grouping)
    distinct, code = np.unique(vector.values, return_inverse=True)
    pair = groups.ids[:, np.newaxis] * distinct.size + code.reshape(vector.values.shape)
    pairs, row = np.unique(pair[vector.present], return_inverse=True)
    counts = np.zeros((pairs.size, vector.values.shape[1]))
    np.add.at(counts, (row, np.nonzero(vector.present)[1]), 1.0)
    labels = [
        Labels.of(groups.labels[number // distinct.size], **{label: format_value(distinct[number % distinct.size])})
        for number in pairs.tolist()
    ]
    return Vector(labels, counts, counts > 0)


def format_value(value: float) -> str:
    """A sample value as Prometheus writes it: the shortest digits, without an exponent."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")


_REDUCTIONS: dict[str, Callable[[Members], Values]] = {
    "sum": _sum,
    "avg": _mean,
    "min": _minimum,
    "max": _maximum,
    "count": _count,
    "group": _group,
    "stddev": _deviation,
    "stdvar": _variance,
}
_SELECTIONS: dict[str, Callable[..., Vector]] = {
    "topk": _topk,
    "bottomk": _bottomk,
    "count_values": _count_values,
}
OPERATORS = frozenset((*_REDUCTIONS, *_SELECTIONS, "quantile"))
