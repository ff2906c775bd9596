"""``rate`` and ``increase``, which mean something for counters only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.labels import quote

from .. import grouped, rollup
from ..plan import Aggregate, Call, Expr, Range, start
from ..vector import Vector
from ..windows import RangeFunction

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def per_counter(evaluation: Evaluation, node: Call, *, function: RangeFunction) -> Vector:
    """With a remark where the name of a series is not that of a counter."""
    (over,) = node.args
    result = evaluation.over_range(over, function)
    answered = np.logical_or.reduce(result.present, axis=1)
    remark(evaluation, over, {labels.metric for labels, some in zip(result.labels, answered, strict=True) if some})
    return result.without_metric()


def remark(evaluation: Evaluation, over: Expr, metrics: Iterable[str]) -> None:
    for name in sorted(metrics):
        if name and not name.endswith(_SUFFIXES):
            evaluation.annotations.info(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quote(name),
                start(over),
            )


def summed(evaluation: Evaluation, node: Aggregate) -> Vector | None:
    """``sum by (...) (rate(...))`` or of ``increase`` without a rate for each series; None for any other aggregation."""
    call = node.expr
    if node.operator != "sum" or not isinstance(call, Call) or call.function not in ("rate", "increase"):
        return None
    (over,) = call.args
    if not isinstance(over, Range) or rollup.answers(evaluation, over, evaluation.shifted(over)):
        return None
    ends, stacks = evaluation.fetched(over)
    if not grouped.one_name(stacks):
        return None
    seconds = over.window_ms / 1000 if call.function == "rate" else 1.0
    vector = grouped.summed(stacks, node.grouping, ends, over.window_ms, seconds, evaluation.budget.check)
    if vector.present.any():
        remark(evaluation, over, {stacks[0].labels[0].metric})
    return vector
