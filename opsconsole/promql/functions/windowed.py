"""Functions over range vectors: what needs more than the windows, and how all of them name their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import gathered, regression
from ..error import PromQLError
from ..format import in_g
from ..plan import Call, Expr, Number, start
from ..vector import Vector
from ..windows import RangeFunction
from .function import Function, Numbers

if TYPE_CHECKING:
    from ..evaluate import Evaluation


def over(function: RangeFunction, *, keeps_name: bool = False) -> Function:
    def call(evaluation: Evaluation, node: Call) -> Vector:
        result = evaluation.over_range(node.args[0], function)
        return result if keeps_name else result.without_metric()

    return call


def predict_linear(evaluation: Evaluation, node: Call) -> Vector:
    """Where the line through the samples will be, so many seconds after the instant of evaluation."""
    when = evaluation.steps / 1000 + evaluation.numbers(node.args[1])
    return evaluation.over_range(node.args[0], lambda windows: regression.line_at(windows, when)).without_metric()


def quantile_over_time(evaluation: Evaluation, node: Call) -> Vector:
    q = evaluation.numbers(node.args[0])
    result = evaluation.over_range(node.args[1], lambda windows: gathered.quantile(windows, q))
    warn_of_quantiles(evaluation, q[np.logical_or.reduce(result.present, axis=0)], node.args[0])
    return result.without_metric()


def double_exponential_smoothing(evaluation: Evaluation, node: Call) -> Vector:
    smoothing, trend = (evaluation.numbers(arg) for arg in node.args[1:])
    for name, factor in (("smoothing", smoothing), ("trend", trend)):
        if not ((factor > 0) & (factor < 1)).all():
            value = in_g(float(factor[~((factor > 0) & (factor < 1))][0]))
            raise PromQLError(f"invalid {name} factor. Expected: 0 < {name[0]}f < 1, got: {value}", node.position)
    result = evaluation.over_range(node.args[0], lambda windows: gathered.smoothed(windows, smoothing, trend))
    return result.without_metric()


def warn_of_quantiles(evaluation: Evaluation, q: Numbers, said: Expr) -> None:
    """A remark on every value that is no share."""
    if isinstance(said, Number) and 0 <= said.value <= 1:
        return
    shares = (q >= 0) & (q <= 1)
    if shares.all():
        return
    for value in np.unique(q[~shares]).tolist():
        message = f"quantile value should be between 0 and 1, got {in_g(value)}"
        evaluation.annotations.warn(message, start(said))
