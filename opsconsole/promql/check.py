"""What a query must keep to besides its grammar: the kinds of operands and arguments.

The rules and their words are those of Prometheus (``promql/parser/parse.go``, checkAST).
"""

from __future__ import annotations

from collections.abc import Sequence

from .plan import Binary, Call, Cardinality, Expr, Kind, start
from .signature import Signature

Problem = tuple[str, int]
"""What is wrong, and where."""

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
SET_OPERATORS = frozenset(("and", "or", "unless"))
_PARAMETRIC = {
    "topk": Kind.SCALAR,
    "bottomk": Kind.SCALAR,
    "quantile": Kind.SCALAR,
    "limitk": Kind.SCALAR,
    "limit_ratio": Kind.SCALAR,
    "count_values": Kind.TEXT,
}


def binary(node: Binary, *, has_matching: bool) -> Problem | None:  # noqa: PLR0911  one line a rule
    left, right = node.left.kind, node.right.kind
    operator, grouping = node.operator, node.matching.grouping
    if node.returns_bool and operator not in COMPARISONS:
        return "bool modifier can only be used on comparison operators", node.position
    if operator in COMPARISONS and not node.returns_bool and left is right is Kind.SCALAR:
        return "comparisons between scalars must use BOOL modifier", node.position
    if not grouping.without:
        for name in node.matching.include:
            if name in grouping.names:
                return f'label "{name}" must not occur in ON and GROUP clause at once', node.position
    for side in (node.left, node.right):
        if side.kind not in (Kind.SCALAR, Kind.VECTOR):
            return "binary expression must contain only scalar and instant vector types", start(side)
    if Kind.SCALAR in (left, right):
        if has_matching and grouping.names:
            return "vector matching only allowed between instant vectors", start(node)
        if operator in SET_OPERATORS:
            return f'set operator "{operator}" not allowed in binary scalar expression', start(node)
    elif operator in SET_OPERATORS and node.matching.cardinality is not Cardinality.ONE_TO_ONE:
        return f'no grouping allowed for "{operator}" operation', start(node)
    return None


def unary(operand: Expr, position: int) -> Problem | None:
    if operand.kind in (Kind.SCALAR, Kind.VECTOR):
        return None
    return (
        f'unary expression only allowed on expressions of type scalar or instant vector, got "{operand.kind.value}"',
        position,
    )


def subquery(inner: Expr) -> Problem | None:
    if inner.kind is Kind.VECTOR:
        return None
    return f"subquery is only allowed on instant vector, got {inner.kind.value} instead", start(inner)


def call(node: Call, signature: Signature) -> Problem | None:
    if problem := signature.wrong_number(node.function, len(node.args)):
        return problem, node.position
    for number, argument in enumerate(node.args):
        if wrong := _expected(signature.kind_of(number), argument, f'call to function "{node.function}"'):
            return wrong
    return None


def aggregation(operator: str, args: Sequence[Expr], position: int) -> Problem | None:
    if not args:
        return "no arguments for aggregate expression provided", position
    parameter = _PARAMETRIC.get(operator)
    wanted = 1 if parameter is None else 2
    if len(args) != wanted:
        return (
            f"wrong number of arguments for aggregate expression provided, expected {wanted}, got {len(args)}",
            position,
        )
    problem = _expected(Kind.VECTOR, args[-1], "aggregation expression")
    if problem is None and parameter is not None:
        problem = _expected(parameter, args[0], "aggregation parameter")
    return problem


def _expected(kind: Kind, expr: Expr, context: str) -> Problem | None:
    if expr.kind is kind:
        return None
    return f"expected type {kind.value} in {context}, got {expr.kind.value}", start(expr)
