from __future__ import annotations

from collections.abc import Callable

import pytest

from opsconsole.promql.check import COMPARISONS, SET_OPERATORS
from opsconsole.promql.parse import parse
from opsconsole.promql.plan import Aggregate, Binary, Call, Cardinality, Expr, Matching, Number


def _labels(node: Expr) -> frozenset[str] | None:
    """The labels of an expression's result as its grouping says them; None for a scalar."""
    match node:
        case Number():
            return None
        case Aggregate():
            assert not node.grouping.without, "without() lets unknown labels through"
            return node.grouping.names
        case Call("histogram_quantile"):
            inner = _labels(node.args[1])
            assert inner is not None
            assert "le" in inner, "histogram_quantile needs le"
            return inner - {"le"}
        case Binary():
            return _labels_of_binary(node)
    raise AssertionError(f"{node}: aggregate it, so that its labels are known")


def _labels_of_binary(node: Binary) -> frozenset[str] | None:
    left, right = _labels(node.left), _labels(node.right)
    if left is None or right is None:
        return right if left is None else left
    if node.operator == "or":
        assert left == right, "both sides of or must give the same labels"
    if node.operator in SET_OPERATORS | COMPARISONS:
        return left
    if node.matching == Matching():
        assert left == right, "the sides match on all labels, so they must have the same ones"
        return left
    assert node.matching.cardinality is Cardinality.MANY_TO_ONE, "only group_left is known here"
    return left


@pytest.fixture(scope="session")
def result_labels() -> Callable[[str], frozenset[str]]:
    """``result_labels(promql)``: the labels of the result, from the syntax alone."""

    def read(promql: str) -> frozenset[str]:
        labels = _labels(parse(promql))
        assert labels is not None
        return labels

    return read
