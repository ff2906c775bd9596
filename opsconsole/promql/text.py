"""From a syntax tree back to its text, as Prometheus writes it: on one line, or laid out over several when it is long.

Source: Prometheus 3, promql/parser/printer.go and prettier.go (behaviour).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal

from opsconsole.series.duration import format_duration

from .parse import written
from .plan import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    Cardinality,
    Expr,
    Negate,
    Number,
    Parentheses,
    Range,
    Selector,
    Shift,
    Subquery,
    Text,
)

LINE = 100
"""A part that needs more characters is split."""

_INDENT = "  "
_METRIC_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            "\v": "\\v"}  # fmt: skip


def formatted(query: str) -> str:
    """``query`` in the usual form, with lines no longer than they must be.  Raises ``ParseError``."""
    return _laid_out(written(query), 0)


def in_one_line(node: Expr) -> str:  # noqa: PLR0911  one line for each kind of node
    match node:
        case Parentheses():
            return f"({in_one_line(node.expr)})"
        case Number():
            return number(node.value)
        case Text():
            return quoted(node.value)
        case Negate():
            return f"-{in_one_line(node.expr)}"
        case Selector():
            return _selected(node) + _shift(node.shift)
        case Range():
            return f"{_selected(node.selector)}[{format_duration(node.window_ms)}]{_shift(node.shift)}"
        case Subquery():
            return in_one_line(node.expr) + _window(node)
        case Call():
            return f"{node.function}({', '.join(map(in_one_line, node.args))})"
        case Aggregate():
            return f"{_aggregation(node)}({', '.join(map(in_one_line, _arguments(node)))})"
        case Binary():
            return f"{in_one_line(node.left)} {_operation(node)} {in_one_line(node.right)}"


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
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        code -= 0xDC00
        return f"\\x{code:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _laid_out(node: Expr, level: int) -> str:  # noqa: PLR0911
    """Indented by ``level``; a part that fits the line stays on it."""
    indent = _INDENT * level
    line = in_one_line(node)
    if isinstance(node, Negate):
        return f"{indent}-{_laid_out(node.expr, level).lstrip()}"
    if len(line) <= LINE:
        return indent + line

    def inner(part: Expr) -> str:
        return _laid_out(part, level + 1)

    match node:
        case Parentheses():
            return f"{indent}(\n{inner(node.expr)}\n{indent})"
        case Subquery():
            return _laid_out(node.expr, level) + _window(node)
        case Call() if node.args:
            return f"{indent}{node.function}(\n{_lines(map(inner, node.args))}\n{indent})"
        case Aggregate():
            return f"{indent}{_aggregation(node)}(\n{_lines(map(inner, _arguments(node)))}\n{indent})"
        case Binary():
            return f"{inner(node.left)}\n{indent}{_operation(node)}\n{inner(node.right)}"
    return indent + line


def _lines(parts: Iterable[str]) -> str:
    return ",\n".join(parts)


def _selected(node: Selector) -> str:
    """The metric name and the matchers, those in the order of their text; a name that is none elsewhere stands among them."""
    name, matchers = (node.matchers[0].value, node.matchers[1:]) if node.named else ("", node.matchers)
    texts = sorted(f"{_name(each.name)}{each.operator}{quoted(each.value)}" for each in matchers)
    if name and not _METRIC_NAME.fullmatch(name):
        name, texts = "", [quoted(name), *texts]
    return name + (f"{{{','.join(texts)}}}" if texts else "")


def _name(name: str) -> str:
    return name if _LABEL_NAME.fullmatch(name) else quoted(name)


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(_name, names))


def _shift(shift: Shift) -> str:
    match shift.at:
        case None:
            at = ""
        case Anchor():
            at = f" @ {shift.at}()"
        case at_ms:
            at = f" @ {at_ms / 1000:.3f}"
    return at + (f" offset {format_duration(shift.offset_ms)}" if shift.offset_ms else "")


def _window(node: Subquery) -> str:
    step = format_duration(node.step_ms) if node.step_ms else ""
    return f"[{format_duration(node.window_ms)}:{step}]{_shift(node.shift)}"


def _aggregation(node: Aggregate) -> str:
    names = _names(node.grouping.listed)
    if node.grouping.without:
        return f"{node.operator} without ({names}) "
    return f"{node.operator} by ({names}) " if names else node.operator


def _arguments(node: Aggregate) -> list[Expr]:
    return [node.expr] if node.param is None else [node.param, node.expr]


def _operation(node: Binary) -> str:
    """The operator and all its modifiers."""
    parts = [node.operator]
    if node.returns_bool:
        parts.append("bool")
    matching, grouping = node.matching, node.matching.grouping
    grouped = matching.cardinality is not Cardinality.ONE_TO_ONE
    if not grouping.without or grouping.listed or grouped:
        parts.append(f"{'ignoring' if grouping.without else 'on'} ({_names(grouping.listed)})")
    if grouped:
        side = "left" if matching.cardinality is Cardinality.MANY_TO_ONE else "right"
        parts.append(f"group_{side} ({_names(matching.include)})")
    return " ".join(parts)
