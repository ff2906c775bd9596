"""The clock: instants of the evaluation and of samples, and parts of the UTC date."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Timestamps, Values
from opsconsole.series.labels import Labels

from ..plan import Call, Selector
from ..vector import Vector
from .function import Function, Numbers

if TYPE_CHECKING:
    from ..evaluate import Evaluation


def time(evaluation: Evaluation, _: Call) -> Numbers:
    return evaluation.steps / 1000


def start(evaluation: Evaluation, _: Call) -> Numbers:
    return np.full(evaluation.steps.shape, evaluation.start_ms / 1000)


def end(evaluation: Evaluation, _: Call) -> Numbers:
    return np.full(evaluation.steps.shape, evaluation.end_ms / 1000)


def range_(evaluation: Evaluation, _: Call) -> Numbers:
    """Seconds from the start of the query to its end."""
    return np.full(evaluation.steps.shape, (evaluation.end_ms - evaluation.start_ms) / 1000)


def step(evaluation: Evaluation, _: Call) -> Numbers:
    """Seconds between instants of the query, 0 for an instant query."""
    return np.full(evaluation.steps.shape, evaluation.step_ms / 1000)


def timestamp(evaluation: Evaluation, node: Call) -> Vector:
    """When the samples of a selector were taken; for other vectors the instant of evaluation."""
    (of,) = node.args
    if isinstance(of, Selector):
        return evaluation.sample_times(of).without_metric()
    vector = evaluation.vector(of)
    return vector.valued(np.broadcast_to(evaluation.steps / 1000, vector.values.shape)).without_metric()


def part(function: Callable[[Timestamps], Values]) -> Function:
    """A part of the UTC date; without an argument, of the instant of evaluation."""

    def call(evaluation: Evaluation, node: Call) -> Vector:
        if not node.args:
            seconds = (evaluation.steps // 1000)[np.newaxis]
            return Vector([Labels()], function(seconds), np.ones(seconds.shape, dtype=bool))
        vector = evaluation.vector(node.args[0])
        finite = np.isfinite(vector.values)
        values = function(np.where(finite, vector.values, 0.0).astype(np.int64))
        return vector.valued(np.where(finite, values, np.nan)).without_metric()

    return call
