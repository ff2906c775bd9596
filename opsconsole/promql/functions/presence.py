"""What is not there: ``absent`` and ``absent_over_time``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Mask
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.matcher import Operator

from .. import overtime
from ..plan import Call, Expr, Range, Selector
from ..vector import Vector

if TYPE_CHECKING:
    from ..evaluate import Evaluation


def absent(evaluation: Evaluation, node: Call) -> Vector:
    return _missing(evaluation.vector(node.args[0]), node.args[0])


def absent_over_time(evaluation: Evaluation, node: Call) -> Vector:
    return _missing(evaluation.over_range(node.args[0], overtime.present), node.args[0])


def _missing(vector: Vector, expr: Expr) -> Vector:
    """1 where nothing is present, under the labels that the selector tells."""
    absent: Mask = ~np.logical_or.reduce(vector.present, axis=0, keepdims=True)
    return Vector([_told(expr)], np.ones(absent.shape), absent)


def _told(expr: Expr) -> Labels:
    """The labels of ``=`` matchers; any other matcher of the same label after it takes it back."""
    selector = expr.selector if isinstance(expr, Range) else expr
    told: dict[str, str] = {}
    if isinstance(selector, Selector):
        for matcher in selector.matchers:
            if matcher.operator is Operator.EQUAL and matcher.name not in told:
                told[matcher.name] = matcher.value
            else:
                told[matcher.name] = ""
    return Labels.of({**told, METRIC_NAME: ""})
