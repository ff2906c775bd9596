"""Walks a plan once and computes every node for all evaluation instants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import NAN_SAMPLE, STALE, Block, Mask, Timestamps, Values
from opsconsole.series.stack import Stack

from . import binary, rollup, windows
from .aggregate import aggregate, aggregate_by, count_values
from .annotations import Annotations
from .error import PromQLError
from .format import in_g
from .functions import FUNCTIONS, counters
from .functions.windowed import warn_of_quantiles
from .limits import Budget
from .literal import is_label_name, quoted
from .plan import Aggregate, Binary, Call, Expr, Kind, Negate, Number, Range, Selector, Subquery, Text, start
from .select import fetch, shifted
from .shared import Shared
from .source import SampleSource
from .vector import Vector

_DEFAULT_SUBQUERY_STEP_MS = 60_000
_TOO_MANY = 2.0**63


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One query at T instants.

    ``steps``: int64[T], Unix milliseconds, ascending.  ``start_ms``, ``end_ms``: what ``@ start()`` and ``@ end()`` mean.
    ``annotations`` collects the remarks on the answer.
    ``step_ms``: between instants of the whole query, 0 for an instant query.
    ``budget``: every step of the work asks it first.  ``shared``: what other queries of the same round found out.
    """

    source: SampleSource
    steps: Timestamps
    start_ms: int
    end_ms: int
    step_ms: int
    lookback_ms: int
    annotations: Annotations
    budget: Budget
    shared: Shared | None = None

    def vector(self, node: Expr) -> Vector:
        """Raises ``PromQLError`` for an expression that is no instant vector."""
        self.budget.check()
        held = self.budget.held
        vector = self._vector(node)
        self.budget.settle(held, vector.values.size)
        return vector

    def _vector(self, node: Expr) -> Vector:
        match node:
            case Selector():
                if (rolled := rollup.latest(self, node)) is not None:
                    return rolled
                return self._latest(node, lambda values, present, _: (values, present))
            case Call():
                result = FUNCTIONS[node.function](self, node)
                if isinstance(result, Vector):
                    return result
            case Aggregate():
                return self._aggregate(node)
            case Negate():
                inner = self.vector(node.expr)
                return inner.valued(-inner.values).without_metric()
            case Binary():
                return self._binary(node)
        raise PromQLError(f"expected an instant vector, not a {node.kind.value}")

    def numbers(self, node: Expr) -> NDArray[np.float64]:
        """float64[T]: a scalar at every instant."""
        match node:
            case Number():
                numbers = np.empty(self.steps.size)  # ``np.full`` takes five times as long for one
                numbers.fill(node.value)
                return numbers
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
        if (rolled := rollup.over(self, node, function)) is not None:
            return rolled
        ends, window_ms, stacks = self.fetched(node)
        parts = []
        for stack in stacks:
            self.budget.hold(len(stack.labels) * ends.size)
            values, present = windows.over(stack, ends, window_ms, function, self.budget.check)
            parts.append(Vector(stack.labels, values, present))
        return Vector.joined(parts, self.steps.size)

    def fetched(self, node: Expr) -> tuple[Timestamps, int, list[Stack]]:
        """(where the windows of a range vector end, how long they are, its series)."""
        if not isinstance(node, Range | Subquery):
            raise PromQLError(f"expected a range vector, not a {node.kind.value}")
        ends = self.shifted(node)
        return ends, node.window_ms, self._stacks(node, ends)

    def sample_times(self, node: Selector) -> Vector:
        """When the samples of a selector were taken, in Unix seconds."""
        return self._latest(node, lambda _, present, taken: (taken / 1000, present))

    def blocks(self, node: Range | Subquery) -> list[Block]:
        """The samples of a range vector at a single instant."""
        ends = self.shifted(node)
        blocks = (block for stack in self._stacks(node, ends) for block in stack.blocks())
        start_ms, end_ms = int(ends[0]) - node.window_ms, int(ends[0])
        return [part for block in blocks if (part := block.within(start_ms, end_ms)) is not None]

    def _latest(self, node: Selector, choose: Callable[[Values, Mask, Timestamps], tuple[Values, Mask]]) -> Vector:
        instants = self.shifted(node)
        parts = []
        for stack in fetch(self.source, node, instants, self.lookback_ms, self.budget):
            self.budget.hold(len(stack.labels) * instants.size)
            values, present = choose(*windows.latest(stack, instants, self.lookback_ms))
            parts.append(Vector(stack.labels, values, present))
        return Vector.joined(parts, self.steps.size)

    def shifted(self, node: Selector | Range | Subquery) -> Timestamps:
        """int64[T]: where a selector looks at each instant."""
        return shifted(self.steps, node.shift, self.start_ms, self.end_ms)

    def _stacks(self, node: Range | Subquery, ends: Timestamps) -> list[Stack]:
        if isinstance(node, Range):
            return fetch(self.source, node.selector, ends, node.window_ms, self.budget)
        step = node.step_ms or _DEFAULT_SUBQUERY_STEP_MS
        first = (int(ends.min()) - node.window_ms) // step * step + step
        last = int(ends.max())
        if first > last:
            return []
        self.budget.hold((last - first) // step + 1)
        steps = np.arange(first, last + 1, step, dtype=np.int64)
        inner = replace(self, steps=steps).vector(node.expr).settled()
        self.budget.hold(inner.values.size)
        samples = np.where(np.isnan(inner.values), NAN_SAMPLE, inner.values)
        return [Stack.of(Block(inner.labels, steps, np.where(inner.present, samples, STALE)))] if inner.labels else []

    def _aggregate(self, node: Aggregate) -> Vector:
        if (known := counters.known(self, node)) is not None:
            return known.vector
        if (sums := counters.summed(self, node)) is not None:
            return sums
        if node.param is None:
            return aggregate(node.operator, self.vector(node.expr), node.grouping)
        if isinstance(node.param, Text):
            label = node.param.value
            if not is_label_name(label):
                raise PromQLError(f"invalid label name {quoted(label)}", node.position)
            return count_values(node.param.value, self.vector(node.expr), node.grouping, self.budget)
        parameter = self.numbers(node.param)
        self._check_parameter(node, node.param, parameter)
        return aggregate_by(node.operator, self.vector(node.expr), node.grouping, parameter)

    def _check_parameter(self, node: Aggregate, said: Expr, parameter: NDArray[np.float64]) -> None:
        """Raises for what is no number to choose by, and remarks on what is no share."""
        unknown = bool(np.isnan(parameter).any())
        if node.operator == "quantile":
            warn_of_quantiles(self, parameter, said)
        elif node.operator == "limit_ratio":
            if unknown:
                raise PromQLError("Ratio value is NaN", node.position)
            for ratio in np.unique(parameter[np.abs(parameter) > 1]).tolist():
                message = (
                    f"ratio value should be between -1 and 1, got {in_g(ratio)}, capping to {in_g(np.sign(ratio))}"
                )
                self.annotations.warn(message, start(said))
        elif unknown:
            raise PromQLError("Parameter value is NaN", node.position)
        elif (np.abs(parameter) >= _TOO_MANY).any():
            beyond = float(parameter[np.abs(parameter) >= _TOO_MANY][0])
            how = "overflows" if beyond > 0 else "underflows"
            raise PromQLError(f"Scalar value {in_g(beyond)} {how} int64", node.position)

    def _binary(self, node: Binary) -> Vector:
        left_is_number, right_is_number = (side.kind is Kind.SCALAR for side in (node.left, node.right))
        if left_is_number:
            return binary.vector_and_number(node, self.vector(node.right), self.numbers(node.left), swapped=True)
        if right_is_number:
            return binary.vector_and_number(node, self.vector(node.left), self.numbers(node.right), swapped=False)
        return binary.vectors(node, self.vector(node.left), self.vector(node.right))
