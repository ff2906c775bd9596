"""``rate`` and ``increase``, which mean something for counters only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Timestamps
from opsconsole.series.labels import Labels, derived, quote
from opsconsole.series.matcher import Matcher

from .. import growth, rates, rollup
from ..batch import Answer
from ..plan import Aggregate, Call, Expr, Range, start
from ..vector import Vector

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def per_counter(evaluation: Evaluation, node: Call) -> Vector:
    """With a remark where the name of a series is not that of a counter."""
    (over,) = node.args
    rolled = rollup.over(evaluation, over, rates.rate if node.function == "rate" else rates.increase)
    result = rolled or _shared(evaluation, node, over) or _each(evaluation, node, over)
    if names := derived(result.labels, "no counters", _no_counters):
        if len(names) > 1:
            answered = np.logical_or.reduce(result.present, axis=1)
            names &= {one.metric for one, some in zip(result.labels, answered, strict=True) if some}
        if result.present.any():
            _remark(evaluation, over, names)
    return result.without_metric()


def _each(evaluation: Evaluation, node: Call, over: Expr) -> Vector:
    ends, window_ms, stacks = evaluation.fetched(over)
    asked = _windowing(evaluation, node, ends, window_ms)
    parts = []
    for stack in stacks:
        evaluation.budget.hold(len(stack.labels) * ends.size)
        parts.append(Vector(stack.labels, *growth.each(stack, asked)))
    return Vector.joined(parts, ends.size)


def _shared(evaluation: Evaluation, node: Call, over: Expr) -> Vector | None:
    if evaluation.shared is None or not isinstance(over, Range):
        return None
    compute = partial(_of_all, evaluation, node, over)
    return evaluation.shared.growth(node, over, evaluation.steps, evaluation.budget, compute)


def _of_all(evaluation: Evaluation, node: Call, over: Range, matchers: Sequence[Matcher]) -> Vector:
    every = replace(over.selector, matchers=tuple(matchers))
    return _each(evaluation, node, replace(over, selector=every))


def known(evaluation: Evaluation, node: Aggregate | Call) -> Answer | None:
    """What queries that are asked together have found out of an aggregation of rates or a quantile of one."""
    if evaluation.shared is None or evaluation.steps.size > 1:
        return None
    if (place := evaluation.shared.place(node)) is None:
        return None
    over, metric = place.over, place.growth.metric
    if rollup.answers(evaluation, over):
        return None
    compute = partial(_of_all, evaluation, place.call, over)
    answer = evaluation.shared.answer(place, int(evaluation.steps[0]), evaluation.budget, compute)
    if answer is not None and not metric.endswith(_SUFFIXES) and answer.vector.present.any():
        _remark(evaluation, over, (metric,))
    return answer


def summed(evaluation: Evaluation, node: Aggregate) -> Vector | None:
    """``sum by (...) (rate(...))`` or ``avg``, or of ``increase``, without a rate for each series; None for any other
    aggregation.
    """
    call = node.expr
    if node.operator not in ("sum", "avg") or not isinstance(call, Call) or call.function not in ("rate", "increase"):
        return None
    (over,) = call.args
    if not isinstance(over, Range) or rollup.answers(evaluation, over):
        return None
    if evaluation.shared is not None and evaluation.shared.wants(call, over, evaluation.steps.size):
        return None
    ends, window_ms, stacks = evaluation.fetched(over)
    if not growth.one_name(stacks):
        return None
    evaluation.budget.hold(sum(len(stack.labels) for stack in stacks) * ends.size)  # as when each had its rate
    sums = growth.summed(stacks, node.grouping, _windowing(evaluation, call, ends, window_ms))
    present = sums.counts > 0
    if present.any():
        _remark(evaluation, over, _no_counters(stacks[0].labels[:1]))
    return Vector(sums.labels, sums.values / sums.counts if node.operator == "avg" else sums.values, present)


def _windowing(evaluation: Evaluation, node: Call, ends: Timestamps, window_ms: int) -> growth.Windowing:
    seconds = window_ms / 1000 if node.function == "rate" else 1.0
    return growth.Windowing(ends, window_ms, seconds, evaluation.budget.check)


def _no_counters(labels: Sequence[Labels]) -> frozenset[str]:
    return frozenset(one.metric for one in labels if one.metric and not one.metric.endswith(_SUFFIXES))


def _remark(evaluation: Evaluation, over: Expr, names: Iterable[str]) -> None:
    for name in sorted(names):
        evaluation.annotations.info(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quote(name),
            start(over),
        )
