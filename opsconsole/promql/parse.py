"""From the text of a query to its plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

import promql_parser as ast

from opsconsole.series.labels import METRIC_NAME
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.series.regex import compile_re2

from . import aggregate, bounds, functions
from .error import ParseError, PromQLError
from .plan import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    Cardinality,
    Expr,
    Grouping,
    Kind,
    Matching,
    Negate,
    Number,
    Range,
    Selector,
    Shift,
    Subquery,
    Text,
)
from .positions import landmarks, position_of

# The parser's enums cannot be hashed; their names can.
_OPERATORS = {
    "MatchOp.Equal": Operator.EQUAL,
    "MatchOp.NotEqual": Operator.NOT_EQUAL,
    "MatchOp.Re": Operator.REGEX,
    "MatchOp.NotRe": Operator.NOT_REGEX,
}
_KINDS = {
    "ValueType.Scalar": Kind.SCALAR,
    "ValueType.Vector": Kind.VECTOR,
    "ValueType.Matrix": Kind.RANGE,
    "ValueType.String": Kind.TEXT,
}
_CARDINALITIES = {
    "VectorMatchCardinality.ManyToOne": Cardinality.MANY_TO_ONE,
    "VectorMatchCardinality.OneToMany": Cardinality.ONE_TO_MANY,
}
_UNKNOWN_FUNCTION = re.compile(r"unknown function with name '(.+)'")


@lru_cache(maxsize=1024)
def parse(query: str) -> Expr:
    """The plan of ``query``.  Raises ``PromQLError`` for what is not PromQL and for what is not supported."""
    tree = syntax_tree(query)
    try:
        return _Reader(query, tree).read(tree)
    except PromQLError as error:
        raise ParseError(error.message, error.position, query) from None


def syntax_tree(query: str) -> ast.Expr:
    """The tree as written, parentheses and all.  Raises ``ParseError`` for what is not PromQL."""
    bounds.check(query)
    try:
        return ast.parse(query)
    except ValueError as error:
        raise _explained(str(error), query) from None


def _explained(message: str, query: str) -> ParseError:
    if unknown := _UNKNOWN_FUNCTION.fullmatch(message):
        return ParseError(f"unsupported function {unknown[1]}", position_of(unknown[1], query), query)
    if message == "invalid promql query":
        return ParseError(f"not PromQL: {query!r}; check its operators, commas and brackets", -1, query)
    return ParseError(message, -1, query)


class _Reader:
    """Walks the parser's tree in reading order, and takes the next landmark of the text for each part it meets."""

    def __init__(self, query: str, tree: ast.Expr) -> None:
        marks = landmarks(query)
        self._positions: Iterator[int] = iter(marks if len(marks) == _parts(tree) else [])

    def read(self, node: object) -> Expr:  # noqa: PLR0911  one line for each kind of node
        match node:
            case ast.ParenExpr():
                return self.read(node.expr)
            case ast.NumberLiteral():
                return Number(node.val)
            case ast.StringLiteral():
                return Text(node.val)
            case ast.UnaryExpr():
                return Negate(self.read(node.expr))
            case ast.VectorSelector():
                return self._selector(node)
            case ast.MatrixSelector():
                return Range(self._selector(node.vector_selector), _milliseconds(node.range))
            case ast.SubqueryExpr():
                return Subquery(
                    self.read(node.expr),
                    _milliseconds(node.range),
                    _milliseconds(node.step),
                    _shift(node),
                )
            case ast.Call():
                return self._call(node)
            case ast.AggregateExpr():
                return self._aggregate(node)
            case ast.BinaryExpr():
                return self._binary(node)
        raise PromQLError(f"unsupported expression {type(node).__name__}")

    def _position(self) -> int:
        return next(self._positions, -1)

    def _selector(self, node: ast.VectorSelector) -> Selector:
        position = self._position()
        if node.matchers.or_matchers:
            raise PromQLError("unsupported 'or' between matchers; use a regular expression", position)
        matchers = [_matcher(m, position) for m in node.matchers.matchers]
        if node.name is not None:
            matchers.insert(0, Matcher(METRIC_NAME, Operator.EQUAL, node.name))
        return Selector(tuple(matchers), _shift(node), position)

    def _call(self, node: ast.Call) -> Call:
        name, position = node.func.name, self._position()
        if name not in functions.FUNCTIONS:
            raise PromQLError(f"unsupported function {name}", position)
        args = tuple(self.read(arg) for arg in node.args)
        return Call(name, args, _KINDS[str(node.func.return_type)], position)

    def _aggregate(self, node: ast.AggregateExpr) -> Aggregate:
        operator, position = str(node.op), self._position()
        if operator not in aggregate.OPERATORS:
            raise PromQLError(f"unsupported aggregation {operator}", position)
        grouping = Grouping()
        if node.modifier is not None:
            grouping = Grouping(
                frozenset(node.modifier.labels), without=node.modifier.type == ast.AggModifierType.Without
            )
        param = None if node.param is None else self.read(node.param)
        return Aggregate(operator, self.read(node.expr), param, grouping, position)

    def _binary(self, node: ast.BinaryExpr) -> Binary:
        left = self.read(node.lhs)
        position = self._position()
        modifier = node.modifier
        matching = Matching()
        if modifier is not None:
            fill = modifier.fill_values
            if fill is not None and (fill.lhs is not None or fill.rhs is not None):
                raise PromQLError("unsupported modifier fill", position)
            if modifier.matching is not None:
                grouping = Grouping(
                    frozenset(modifier.matching.labels),
                    without=modifier.matching.type == ast.LabelModifierType.Exclude,
                )
                cardinality = _CARDINALITIES.get(str(modifier.card), Cardinality.ONE_TO_ONE)
                matching = Matching(grouping, cardinality, tuple(modifier.group_labels or ()))
        returns_bool = modifier is not None and modifier.return_bool
        return Binary(str(node.op), left, self.read(node.rhs), matching, returns_bool, position)


def _parts(tree: ast.Expr) -> int:
    """How many landmarks the tree should have."""
    count = 0

    def visit(node: ast.Expr) -> None:
        nonlocal count
        count += isinstance(node, ast.Call | ast.AggregateExpr | ast.VectorSelector | ast.BinaryExpr)

    ast.walk(tree, visit)
    return count


def _matcher(node: ast.Matcher, position: int) -> Matcher:
    operator = _OPERATORS[str(node.op)]
    if operator in (Operator.REGEX, Operator.NOT_REGEX):
        try:
            compile_re2(node.value)
        except ValueError as error:
            raise PromQLError(str(error), position) from None
    return Matcher(node.name, operator, node.value)


def _shift(node: ast.VectorSelector | ast.SubqueryExpr) -> Shift:
    offset_ms = _milliseconds(node.offset)
    if node.at is None:
        return Shift(offset_ms)
    if node.at.at is not None:
        return Shift(offset_ms, round(node.at.at.timestamp() * 1000))
    return Shift(offset_ms, Anchor.START if node.at.type == ast.AtModifierType.Start else Anchor.END)


def _milliseconds(length: timedelta | None) -> int:
    return 0 if length is None else length // timedelta(milliseconds=1)
