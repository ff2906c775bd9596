"""Aggregations: ``sum by (job) (...)`` and its kin, over all instants at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels, derived

from .format import sample
from .limits import Budget
from .plan import Grouping
from .summation import grouped_sums
from .vector import Groups, Vector, chosen

Numbers = NDArray[np.float64]


class Members:
    """The rows of a vector sorted by group: group g is the rows ``starts[g]`` to ``starts[g] + sizes[g]``."""

    def __init__(self, vector: Vector, groups: Groups) -> None:
        self.labels = vector.labels  # in their old order
        self.groups = groups
        self.order = groups.order
        self.nameless = vector.nameless
        self.starts = groups.starts
        self.values: Values = vector.values[self.order]
        self.complete = bool(vector.present.all())
        self.present: Mask = vector.present if self.complete else vector.present[self.order]
        counts = groups.sizes[:, np.newaxis] if self.complete else self._added(self.present)
        self.counts: NDArray[np.intp] = np.broadcast_to(counts, (len(groups.labels), vector.values.shape[1]))

    def filled(self, value: float) -> Values:
        """float64[S, T]: the values, with ``value`` where there is none."""
        return self.values if self.complete else np.where(self.present, self.values, value)

    def chosen(self, rows: NDArray[np.intp], present: Mask) -> Vector:
        """These rows, in the order of groups, under their own labels."""
        places = self.order[rows]
        nameless = None if self.nameless is None else self.nameless[places]
        return Vector(chosen(self.labels, places), self.values[rows], present[rows], nameless)

    def spread(self, of_groups: Values | NDArray[np.intp]) -> Values:
        """float64[S, T]: for each row the value of its group."""
        return np.repeat(of_groups, self.groups.sizes, axis=0)

    def nameless_groups(self) -> Mask | None:
        """bool[G]: the groups, told apart by metric name, whose name is to be lost."""
        if self.nameless is None or not derived(self.groups.labels, "named", _any_named):
            return None
        return self.nameless[self.order][self.starts]

    def _added(self, rows: Mask) -> NDArray[np.intp]:
        return np.add.reduceat(rows, self.starts, axis=0, dtype=np.intp)


def _any_named(labels: Sequence[Labels]) -> bool:
    return any(one.metric for one in labels)


def aggregate(operator: str, vector: Vector, grouping: Grouping) -> Vector:
    """One series a group, by an aggregation without a parameter."""
    if not vector.labels:
        return vector
    return reduced(operator, vector, Groups.of(vector.labels, grouping))


def reduced(operator: str, vector: Vector, groups: Groups) -> Vector:
    """One series a group; a row may be in several."""
    members = Members(vector, groups)
    return Vector(groups.labels, REDUCTIONS[operator](members), members.counts > 0, members.nameless_groups())


def aggregate_by(operator: str, vector: Vector, grouping: Grouping, parameter: Numbers) -> Vector:
    """By topk, bottomk, limitk, limit_ratio or quantile.  ``parameter``: float64[T]."""
    if not vector.labels:
        return vector
    return _PARAMETRIC[operator](Members(vector, Groups.of(vector.labels, grouping)), parameter)


def count_values(label: str, vector: Vector, grouping: Grouping, budget: Budget) -> Vector:
    """How many series of a group have each value; the value becomes a label."""
    if not vector.labels:
        return vector
    groups = Groups.of(vector.labels, grouping)
    distinct, code = np.unique(vector.values, return_inverse=True)
    pair = groups.ids[:, np.newaxis] * distinct.size + code.reshape(vector.values.shape)
    pairs, row = np.unique(pair[vector.present], return_inverse=True)
    budget.hold(pairs.size * vector.values.shape[1])
    counts = np.zeros((pairs.size, vector.values.shape[1]))
    np.add.at(counts, (row, np.nonzero(vector.present)[1]), 1.0)
    labels = [
        Labels.of(groups.labels[number // distinct.size], **{label: sample(distinct[number % distinct.size])})
        for number in pairs.tolist()
    ]
    return Vector(labels, counts, counts > 0)


def _sum(members: Members) -> Values:
    return grouped_sums(members.filled(0.0), members.starts)


def _mean(members: Members) -> Values:
    values = members.filled(0.0)
    sums = grouped_sums(values, members.starts)
    if np.isfinite(sums).all():
        return sums / members.counts
    divided = grouped_sums(values / members.spread(members.counts), members.starts)  # perhaps only the sum was too big
    return np.where(np.isfinite(sums), sums / members.counts, divided)


def _minimum(members: Members) -> Values:
    return np.fmin.reduceat(members.filled(np.nan), members.starts, axis=0)


def _maximum(members: Members) -> Values:
    return np.fmax.reduceat(members.filled(np.nan), members.starts, axis=0)


def _count(members: Members) -> Values:
    return members.counts.astype(np.float64)


def _group(members: Members) -> Values:
    return np.ones(members.counts.shape)


def _variance(members: Members) -> Values:
    """Of the distances to the smallest member, so that equal values have none at all."""
    distances = members.values - members.spread(_minimum(members))
    counts = members.counts
    means = grouped_sums(np.where(members.present, distances, 0.0), members.starts) / counts
    deviations = np.where(members.present, distances - members.spread(means), 0.0)
    return grouped_sums(deviations * deviations, members.starts) / counts


def _deviation(members: Members) -> Values:
    return np.sqrt(_variance(members))


def _quantile(members: Members, q: Numbers) -> Vector:
    """Linear between the two nearest ranks; -Inf below 0 and +Inf above 1."""
    ascending = _ascending(members)
    last = np.maximum(members.counts - 1, 0)
    position = np.where(np.isnan(q), 0.0, np.clip(q, 0.0, 1.0)) * last
    below = np.floor(position).astype(np.intp)
    start = members.starts[:, np.newaxis]
    low = np.take_along_axis(ascending, start + below, axis=0)
    high = np.take_along_axis(ascending, start + np.minimum(below + 1, last), axis=0)
    weight = position - below
    values = low * (1 - weight) + high * weight
    values = np.select([np.isnan(q), q < 0, q > 1], [np.nan, -np.inf, np.inf], values)
    return Vector(members.groups.labels, values, members.counts > 0, members.nameless_groups())


def _ascending(members: Members) -> Values:
    """float64[S, T]: in each column the values of group after group, ascending within each, NaN first, absent ones last."""
    values = members.filled(np.inf)
    if np.isnan(values).any():
        return np.take_along_axis(members.values, _ranking(members, members.values, nan_first=True), axis=0)
    columns = np.ascontiguousarray(values.T)  # what is sorted stands together
    size = int(members.groups.sizes[0])
    if (members.groups.sizes == size).all():
        columns.reshape(len(columns), -1, size).sort(axis=-1)
    else:
        for group in np.split(columns, members.starts[1:], axis=1):
            group.sort(axis=-1)
    return columns.T


def _topk(members: Members, k: Numbers) -> Vector:
    return _first(members, k, -members.values)


def _bottomk(members: Members, k: Numbers) -> Vector:
    return _first(members, k, members.values)


def _first(members: Members, k: Numbers, keys: Values) -> Vector:
    """The k series of each group with the lowest keys at each instant, under their own labels; NaN comes last."""
    ranking = _ranking(members, keys, nan_first=False)
    rank = np.arange(len(members.order)) - np.repeat(members.starts, members.groups.sizes)
    first = rank[:, np.newaxis] < np.trunc(k)
    if k.size == 1:  # an instant query shows them in their order
        rows = ranking[first]
        return members.chosen(rows[members.present[rows, 0]], members.present)
    chosen = np.zeros_like(members.present)
    np.put_along_axis(chosen, ranking, first, axis=0)
    chosen &= members.present
    return members.chosen(np.flatnonzero(chosen.any(axis=1)), chosen)


def _limitk(members: Members, k: Numbers) -> Vector:
    """The first k series of each group that are there."""
    number: NDArray[np.intp] = np.cumsum(members.present, axis=0, dtype=np.intp)
    before_group = number[members.starts] - members.present[members.starts]
    chosen = members.present & (number - members.spread(before_group) <= np.trunc(k))
    return members.chosen(np.flatnonzero(chosen.any(axis=1)), chosen)


def _limit_ratio(members: Members, ratio: Numbers) -> Vector:
    """A fixed share of the series, by a hash of their labels; below zero the others, so that both make up all."""
    place = np.array([members.labels[row].fingerprint() for row in members.order], dtype=np.float64) / 2.0**64
    share = np.clip(ratio, -1.0, 1.0)
    chosen = np.where(share >= 0, place[:, np.newaxis] < share, place[:, np.newaxis] >= 1 + share) & members.present
    return members.chosen(np.flatnonzero(chosen.any(axis=1)), chosen)


def _ranking(members: Members, keys: Values, *, nan_first: bool) -> NDArray[np.intp]:
    """intp[S, T]: in each column the rows of group after group, by ascending key within each; absent ones last."""
    odd = np.isnan(keys)
    nature = np.where(members.present, -1 * odd if nan_first else 1 * odd, 2)
    if len(members.starts) == 1:
        return np.lexsort((keys, nature), axis=0)
    group = np.repeat(np.arange(len(members.starts)), members.groups.sizes)[:, np.newaxis]
    return np.lexsort((keys, nature, np.broadcast_to(group, keys.shape)), axis=0)


REDUCTIONS: dict[str, Callable[[Members], Values]] = {
    "sum": _sum,
    "avg": _mean,
    "min": _minimum,
    "max": _maximum,
    "count": _count,
    "group": _group,
    "stddev": _deviation,
    "stdvar": _variance,
}
_PARAMETRIC: dict[str, Callable[[Members, Numbers], Vector]] = {
    "topk": _topk,
    "bottomk": _bottomk,
    "quantile": _quantile,
    "limitk": _limitk,
    "limit_ratio": _limit_ratio,
}
