"""From the text of a query to its plan.

The grammar, the order of its checks and what its errors say are those of Prometheus 3 (``promql/parser/generated_parser.y``,
``parse.go``), by recursive descent and operator precedence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from opsconsole.series.labels import METRIC_NAME, quote
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.series.regex import compile_re2

from . import bounds, check, literal
from .cursor import Cursor
from .error import ParseError
from .functions import FUNCTIONS
from .lexer import Type
from .plan import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    Cardinality,
    Expr,
    Grouping,
    Matching,
    Negate,
    Number,
    Parentheses,
    Range,
    Selector,
    Shift,
    Subquery,
    Text,
    start,
)
from .signature import SIGNATURES

_PRECEDENCE = {
    "or": 1, "and": 2, "unless": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 7,
}  # fmt: skip
_SIGN = 6  # of the operand of a sign: -a ^ 2 is -(a ^ 2), -a * 2 is (-a) * 2
_NOT_NAMES = frozenset(("bool", "on", "ignoring", "group_left", "group_right", "atan2"))
_EXPERIMENTAL = frozenset(("anchored", "smoothed", "fill", "fill_left", "fill_right"))
_NAME_TYPES = frozenset((Type.IDENTIFIER, Type.METRIC, Type.KEYWORD, Type.AGGREGATOR, Type.OPERATOR))


_KEPT = 1024
_PLANS: dict[str, Expr] = {}


def parse(query: str) -> Expr:
    """The plan of ``query``.  Raises ``ParseError`` for what is not PromQL and for what is not supported."""
    if (plan := _PLANS.get(query)) is not None:
        return plan
    bounds.check(query)
    try:
        plan = _Parser(query).parse()
    except RecursionError:
        raise ParseError("the query is nested too deeply", 0, query) from None
    if len(_PLANS) >= _KEPT:
        _PLANS.clear()
    _PLANS[query] = plan
    return plan


def parsed(query: str) -> Expr | None:
    """What ``parse`` found lately, without parsing."""
    return _PLANS.get(query)


def written(query: str) -> Expr:
    """``query`` as it stands, with its parentheses.  Raises as ``parse``."""
    parse(query)  # which says at the usual places what is wrong
    return _Parser(query, parentheses=True).parse()


class _Parser(Cursor):
    """``parentheses`` are kept, or leave no trace."""

    def __init__(self, query: str, *, parentheses: bool = False) -> None:
        super().__init__(query)
        self._parentheses = parentheses

    def parse(self) -> Expr:
        if self.ended:
            self.fail("no expression found in input", 0)
        expr = self._expression()
        if not self.ended:
            self.unexpected()
        return expr

    # operators

    def _checked(self, problem: check.Problem | None) -> None:
        if problem is not None:
            self.fail(*problem)

    def _expression(self, least: int = 1) -> Expr:
        """Operators that bind at least so tightly, and their operands."""
        left = self._operand()
        while self.token.type is Type.OPERATOR and (power := _PRECEDENCE[self.token.word]) >= least:
            operator = self.advance()
            returns_bool, matching = self._matching()
            right = self._expression(power if operator.text == "^" else power + 1)
            node = Binary(operator.word, left, right, matching or Matching(), returns_bool, operator.position)
            self._checked(check.binary(node, has_matching=matching is not None))
            left = node
        return left

    def _matching(self) -> tuple[bool, Matching | None]:
        """What may stand between an operator and its right side."""
        returns_bool = self.token.is_(Type.KEYWORD, "bool")
        if returns_bool:
            self.advance()
        matching = None
        if self.token.is_(Type.KEYWORD, "on", "ignoring"):
            without = self.advance().word == "ignoring"
            grouping = Grouping.of(self._labels(), without=without)
            matching = Matching(grouping)
            if self.token.is_(Type.KEYWORD, "group_left", "group_right"):
                many_left = self.advance().word == "group_left"
                include = tuple(self._labels()) if self.at("(") else ()
                cardinality = Cardinality.MANY_TO_ONE if many_left else Cardinality.ONE_TO_MANY
                matching = Matching(grouping, cardinality, include)
        if self.token.is_(Type.KEYWORD, *_EXPERIMENTAL) and self.peek().text == "(":
            self.fail(f"unsupported modifier {self.token.word}", self.token.position)
        return returns_bool, matching

    def _labels(self) -> list[str]:
        """Like ``(a, b, "c.d")``."""
        context = "grouping opts"
        self.expect("(", context, '"("')
        names = []
        while not self.at(")"):
            if self.token.type is Type.STRING:
                names.append(self.read(literal.string))
            elif self.token.type in _NAME_TYPES and ":" not in self.token.text:
                names.append(self.advance().text)
            else:
                self.unexpected(context, "label")
            if not self.at(")"):
                self.expect(",", context, '"," or ")"')
        self.advance()
        return names

    # operands

    def _operand(self) -> Expr:
        if self.token.is_(Type.OPERATOR, "+", "-"):
            sign = self.advance()
            inner = self._expression(_SIGN)
            self._checked(check.unary(inner, sign.position))
            if sign.text == "+":
                return inner
            return Number(-inner.value, sign.position) if isinstance(inner, Number) else Negate(inner, sign.position)
        parenthesised = self.at("(")
        expr = self._primary()
        while True:
            if self.at("["):
                expr = self._bracketed(expr, parenthesised)
            elif self.token.is_(Type.KEYWORD, "offset") or self.at("@"):
                expr = self._shifted(expr, parenthesised)
            elif self.token.is_(Type.KEYWORD, "anchored", "smoothed"):
                self.fail(f"unsupported modifier {self.token.word}", self.token.position)
            else:
                return expr
            parenthesised = False

    def _primary(self) -> Expr:  # noqa: PLR0911  one line for each kind of token
        token = self.token
        calls = self.peek().text == "("
        match token.type:
            case Type.NUMBER:
                return Number(self.read(literal.number), token.position)
            case Type.DURATION:
                return Number(self.read(literal.duration_ms) / 1000, token.position)
            case Type.STRING:
                return Text(self.read(literal.string), token.position)
            case Type.IDENTIFIER if calls:
                return self._call()
            case Type.AGGREGATOR if calls or self.peek().is_(Type.KEYWORD, "by", "without"):
                return self._aggregate()
            case Type.PUNCTUATION if self.accept("("):
                expr = self._expression()
                self.expect(")")
                return Parentheses(expr, token.position) if self._parentheses else expr
            case _:
                return self._selector()

    def _call(self) -> Expr:
        name = self.advance()
        signature = SIGNATURES.get(name.text)
        if signature is None:
            self.fail(f'unknown function with name "{name.text}"', name.position)
        args = self._arguments()
        call = Call(name.text, tuple(args), signature.returns, name.position)
        self._checked(check.call(call, signature))
        if name.text not in FUNCTIONS:
            self.fail(f"unsupported function {name.text}", name.position)
        return call

    def _arguments(self) -> list[Expr]:
        self.expect("(")
        args: list[Expr] = []
        while not self.at(")"):
            args.append(self._expression())
            if self.at(","):
                comma = self.advance()
                if self.at(")"):
                    self.fail("trailing commas not allowed in function call args", comma.position)
            elif not self.at(")"):
                self.unexpected()
        self.advance()
        return args

    def _aggregate(self) -> Expr:
        """The grouping stands before the arguments or after them."""
        operator = self.advance()
        grouping = self._grouping()
        args = self._arguments()
        grouping = grouping or self._grouping() or Grouping()
        self._checked(check.aggregation(operator.word, args, operator.position))
        param = args[0] if len(args) > 1 else None
        return Aggregate(operator.word, args[-1], param, grouping, operator.position)

    def _grouping(self) -> Grouping | None:
        if not self.token.is_(Type.KEYWORD, "by", "without"):
            return None
        without = self.advance().word == "without"
        return Grouping.of(self._labels(), without=without)

    # selectors

    def _selector(self) -> Selector:
        position = self.token.position
        name = None if self.at("{") else self._metric_name()
        matchers: list[Matcher] = []
        if self.accept("{"):
            context = "label matching"
            while not self.at("}"):
                quoted = self.token.type is Type.STRING
                label = self.read(literal.string) if quoted else self._label()
                if quoted and self.at(",", "}"):
                    if name is not None:
                        self._name_twice(name, label, position)
                    name = label
                else:
                    matchers.append(self._matcher(label))
                if not self.at("}"):
                    self.expect(",", context, '"," or "}"')
            self.advance()
        for matcher in matchers:
            if name is not None and matcher.name == METRIC_NAME and matcher.operator is Operator.EQUAL:
                self._name_twice(name, matcher.value, position)
        if name is not None:
            matchers.insert(0, Matcher(METRIC_NAME, Operator.EQUAL, name))
        if all(matcher.matches("") for matcher in matchers):
            self.fail("vector selector must contain at least one non-empty matcher", position)
        return Selector(tuple(matchers), Shift(), position, named=name is not None)

    def _metric_name(self) -> str:
        """Most keywords are names too where nothing else can stand."""
        if self.token.type not in _NAME_TYPES or not self.token.text[0].isalpha() or self.token.word in _NOT_NAMES:
            self.unexpected()
        return self.advance().text

    def _label(self) -> str:
        if self.token.type is not Type.IDENTIFIER:
            self.unexpected("label matching", 'identifier or "}"')
        return self.advance().text

    def _name_twice(self, one: str, other: str, position: int) -> NoReturn:
        self.fail(f"metric name must not be set twice: {quote(one)} or {quote(other)}", position)

    def _matcher(self, label: str) -> Matcher:
        context = "label matching"
        if not self.at("=", "!=", "=~", "!~"):
            self.unexpected(context, "label matching operator")
        operator = Operator(self.advance().text)
        if self.token.type is not Type.STRING:
            self.unexpected(context, "string")
        position, value = self.token.position, literal.printable(self.read(literal.string))
        if operator in (Operator.REGEX, Operator.NOT_REGEX):
            try:
                compile_re2(value)
            except ValueError as error:
                self.fail(str(error), position)
        return Matcher(label, operator, value)

    def _bracketed(self, expr: Expr, parenthesised: bool) -> Expr:
        """A range like ``[5m]`` or a subquery like ``[1h:5m]``."""
        bracket = self.advance()
        context = "subquery or range selector"
        window_ms = self._length(context)
        if self.accept(":"):
            step_ms = 0 if self.at("]") else self._length("subquery selector")
            self.expect("]", "subquery selector", '"]"')
            self._checked(check.subquery(expr))
            return Subquery(expr, window_ms, step_ms, Shift(), start(expr))
        self.expect("]", context, '":" or "]"')
        if parenthesised or not isinstance(expr, Selector):
            self.fail("ranges only allowed for vector selectors", bracket.position)
        if expr.shift.offset_ms:
            self.fail("no offset modifiers allowed before range", bracket.position)
        if expr.shift.at is not None:
            self.fail("no @ modifiers allowed before range", bracket.position)
        return Range(expr, window_ms)

    def _length(self, context: str) -> int:
        """A positive duration, in milliseconds."""
        position = self.token.position
        length_ms = self._duration(context)
        if length_ms <= 0:
            self.fail("duration must be greater than 0", position)
        if not self.at(":", "]"):
            self._refuse_duration_expression()
        return length_ms

    def _duration(self, context: str) -> int:
        sign = -1 if self.token.is_(Type.OPERATOR, "-") else 1
        if self.token.is_(Type.OPERATOR, "-", "+"):
            self.advance()
        if self.token.type not in (Type.NUMBER, Type.DURATION):
            self._refuse_duration_expression()
            self.unexpected(context, "number or duration")
        position, text = self.token.position, self.token.text
        self.advance()
        try:
            return sign * literal.duration_ms(text)
        except ValueError as error:
            self.fail(str(error), position)

    def _refuse_duration_expression(self) -> None:
        if self.at("(") or self.token.type in (Type.OPERATOR, Type.IDENTIFIER):
            self.fail("unsupported duration expression; write one duration like 5m", self.token.position)

    def _shifted(self, expr: Expr, parenthesised: bool) -> Expr:
        """By ``offset 5m`` or ``@ 1700000000``."""
        modifier = self.advance()
        what = "@" if modifier.text == "@" else "offset"
        shift = Shift(at=self._anchor()) if what == "@" else Shift(self._duration("offset"))
        if parenthesised or not isinstance(expr, Selector | Range | Subquery):
            must = "must be preceded by an instant vector selector or range vector selector or a subquery"
            self.fail(f"{what} modifier {must}", start(expr))
        if what == "@":
            if expr.shift.at is not None:
                self.fail("@ <timestamp> may not be set multiple times", start(expr))
            shift = replace(expr.shift, at=shift.at)
        else:
            if expr.shift.offset_ms:
                self.fail("offset may not be set multiple times", start(expr))
            shift = replace(expr.shift, offset_ms=shift.offset_ms)
        if isinstance(expr, Range):
            return replace(expr, selector=replace(expr.selector, shift=shift))
        return replace(expr, shift=shift)

    def _anchor(self) -> int | Anchor:
        """An instant in Unix milliseconds, or the start or end of the query."""
        if self.token.is_(Type.IDENTIFIER, *Anchor) and self.peek().text == "(":
            anchor = Anchor(self.advance().word)
            self.expect("(")
            self.expect(")", "@")
            return anchor
        sign = -1 if self.token.is_(Type.OPERATOR, "-") else 1
        if self.token.is_(Type.OPERATOR, "-", "+"):
            self.advance()
        if self.token.type is not Type.NUMBER:
            self.unexpected("@", "timestamp")
        token = self.token
        seconds = sign * self.read(literal.number)
        if not abs(seconds) * 1000 <= literal.MAX_DURATION_MS:
            self.fail(f"timestamp out of bounds for @ modifier: {token.text}", token.position)
        return round(seconds * 1000)
