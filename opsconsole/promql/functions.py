"""The functions of the language: one line each in ``FUNCTIONS``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.labels import METRIC_NAME, Labels, quote
from opsconsole.series.matcher import Operator
from opsconsole.series.regex import compile_re2

from . import calendar, overtime, quantile, rates
from .error import PromQLError
from .plan import Call, Expr, Range, Selector, Text
from .vector import Vector, merged
from .windows import RangeFunction

if TYPE_CHECKING:
    from .evaluate import Evaluation

Numbers = NDArray[np.float64]
Result = Vector | Numbers
Function = Callable[["Evaluation", Call], Result]
_GO_GROUP = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _over_range(function: RangeFunction, *, keeps_name: bool = False) -> Function:
    def call(evaluation: Evaluation, node: Call) -> Vector:
        (over,) = node.args
        result = evaluation.over_range(over, function)
        return result if keeps_name else result.without_metric()

    return call


def _of_counter(function: RangeFunction) -> Function:
    """Over a range, with a remark where the name of a series is not that of a counter."""

    def call(evaluation: Evaluation, node: Call) -> Vector:
        (over,) = node.args
        result = evaluation.over_range(over, function)
        answered = np.logical_or.reduce(result.present, axis=1)
        for name in sorted({labels.metric for labels, some in zip(result.labels, answered, strict=True) if some}):
            if name and not name.endswith(_COUNTER_SUFFIXES):
                evaluation.annotations.info(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quote(name),
                    over.position,
                )
        return result.without_metric()

    return call


def _each(function: Callable[..., Values]) -> Function:
    """Value by value; further arguments are scalars, float64[T]."""

    def call(evaluation: Evaluation, node: Call) -> Vector:
        vector = evaluation.vector(node.args[0])
        numbers = [evaluation.numbers(arg) for arg in node.args[1:]]
        return Vector(vector.labels, function(vector.values, *numbers), vector.present).without_metric()

    return call


def _round(values: Values, nearest: Numbers | float = 1.0) -> Values:
    inverse = 1 / np.asarray(nearest)
    return np.floor(values * inverse + 0.5) / inverse


def _clamp(evaluation: Evaluation, node: Call) -> Vector:
    vector = evaluation.vector(node.args[0])
    low, high = (evaluation.numbers(arg) for arg in node.args[1:])
    values = np.maximum(low, np.minimum(high, vector.values))
    return Vector(vector.labels, values, vector.present & ~(low > high)).without_metric()


def _time(evaluation: Evaluation, _: Call) -> Numbers:
    return evaluation.steps / 1000


def _pi(evaluation: Evaluation, _: Call) -> Numbers:
    return np.full(evaluation.steps.shape, np.pi)


def _scalar(evaluation: Evaluation, node: Call) -> Numbers:
    vector = evaluation.vector(node.args[0])
    alone = vector.present.sum(axis=0) == 1
    return np.where(alone, np.where(vector.present, vector.values, 0.0).sum(axis=0), np.nan)


def _vector(evaluation: Evaluation, node: Call) -> Vector:
    numbers = evaluation.numbers(node.args[0])[np.newaxis]
    return Vector([Labels()], numbers, np.ones(numbers.shape, dtype=bool))


def _absent(evaluation: Evaluation, node: Call) -> Vector:
    return _missing(evaluation.vector(node.args[0]), node.args[0])


def _absent_over_time(evaluation: Evaluation, node: Call) -> Vector:
    return _missing(evaluation.over_range(node.args[0], overtime.present), node.args[0])


def _missing(vector: Vector, expr: Expr) -> Vector:
    """1 where nothing is present, under the labels that the selector's ``=`` matchers tell."""
    selector = expr.selector if isinstance(expr, Range) else expr
    told: dict[str, str] = {}
    if isinstance(selector, Selector):
        names = [matcher.name for matcher in selector.matchers]
        told = {
            matcher.name: matcher.value
            for matcher in selector.matchers
            if matcher.operator is Operator.EQUAL and matcher.name != METRIC_NAME and names.count(matcher.name) == 1
        }
    absent: Mask = ~np.logical_or.reduce(vector.present, axis=0, keepdims=True)
    return Vector([Labels.of(told)], np.ones(absent.shape), absent)


def _timestamp(evaluation: Evaluation, node: Call) -> Vector:
    """When the samples of a selector were taken; for other vectors the instant of evaluation."""
    (of,) = node.args
    if isinstance(of, Selector):
        return evaluation.sample_times(of).without_metric()
    vector = evaluation.vector(of)
    return Vector(
        vector.labels, np.broadcast_to(evaluation.steps / 1000, vector.values.shape), vector.present
    ).without_metric()


