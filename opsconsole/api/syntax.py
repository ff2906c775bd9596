"""A query's syntax tree as Prometheus' API shows it, for tree views and query builders.

Source: Prometheus 3, web/api/v1/translate_ast.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import promql_parser as ast

from opsconsole.promql.text import matcher_operator, number
from opsconsole.series.labels import METRIC_NAME

_TYPES = {
    "ValueType.Scalar": "scalar",
    "ValueType.Vector": "vector",
    "ValueType.Matrix": "matrix",
    "ValueType.String": "string",
}
_CARDINALITIES = {
    "VectorMatchCardinality.OneToOne": "one-to-one",
    "VectorMatchCardinality.ManyToOne": "many-to-one",
    "VectorMatchCardinality.OneToMany": "one-to-many",
    "VectorMatchCardinality.ManyToMany": "many-to-many",
}
_SET_OPERATORS = frozenset(("and", "or", "unless"))


def tree_as_json(node: object) -> dict[str, Any]:  # noqa: PLR0911  one line for each kind of node
    match node:
        case ast.ParenExpr():
            return {"type": "parenExpr", "expr": tree_as_json(node.expr)}
        case ast.NumberLiteral():
            return {"type": "numberLiteral", "val": number(node.val)}
        case ast.StringLiteral():
            return {"type": "stringLiteral", "val": node.val}
        case ast.UnaryExpr():
            return {"type": "unaryExpr", "op": "-", "expr": tree_as_json(node.expr)}
        case ast.VectorSelector():
            return {"type": "vectorSelector", **_selector(node)}
        case ast.MatrixSelector():
            return {"type": "matrixSelector", "range": _ms(node.range), **_selector(node.vector_selector)}
        case ast.SubqueryExpr():
            return {
                "type": "subquery",
                "expr": tree_as_json(node.expr),
                "range": _ms(node.range),
                "step": _ms(node.step),
                **_shift(node),
            }
        case ast.Call():
            return _call(node)
        case ast.AggregateExpr():
            return _aggregation(node)
        case ast.BinaryExpr():
            return _binary(node)
    raise ValueError(f"unsupported expression {type(node).__name__}")


def _selector(node: ast.VectorSelector) -> dict[str, Any]:
    matchers = [
        {"name": each.name, "value": each.value, "type": matcher_operator(each)} for each in node.matchers.matchers
    ]
    if node.name is not None:
        matchers.append({"name": METRIC_NAME, "value": node.name, "type": "="})
    return {"name": node.name or "", "matchers": matchers, **_shift(node)}


def _shift(node: ast.VectorSelector | ast.SubqueryExpr) -> dict[str, Any]:
    """``offset`` and ``timestamp`` in milliseconds; ``startOrEnd`` is "start", "end" or null."""
    shift: dict[str, Any] = {"offset": _ms(node.offset), "timestamp": None, "startOrEnd": None}
    if node.at is not None:
        match node.at.type:
            case ast.AtModifierType.Start:
                shift["startOrEnd"] = "start"
            case ast.AtModifierType.End:
                shift["startOrEnd"] = "end"
            case _ if node.at.at is not None:
                shift["timestamp"] = round(node.at.at.timestamp() * 1000)
    return shift


def _call(node: ast.Call) -> dict[str, Any]:
    function = node.func
    return {
        "type": "call",
        "func": {
            "name": function.name,
            "argTypes": [_TYPES[str(each)] for each in function.arg_types],
            "variadic": function.variadic,
            "returnType": _TYPES[str(function.return_type)],
        },
        "args": [tree_as_json(argument) for argument in node.args],
    }


def _aggregation(node: ast.AggregateExpr) -> dict[str, Any]:
    modifier = node.modifier
    return {
        "type": "aggregation",
        "op": str(node.op),
        "expr": tree_as_json(node.expr),
        "param": None if node.param is None else tree_as_json(node.param),
        "grouping": [] if modifier is None else list(modifier.labels),
        "without": modifier is not None and modifier.type == ast.AggModifierType.Without,
    }


def _binary(node: ast.BinaryExpr) -> dict[str, Any]:
    left, right, modifier = tree_as_json(node.lhs), tree_as_json(node.rhs), node.modifier
    between_vectors = not (_is_scalar(left) or _is_scalar(right))
    return {
        "type": "binaryExpr",
        "op": str(node.op),
        "lhs": left,
        "rhs": right,
        "matching": _matching(str(node.op), modifier) if between_vectors else None,
        "bool": modifier is not None and bool(modifier.return_bool),
    }


def _matching(operator: str, modifier: ast.BinModifier | None) -> dict[str, Any]:
    matching = None if modifier is None else modifier.matching
    card = "many-to-many" if operator in _SET_OPERATORS else "one-to-one"
    return {
        "card": card if modifier is None else _CARDINALITIES[str(modifier.card)],
        "labels": [] if matching is None else list(matching.labels),
        "on": matching is not None and matching.type == ast.LabelModifierType.Include,
        "include": _included(modifier),
    }


def _included(modifier: ast.BinModifier | None) -> Sequence[str]:
    return [] if modifier is None else list(modifier.group_labels or ())


def _is_scalar(tree: dict[str, Any]) -> bool:
    """Whether a part's value is a number; the parser says so of functions alone."""
    match tree["type"]:
        case "numberLiteral" | "stringLiteral":
            return True
        case "parenExpr" | "unaryExpr":
            return _is_scalar(tree["expr"])
        case "binaryExpr":
            return _is_scalar(tree["lhs"]) and _is_scalar(tree["rhs"])
        case "call":
            return bool(tree["func"]["returnType"] == "scalar")
    return False


def _ms(length: timedelta | None) -> int:
    return 0 if length is None else length // timedelta(milliseconds=1)
