from __future__ import annotations

from collections.abc import Callable

import promql_parser as ast
import pytest

SETS = {"and", "or", "unless"}
COMPARISONS = {">", "<", ">=", "<=", "==", "!="}


def _labels(node: ast.Expr) -> frozenset[str] | None:
    """The labels of an expression's result as its grouping says them; None for a scalar."""
    match node:
        case ast.NumberLiteral():
            return None
        case ast.ParenExpr():
            return _labels(node.expr)
        case ast.AggregateExpr():
            if node.modifier is None:
                return frozenset()
            assert node.modifier.type == ast.AggModifierType.By, "without() lets unknown labels through"
            return frozenset(node.modifier.labels)
        case ast.Call() if node.func.name == "histogram_quantile":
            inner = _labels(node.args[1])
            assert inner is not None
            assert "le" in inner, "histogram_quantile needs le"
            return inner - {"le"}
        case ast.BinaryExpr():
            return _labels_of_binary(node)
    raise AssertionError(f"{node.prettify()}: aggregate it, so that its labels are known")


def _labels_of_binary(node: ast.BinaryExpr) -> frozenset[str] | None:
    left, right = _labels(node.lhs), _labels(node.rhs)
    if left is None or right is None:
        return right if left is None else left
    if str(node.op) == "or":
        assert left == right, "both sides of or must give the same labels"
    if str(node.op) in SETS | COMPARISONS:
        return left
    matching = node.modifier.matching if node.modifier else None
    if matching is None:
        assert left == right, "the sides match on all labels, so they must have the same ones"
        return left
    assert node.modifier.card == ast.VectorMatchCardinality.ManyToOne, "only group_left is known here"
    return left


@pytest.fixture(scope="session")
def result_labels() -> Callable[[str], frozenset[str]]:
    """``result_labels(promql)``: the labels of the result, from the syntax alone."""

    def read(promql: str) -> frozenset[str]:
        labels = _labels(ast.parse(promql))
        assert labels is not None
        return labels

    return read