def _calendar(function: Callable[[Timestamps], Values]) -> Function:
    """A part of the UTC date; without an argument, of the instant of evaluation."""

    def call(evaluation: Evaluation, node: Call) -> Vector:
        if not node.args:
            seconds = (evaluation.steps // 1000)[np.newaxis]
            return Vector([Labels()], function(seconds), np.ones(seconds.shape, dtype=bool))
        vector = evaluation.vector(node.args[0])
        finite = np.isfinite(vector.values)
        values = function(np.where(finite, vector.values, 0.0).astype(np.int64))
        return Vector(vector.labels, np.where(finite, values, np.nan), vector.present).without_metric()

    return call


def _sorted(evaluation: Evaluation, node: Call, *, direction: int) -> Vector:
    """By value, NaN last; a range query has no order."""
    vector = evaluation.vector(node.args[0])
    if vector.values.shape[1] != 1:
        return vector
    values = vector.values[:, 0]
    return vector.rows(np.lexsort((direction * values, np.isnan(values))))


def _histogram_quantile(evaluation: Evaluation, node: Call) -> Vector:
    return quantile.histogram_quantile(evaluation.numbers(node.args[0]), evaluation.vector(node.args[1]))


def _label_replace(evaluation: Evaluation, node: Call) -> Vector:
    vector = evaluation.vector(node.args[0])
    target, replacement, source, pattern = (_text(arg) for arg in node.args[1:])
    try:
        regex = compile_re2(pattern)
    except ValueError as error:
        raise PromQLError(f"{error} in label_replace", node.position) from None
    _check_label(target, node)

    def relabelled(labels: Labels) -> Labels:
        match = regex.fullmatch(labels.get(source))
        if match is None:
            return labels
        value = _GO_GROUP.sub(partial(_expanded, match), replacement)
        return Labels.of({**dict(labels), target: value})

    return merged(Vector([relabelled(labels) for labels in vector.labels], vector.values, vector.present))


def _expanded(match: re.Match[str], reference: re.Match[str]) -> str:
    """What ``$1``, ``${1}`` or ``${name}`` stands for; nothing where there is no such group, and ``$$`` is a dollar."""
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    try:
        return match[int(name) if name.isdecimal() else name] or ""
    except IndexError:
        return ""


def _label_join(evaluation: Evaluation, node: Call) -> Vector:
    vector = evaluation.vector(node.args[0])
    target, separator, *sources = (_text(arg) for arg in node.args[1:])
    _check_label(target, node)
    labels = [
        Labels.of({**dict(each), target: separator.join(each.get(source) for source in sources)})
        for each in vector.labels
    ]
    return merged(Vector(labels, vector.values, vector.present))


def _check_label(name: str, node: Call) -> None:
    if not _LABEL_NAME.fullmatch(name):
        raise PromQLError(f"invalid label name {name!r} in {node.function}", node.position)


def _text(expr: Expr) -> str:
    if not isinstance(expr, Text):
        raise PromQLError(f"expected a string, not an {expr.kind.value}")
    return expr.value


FUNCTIONS: dict[str, Function] = {
    # counters and gauges over time
    "rate": _of_counter(rates.rate),
    "increase": _of_counter(rates.increase),
    "delta": _over_range(rates.delta),
    "irate": _over_range(rates.irate),
    "idelta": _over_range(rates.idelta),
    "changes": _over_range(overtime.changes),
    "resets": _over_range(overtime.resets),
    "avg_over_time": _over_range(overtime.mean),
    "min_over_time": _over_range(overtime.minimum),
    "max_over_time": _over_range(overtime.maximum),
    "sum_over_time": _over_range(overtime.total),
    "count_over_time": _over_range(overtime.count),
    "present_over_time": _over_range(overtime.present),
    "last_over_time": _over_range(overtime.last, keeps_name=True),
    "absent_over_time": _absent_over_time,
    # one value at a time
    "abs": _each(np.abs),
    "ceil": _each(np.ceil),
    "floor": _each(np.floor),
    "round": _each(_round),
    "sgn": _each(np.sign),
    "sqrt": _each(np.sqrt),
    "exp": _each(np.exp),
    "ln": _each(np.log),
    "log2": _each(np.log2),
    "log10": _each(np.log10),
    "clamp": _clamp,
    "clamp_min": _each(np.maximum),
    "clamp_max": _each(np.minimum),
    "sin": _each(np.sin),
    "cos": _each(np.cos),
    "tan": _each(np.tan),
    "asin": _each(np.arcsin),
    "acos": _each(np.arccos),
    "atan": _each(np.arctan),
    "sinh": _each(np.sinh),
    "cosh": _each(np.cosh),
    "tanh": _each(np.tanh),
    "asinh": _each(np.arcsinh),
    "acosh": _each(np.arccosh),
    "atanh": _each(np.arctanh),
    "deg": _each(np.degrees),
    "rad": _each(np.radians),
    # time
    "time": _time,
    "timestamp": _timestamp,
    "minute": _calendar(calendar.minute),
    "hour": _calendar(calendar.hour),
    "day_of_week": _calendar(calendar.day_of_week),
    "day_of_month": _calendar(calendar.day_of_month),
    "day_of_year": _calendar(calendar.day_of_year),
    "days_in_month": _calendar(calendar.days_in_month),
    "month": _calendar(calendar.month),
    "year": _calendar(calendar.year),
    # whole vectors
    "absent": _absent,
    "histogram_quantile": _histogram_quantile,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": _pi,
    "scalar": _scalar,
    "sort": partial(_sorted, direction=1),
    "sort_desc": partial(_sorted, direction=-1),
    "vector": _vector,
}
