"""Walks a plan once and computes every node for all evaluation instants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import NAN_SAMPLE, STALE, Block, Mask, Timestamps, Values
from opsconsole.series.stack import Stack

from . import binary, windows
from .aggregate import aggregate, aggregate_by, count_values
from .error import PromQLError
from .functions import FUNCTIONS
from .plan import Aggregate, Binary, Call, Expr, Kind, Negate, Number, Range, Selector, Subquery, Text
from .select import fetch, shifted
from .source import SampleSource
from .vector import Vector

_DEFAULT_SUBQUERY_STEP_MS = 60_000
_COUNTED = frozenset(("topk", "bottomk"))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One query at T instants.

    ``steps``: int64[T], Unix milliseconds, ascending.  ``start_ms``, ``end_ms``: what ``@ start()`` and ``@ end()`` mean.
    """

    source: SampleSource
    steps: Timestamps
    start_ms: int
    end_ms: int
    lookback_ms: int

    def vector(self, node: Expr) -> Vector:
        """Raises ``PromQLError`` for an expression that is no instant vector."""
        match node:
            case Selector():
                return self._latest(node, lambda values, present, _: (values, present))
            case Call():
                result = FUNCTIONS[node.function](self, node)
                if isinstance(result, Vector):
                    return result
            case Aggregate():
                return self._aggregate(node)
            case Negate():
                inner = self.vector(node.expr)
                return Vector(inner.labels, -inner.values, inner.present).without_metric()
            case Binary():
                return self._binary(node)
        raise PromQLError(f"expected an instant vector, not a {node.kind.value}")

    def numbers(self, node: Expr) -> NDArray[np.float64]:
        """float64[T]: a scalar at every instant."""
        match node:
            case Number():
                return np.full(self.steps.shape, node.value)
            case Call():
                result = FUNCTIONS[node.function](self, node)
                if not isinstance(result, Vector):
                    return result
            case Negate():
                return -self.numbers(node.expr)
            case Binary() if node.kind is Kind.SCALAR:
                return binary.numbers(node, self.numbers(node.left), self.numbers(node.right))
        raise PromQLError(f"expected a scalar, not a {node.kind.value}")

    def over_range(self, node: Expr, function: windows.RangeFunction) -> Vector:
        """The function over the windows of a range vector, under the labels of its series."""
        if not isinstance(node, Range | Subquery):
            raise PromQLError(f"expected a range vector, not a {node.kind.value}")
        ends = self._shifted(node)
        parts = []
        for stack in self._stacks(node, ends):
            values, present = windows.over(stack, ends, node.window_ms, function)
            parts.append(Vector(stack.labels, values, present))
        return Vector.joined(parts, self.steps.size)

    def sample_times(self, node: Selector) -> Vector:
        """When the samples of a selector were taken, in Unix seconds."""
        return self._latest(node, lambda _, present, taken: (taken / 1000, present))

    def blocks(self, node: Range) -> list[Block]:
        """The samples of a range vector at a single instant."""
        ends = self._shifted(node)
        blocks = (block for stack in self._stacks(node, ends) for block in stack.blocks())
        start_ms, end_ms = int(ends[0]) - node.window_ms, int(ends[0])
        return [part for block in blocks if (part := block.within(start_ms, end_ms)) is not None]

    def _latest(self, node: Selector, choose: Callable[[Values, Mask, Timestamps], tuple[Values, Mask]]) -> Vector:
        instants = self._shifted(node)
        parts = []
        for stack in fetch(self.source, node, instants, self.lookback_ms):
            values, present = choose(*windows.latest(stack, instants, self.lookback_ms))
            parts.append(Vector(stack.labels, values, present))
        return Vector.joined(parts, self.steps.size)

    def _shifted(self, node: Selector | Range | Subquery) -> Timestamps:
        return shifted(self.steps, node.shift, self.start_ms, self.end_ms)

    def _stacks(self, node: Range | Subquery, ends: Timestamps) -> list[Stack]:
        if isinstance(node, Range):
            return fetch(self.source, node.selector, ends, node.window_ms)
        step = node.step_ms or _DEFAULT_SUBQUERY_STEP_MS
        first = (int(ends.min()) - node.window_ms) // step * step + step
        steps = np.arange(first, int(ends.max()) + 1, step, dtype=np.int64)
        if not steps.size:
            return []
        inner = Evaluation(self.source, steps, self.start_ms, self.end_ms, self.lookback_ms).vector(node.expr)
        samples = np.where(np.isnan(inner.values), NAN_SAMPLE, inner.values)
        return [Stack.of(Block(inner.labels, steps, np.where(inner.present, samples, STALE)))] if inner.labels else []

    def _aggregate(self, node: Aggregate) -> Vector:
        if node.param is None:
            return aggregate(node.operator, self.vector(node.expr), node.grouping)
        if isinstance(node.param, Text):
            return count_values(node.param.value, self.vector(node.expr), node.grouping)
        parameter = self.numbers(node.param)
        if node.operator in _COUNTED and np.isnan(parameter).any():
            raise PromQLError("Parameter value is NaN", node.position)
        return aggregate_by(node.operator, self.vector(node.expr), node.grouping, parameter)

    def _binary(self, node: Binary) -> Vector:
        left_is_number, right_is_number = (side.kind is Kind.SCALAR for side in (node.left, node.right))
        if left_is_number:
            return binary.vector_and_number(node, self.vector(node.right), self.numbers(node.left), swapped=True)
        if right_is_number:
            return binary.vector_and_number(node, self.vector(node.left), self.numbers(node.right), swapped=False)
        return binary.vectors(node, self.vector(node.left), self.vector(node.right))
