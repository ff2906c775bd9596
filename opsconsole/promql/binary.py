"""Binary operators: between numbers, between a vector and a number, and between vectors that match by labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Values
from opsconsole.series.labels import Labels, LabelSets, derived, quote

from .check import SET_OPERATORS
from .error import PromQLError
from .plan import Binary, Cardinality, Grouping
from .vector import Groups, Vector, merged, overlapping

Key = tuple[tuple[str, str], ...]

_ARITHMETIC: dict[str, np.ufunc] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
_COMPARISONS: dict[str, np.ufunc] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def numbers(node: Binary, left: Values, right: Values) -> Values:
    """Between two scalars, float64[T]; a comparison is 1 or 0."""
    operation = _ARITHMETIC.get(node.operator) or _COMPARISONS[node.operator]
    result: Values = operation(left, right).astype(np.float64)
    return result


def vector_and_number(node: Binary, vector: Vector, number: Values, *, swapped: bool) -> Vector:
    """``number``: float64[T]; ``swapped`` when it stands on the left.  A filtering comparison keeps the vector's value."""
    left, right = (number, vector.values) if swapped else (vector.values, number)
    if node.operator in _ARITHMETIC:
        return vector.valued(_ARITHMETIC[node.operator](left, right)).without_metric()
    holds = _COMPARISONS[node.operator](left, right)
    if node.returns_bool:
        return vector.valued(holds.astype(np.float64)).without_metric()
    return vector.valued(vector.values, vector.present & holds)


def vectors(node: Binary, left: Vector, right: Vector) -> Vector:
    """Between series whose labels match.  Raises ``PromQLError`` where that is ambiguous at some instant."""
    if node.operator in SET_OPERATORS:
        return _combined(node.operator, left, right, node.matching.grouping)
    swapped = node.matching.cardinality is Cardinality.ONE_TO_MANY
    many, one = (right, left) if swapped else (left, right)
    matches = _matches(node, many.labels, one.labels)
    _refuse_duplicates(node, matches.ambiguous, many, one)
    many_rows, one_rows, labels = matches.many_rows, matches.one_rows, matches.labels
    both = many.present[many_rows] & one.present[one_rows]
    one_to_one = node.matching.cardinality is Cardinality.ONE_TO_ONE
    if one_to_one and not matches.single and overlapping(both, one_rows):
        raise PromQLError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)", node.position
        )
    a, b = many.values[many_rows], one.values[one_rows]
    if swapped:
        a, b = b, a

    def unique(values: Values) -> Vector:
        nameless = None if many.nameless is None else many.nameless[many_rows]
        message = "multiple matches for labels: grouping labels must ensure unique matches"
        return merged(Vector(labels, values, both, nameless), message, node.position)

    if node.operator in _ARITHMETIC:
        return unique(_ARITHMETIC[node.operator](a, b))
    holds = _COMPARISONS[node.operator](a, b).astype(np.float64)
    if node.returns_bool:
        return unique(holds)
    # Matches that the comparison then filters away must be unique too, so filter last.
    result, passing = unique(a), unique(holds)
    return result.valued(result.values, result.present & (passing.values > 0))


@dataclass(frozen=True, slots=True)
class _Matches:
    """K pairs of rows that match.  ``many_rows``, ``one_rows``: intp[K].  ``labels``: of the results.

    ``ambiguous``: the groups of which the one side has several rows.  ``single``: whether each of its rows has one match.
    """

    many_rows: NDArray[np.intp]
    one_rows: NDArray[np.intp]
    labels: LabelSets
    ambiguous: Mapping[Key, Sequence[int]]
    single: bool


def _matches(node: Binary, many: Sequence[Labels], one: Sequence[Labels]) -> _Matches:
    """The same object while both sides keep their series: a panel that joins asks again and again."""
    keeps_name = not (node.operator in _ARITHMETIC or node.returns_bool)
    # Kept with the other side, so that no other object can take its identity.
    found, _ = derived(
        many, ("matches", node.matching, keeps_name, id(one)), lambda _: (_matched_rows(node, many, one), one)
    )
    return found


def _matched_rows(node: Binary, many: Sequence[Labels], one: Sequence[Labels]) -> _Matches:
    key = node.matching.grouping.key
    homes: dict[Key, list[int]] = defaultdict(list)
    for row, labels in enumerate(one):
        homes[key(labels)].append(row)
    pairs = [(row, match) for row, labels in enumerate(many) for match in homes.get(key(labels), ())]
    index = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return _Matches(
        index[:, 0],
        index[:, 1],
        LabelSets(_result_labels(node, many[row], one[match]) for row, match in pairs),
        {group: rows for group, rows in homes.items() if len(rows) > 1},
        len(set(index[:, 1].tolist())) == len(index),
    )


def _refuse_duplicates(node: Binary, ambiguous: Mapping[Key, Sequence[int]], many: Vector, one: Vector) -> None:
    asked = many.present.any(axis=0)  # an empty side matches nothing, so nothing is ambiguous there
    for group, rows in ambiguous.items():
        clash = (one.present[rows].sum(axis=0) > 1) & asked
        if clash.any():
            there = sorted(one.labels[row] for row in rows if one.present[row, clash.argmax()])
            side = "left" if node.matching.cardinality is Cardinality.ONE_TO_MANY else "right"
            raise PromQLError(
                f"found duplicate series for the match group {_text(group)} on the {side} hand-side of the operation: "
                f"[{_text(there[0])}, {_text(there[1])}];many-to-many matching not allowed: "
                "matching labels must be unique on one side",
                node.position,
            )


def _text(pairs: tuple[tuple[str, str], ...]) -> str:
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in pairs) + "}"


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    labels = many
    if node.operator in _ARITHMETIC or node.returns_bool:
        labels = labels.without_metric()
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        names = matching.grouping.names
        return labels.drop(names) if matching.grouping.without else labels.keep(names)
    if matching.include:
        included = {name: one.get(name) for name in matching.include}
        return Labels.of({**dict(labels), **included})
    return labels


def _combined(operator: str, left: Vector, right: Vector, grouping: Grouping) -> Vector:
    """``and``, ``or``, ``unless``: by whether the other side has a series with equal matching labels at that instant."""
    if operator == "or":
        extra = right.valued(right.values, right.present & ~_matched(right, left, grouping))
        return merged(Vector.joined([left, extra], left.values.shape[1]))
    matched = _matched(left, right, grouping)
    return left.valued(left.values, left.present & (matched if operator == "and" else ~matched))


def _matched(vector: Vector, others: Vector, grouping: Grouping) -> Mask:
    """bool[S, T]: where one of the others is present with the matching labels of each series."""
    groups = Groups.of([*vector.labels, *others.labels], grouping)
    mine, theirs = groups.ids[: len(vector.labels)], groups.ids[len(vector.labels) :]
    present = np.zeros((len(groups.labels), vector.values.shape[1]), dtype=bool)
    np.logical_or.at(present, theirs, others.present)
    return present[mine]
