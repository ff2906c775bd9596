"""From a syntax tree back to its text, as Prometheus writes it: on one line, or laid out over several when it is long.

Source: Prometheus 3, promql/parser/printer.go and prettier.go (behaviour).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import promql_parser as ast

from opsconsole.series.duration import format_duration

from .error import ParseError, PromQLError
from .parse import parse

LINE = 100
"""A part that needs more characters is split."""

_INDENT = "  "
_MATCHERS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            "\v": "\\v"}  # fmt: skip


def syntax_tree(query: str) -> ast.Expr:
    """What was written, which the plan forgets: parentheses, and the order of labels.  Raises ``ParseError``."""
    parse(query)  # which knows better what is wrong and where, and lets nothing in that is too deep for the library
    try:
        return ast.parse(query)
    except ValueError as error:
        raise ParseError(str(error), -1, query) from None


def formatted(query: str) -> str:
    """``query`` in the usual form, with lines no longer than they must be.  Raises ``PromQLError``."""
    return _laid_out(syntax_tree(query), 0)


def written(node: object) -> str:  # noqa: PLR0911  one line for each kind of node
    """The tree on one line.  Raises ``PromQLError`` for what Prometheus has no notation for."""
    match node:
        case ast.ParenExpr():
            return f"({written(node.expr)})"
        case ast.NumberLiteral():
            return number(node.val)
        case ast.StringLiteral():
            return quoted(node.val)
        case ast.UnaryExpr():
            return f"-{written(node.expr)}"
        case ast.VectorSelector():
            return _selected(node) + _shift(node)
        case ast.MatrixSelector():
            selector = node.vector_selector
            return f"{_selected(selector)}[{_duration(node.range)}]{_shift(selector)}"
        case ast.SubqueryExpr():
            return written(node.expr) + _window(node)
        case ast.Call():
            return f"{node.func.name}({', '.join(map(written, node.args))})"
        case ast.AggregateExpr():
            return f"{_aggregation(node)}({', '.join(map(written, _arguments(node)))})"
        case ast.BinaryExpr():
            return f"{written(node.lhs)} {_operation(node)} {written(node.rhs)}"
    raise PromQLError(f"unsupported expression {type(node).__name__}")


def matcher_operator(matcher: ast.Matcher) -> str:
    return _MATCHERS[str(matcher.op)]  # the parser's enums cannot be hashed; their names can


def number(value: float) -> str:
    """Every digit and no exponent, as Go's ``FormatFloat(value, 'f', -1, 64)``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def quoted(text: str) -> str:
    """In double quotes, with what does not print escaped, as Go's ``strconv.Quote``."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _laid_out(node: object, level: int) -> str:  # noqa: PLR0911
    """Indented by ``level``; a part that fits the line stays on it."""
    indent = _INDENT * level
    line = written(node)
    if isinstance(node, ast.UnaryExpr):
        return f"{indent}-{_laid_out(node.expr, level).lstrip()}"
    if len(line) <= LINE:
        return indent + line

    def inner(part: object) -> str:
        return _laid_out(part, level + 1)

    match node:
        case ast.ParenExpr():
            return f"{indent}(\n{inner(node.expr)}\n{indent})"
        case ast.SubqueryExpr():
            return _laid_out(node.expr, level) + _window(node)
        case ast.Call() if node.args:
            return f"{indent}{node.func.name}(\n{_lines(map(inner, node.args))}\n{indent})"
        case ast.AggregateExpr():
            return f"{indent}{_aggregation(node)}(\n{_lines(map(inner, _arguments(node)))}\n{indent})"
        case ast.BinaryExpr():
            return f"{inner(node.lhs)}\n{indent}{_operation(node)}\n{inner(node.rhs)}"
    return indent + line


def _lines(parts: Iterable[str]) -> str:
    return ",\n".join(parts)


def _selected(node: ast.VectorSelector) -> str:
    """The metric name and the matchers, those in the order of their text."""
    if node.matchers.or_matchers:
        raise PromQLError("unsupported 'or' between matchers; use a regular expression")
    matchers = sorted(
        f"{_name(each.name)}{matcher_operator(each)}{quoted(each.value)}" for each in node.matchers.matchers
    )
    return (node.name or "") + (f"{{{','.join(matchers)}}}" if matchers else "")


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else quoted(name)


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(_name, names))


def _shift(node: ast.VectorSelector | ast.SubqueryExpr) -> str:
    at = ""
    if node.at is not None:
        match node.at.type:
            case ast.AtModifierType.Start:
                at = " @ start()"
            case ast.AtModifierType.End:
                at = " @ end()"
            case _ if node.at.at is not None:
                at = f" @ {node.at.at.timestamp():.3f}"
    return at + (f" offset {_duration(node.offset)}" if node.offset else "")


def _window(node: ast.SubqueryExpr) -> str:
    step = _duration(node.step) if node.step else ""
    return f"[{_duration(node.range)}:{step}]{_shift(node)}"


def _duration(length: timedelta | None) -> str:
    return format_duration((length or timedelta()) // timedelta(milliseconds=1))


def _aggregation(node: ast.AggregateExpr) -> str:
    modifier = node.modifier
    if modifier is None:
        return str(node.op)
    if modifier.type == ast.AggModifierType.Without:
        return f"{node.op} without ({_names(modifier.labels)}) "
    return f"{node.op} by ({_names(modifier.labels)}) " if modifier.labels else str(node.op)


def _arguments(node: ast.AggregateExpr) -> list[object]:
    return [node.expr] if node.param is None else [node.param, node.expr]


def _operation(node: ast.BinaryExpr) -> str:
    """The operator and all its modifiers."""
    parts = [str(node.op)]
    modifier = node.modifier
    if modifier is not None:
        if modifier.return_bool:
            parts.append("bool")
        card = str(modifier.card)
        group = {"VectorMatchCardinality.ManyToOne": "left", "VectorMatchCardinality.OneToMany": "right"}.get(card)
        matching = modifier.matching
        on = matching is not None and matching.type == ast.LabelModifierType.Include
        names = [] if matching is None else matching.labels
        if on or names or group:
            parts.append(f"{'on' if on else 'ignoring'} ({_names(names)})")
        if group:
            parts.append(f"group_{group} ({_names(modifier.group_labels or ())})")
        parts.extend(_filled(modifier))
    return " ".join(parts)


def _filled(modifier: ast.BinModifier) -> Iterable[str]:
    fill = modifier.fill_values
    if fill is None or (fill.lhs is None and fill.rhs is None):
        return
    if fill.lhs is not None and fill.lhs == fill.rhs:
        yield f"fill ({number(fill.lhs)})"
        return
    if fill.lhs is not None:
        yield f"fill_left ({number(fill.lhs)})"
    if fill.rhs is not None:
        yield f"fill_right ({number(fill.rhs)})"
