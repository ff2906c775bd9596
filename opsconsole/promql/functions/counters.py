"""``rate`` and ``increase``, which mean something for counters only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Timestamps
from opsconsole.series.labels import Labels, derived, quote

from .. import growth, rates, rollup
from ..plan import Aggregate, Call, Expr, Range, start
from ..vector import Vector

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def per_counter(evaluation: Evaluation, node: Call) -> Vector:
    """With a remark where the name of a series is not that of a counter."""
    (over,) = node.args
    result = rollup.over(evaluation, over, rates.rate if node.function == "rate" else rates.increase)
    if result is None:
        result = _per_series(evaluation, node)
    if names := derived(result.labels, "no counters", _no_counters):
        answered = np.logical_or.reduce(result.present, axis=1)
        _remark(
            evaluation, over, names & {one.metric for one, some in zip(result.labels, answered, strict=True) if some}
        )
    return result.without_metric()


def _per_series(evaluation: Evaluation, node: Call) -> Vector:
    parts = []
    ends, stacks = evaluation.fetched(node.args[0])
    asked = _windowing(evaluation, node, ends)
    for stack in stacks:
        evaluation.budget.hold(len(stack.labels) * ends.size)
        parts.append(Vector(stack.labels, *growth.each(stack, asked)))
    return Vector.joined(parts, ends.size)


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
    ends, stacks = evaluation.fetched(over)
    if not growth.one_name(stacks):
        return None
    evaluation.budget.hold(sum(len(stack.labels) for stack in stacks) * ends.size)  # as when each had its rate
    sums = growth.summed(stacks, node.grouping, _windowing(evaluation, call, ends))
    present = sums.counts > 0
    if present.any():
        _remark(evaluation, over, _no_counters(stacks[0].labels[:1]))
    return Vector(sums.labels, sums.values / sums.counts if node.operator == "avg" else sums.values, present)


def _windowing(evaluation: Evaluation, node: Call, ends: Timestamps) -> growth.Windowing:
    (over,) = node.args
    seconds = over.window_ms / 1000 if node.function == "rate" else 1.0
    return growth.Windowing(ends, over.window_ms, seconds, evaluation.budget.check)


def _no_counters(labels: Sequence[Labels]) -> frozenset[str]:
    return frozenset(one.metric for one in labels if one.metric and not one.metric.endswith(_SUFFIXES))


def _remark(evaluation: Evaluation, over: Expr, names: Iterable[str]) -> None:
    for name in sorted(names):
        evaluation.annotations.info(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quote(name),
            start(over),
        )
