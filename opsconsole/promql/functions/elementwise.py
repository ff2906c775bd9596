"""Functions of single values, and what turns numbers into vectors and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Values
from opsconsole.series.labels import Labels

from ..plan import Call
from ..vector import Vector
from .function import Function, Numbers

if TYPE_CHECKING:
    from ..evaluate import Evaluation


def each(function: Callable[..., Values]) -> Function:
    """Value by value; further arguments are scalars, float64[T]."""

    def call(evaluation: Evaluation, node: Call) -> Vector:
        vector = evaluation.vector(node.args[0])
        numbers = [evaluation.numbers(arg) for arg in node.args[1:]]
        return vector.valued(function(vector.values, *numbers)).without_metric()

    return call


def of_two(function: Callable[[Numbers, Numbers], Numbers]) -> Function:
    def call(evaluation: Evaluation, node: Call) -> Numbers:
        return function(evaluation.numbers(node.args[0]), evaluation.numbers(node.args[1]))

    return call


def rounded(values: Values, nearest: Numbers | float = 1.0) -> Values:
    inverse = 1 / np.asarray(nearest)
    return np.floor(values * inverse + 0.5) / inverse


def larger(a: Values, b: Values) -> Values:
    """NaN where one is NaN, unless the other is +Inf, as Go has it."""
    return np.where((a == np.inf) | (b == np.inf), np.inf, np.maximum(a, b))


def smaller(a: Values, b: Values) -> Values:
    return np.where((a == -np.inf) | (b == -np.inf), -np.inf, np.minimum(a, b))


def clamp(evaluation: Evaluation, node: Call) -> Vector:
    """Nothing where the lower bound is above the upper one."""
    vector = evaluation.vector(node.args[0])
    low, high = (evaluation.numbers(arg) for arg in node.args[1:])
    values = larger(low, smaller(high, vector.values))
    return vector.valued(values, vector.present & ~(low > high)).without_metric()


def pi(evaluation: Evaluation, _: Call) -> Numbers:
    return np.full(evaluation.steps.shape, np.pi)


def scalar(evaluation: Evaluation, node: Call) -> Numbers:
    """The value of the only series, NaN where there is none or more than one."""
    vector = evaluation.vector(node.args[0])
    alone = vector.present.sum(axis=0) == 1
    return np.where(alone, np.where(vector.present, vector.values, 0.0).sum(axis=0), np.nan)


def vector(evaluation: Evaluation, node: Call) -> Vector:
    numbers = evaluation.numbers(node.args[0])[np.newaxis]
    return Vector([Labels()], numbers, np.ones(numbers.shape, dtype=bool))
