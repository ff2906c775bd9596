"""A query's syntax tree as Prometheus' API shows it, for tree views and query builders.

Source: Prometheus 3, web/api/v1/translate_ast.go.
"""

from __future__ import annotations

from typing import Any

from opsconsole.promql.check import SET_OPERATORS
from opsconsole.promql.literal import printable
from opsconsole.promql.plan import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    Expr,
    Kind,
    Negate,
    Number,
    Parentheses,
    Range,
    Selector,
    Shift,
    Subquery,
    Text,
)
from opsconsole.promql.signature import SIGNATURES
from opsconsole.promql.text import number

_TYPES = {Kind.SCALAR: "scalar", Kind.VECTOR: "vector", Kind.RANGE: "matrix", Kind.TEXT: "string"}


def tree_as_json(node: Expr) -> dict[str, Any]:  # noqa: PLR0911  one line for each kind of node
    match node:
        case Parentheses():
            return {"type": "parenExpr", "expr": tree_as_json(node.expr)}
        case Number():
            return {"type": "numberLiteral", "val": number(node.value)}
        case Text():
            return {"type": "stringLiteral", "val": printable(node.value)}
        case Negate():
            return {"type": "unaryExpr", "op": "-", "expr": tree_as_json(node.expr)}
        case Selector():
            return {"type": "vectorSelector", **_selector(node)}
        case Range():
            return {"type": "matrixSelector", "range": node.window_ms, **_selector(node.selector)}
        case Subquery():
            return {
                "type": "subquery",
                "expr": tree_as_json(node.expr),
                "range": node.window_ms,
                "step": node.step_ms,
                **_shift(node.shift),
            }
        case Call():
            return _call(node)
        case Aggregate():
            return _aggregation(node)
        case Binary():
            return _binary(node)


def _selector(node: Selector) -> dict[str, Any]:
    """Prometheus lists the matcher of a name that stands before the braces last."""
    matchers = (*node.matchers[1:], node.matchers[0]) if node.named else node.matchers
    return {
        "name": node.matchers[0].value if node.named else "",
        "matchers": [{"name": each.name, "value": each.value, "type": str(each.operator)} for each in matchers],
        **_shift(node.shift),
    }


def _shift(shift: Shift) -> dict[str, Any]:
    """``offset`` and ``timestamp`` in milliseconds; ``startOrEnd`` is "start", "end" or null."""
    anchored = isinstance(shift.at, Anchor)
    return {
        "offset": shift.offset_ms,
        "timestamp": None if anchored else shift.at,
        "startOrEnd": shift.at if anchored else None,
    }


def _call(node: Call) -> dict[str, Any]:
    signature = SIGNATURES[node.function]
    return {
        "type": "call",
        "func": {
            "name": node.function,
            "argTypes": [_TYPES[kind] for kind in signature.args],
            "variadic": -1 if signature.most is None else signature.most - signature.least,
            "returnType": _TYPES[signature.returns],
        },
        "args": [tree_as_json(argument) for argument in node.args],
    }


def _aggregation(node: Aggregate) -> dict[str, Any]:
    return {
        "type": "aggregation",
        "op": node.operator,
        "expr": tree_as_json(node.expr),
        "param": None if node.param is None else tree_as_json(node.param),
        "grouping": node.grouping.listed,
        "without": node.grouping.without,
    }


def _binary(node: Binary) -> dict[str, Any]:
    between_vectors = node.left.kind is node.right.kind is Kind.VECTOR
    return {
        "type": "binaryExpr",
        "op": node.operator,
        "lhs": tree_as_json(node.left),
        "rhs": tree_as_json(node.right),
        "matching": _matching(node) if between_vectors else None,
        "bool": node.returns_bool,
    }


def _matching(node: Binary) -> dict[str, Any]:
    matching = node.matching
    return {
        "card": "many-to-many" if node.operator in SET_OPERATORS else matching.cardinality,
        "labels": matching.grouping.listed,
        "on": not matching.grouping.without,
        "include": matching.include,
    }
