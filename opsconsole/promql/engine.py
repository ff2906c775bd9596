"""The engine: a query in, a matrix out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import numpy as np

from opsconsole.series.block import Mask, Timestamps, is_sample
from opsconsole.series.labels import Labels, LabelSets, derived
from opsconsole.series.stack import Index

from . import kept, literal, small
from .annotations import Annotations
from .error import PromQLError
from .evaluate import Evaluation
from .evaluator import Refused, Selectors
from .kept import Kept, Question
from .limits import Budget, Limits
from .parse import parse
from .plan import Expr, Kind, Range, Subquery, Text
from .result import Matrix, Samples, Scalar, String
from .select import sampled
from .shared import Shared
from .source import SampleSource
from .vector import Vector

LOOKBACK_MS = 300_000


class Engine:
    """Answers PromQL with the semantics of Prometheus 3 over whatever the source holds."""

    def __init__(
        self,
        source: SampleSource,
        *,
        lookback_ms: int = LOOKBACK_MS,
        limits: Limits | None = None,
        at_hand: SampleSource | None = None,
        plan_of: Callable[[str], Expr] = parse,
        shared: Shared | None = None,
        answers: Kept | None = None,
    ) -> None:
        """``at_hand``: the same source, which raises ``PromQLError`` instead of looking for anything.

        ``answers``: those that were given for ranges, to be continued.
        """
        self._source = source
        self._lookback_ms = lookback_ms
        self._limits = limits or Limits()
        self._at_hand = at_hand
        self._plan_of = plan_of
        self._shared = shared
        self._answers = answers

    @property
    def limits(self) -> Limits:
        """What a query without a budget of its own may cost."""
        return self._limits

    @cached_property
    def at_once(self) -> Engine | None:
        """The same for small queries that were asked before; None where nothing is at hand."""
        if self._at_hand is None:
            return None
        return Engine(
            self._at_hand,
            lookback_ms=self._lookback_ms,
            limits=small.LIMITS,
            plan_of=small.plan,
            answers=self._answers,
        )

    def looking_back(self, lookback_ms: int) -> Engine:
        """The same, to which a sample counts for so long."""
        return Engine(
            self._source,
            lookback_ms=lookback_ms,
            limits=self._limits,
            at_hand=self._at_hand,
            plan_of=self._plan_of,
            answers=self._answers,
        )

    def together(self, queries: Collection[str]) -> Engine:
        """The same, for one round of these queries, whose work in common is done once.  For one thread."""
        return Engine(self._source, lookback_ms=self._lookback_ms, limits=self._limits, shared=Shared(queries))

    def instant(self, query: str, at_ms: int, budget: Budget | None = None) -> Matrix | Scalar | String:
        """The value at one instant: a matrix with T = 1, or for a range vector its samples.

        Series stand in the order that ``sort`` and ``topk`` give them.  Raises ``PromQLError``.
        """
        plan = self._plan_of(query)
        if isinstance(plan, Text):
            return String(at_ms, literal.printable(plan.value))
        evaluation = self._evaluation(
            query, np.array([at_ms], dtype=np.int64), at_ms, 0, budget or Budget(self._limits)
        )
        with _evaluating(evaluation.budget):
            if isinstance(plan, Range | Subquery):
                return _samples(evaluation, plan)
            if plan.kind is Kind.SCALAR:
                value = float(evaluation.numbers(plan)[0])
                return Scalar(at_ms, value, evaluation.annotations.warnings, evaluation.annotations.infos)
            return _matrix(evaluation.vector(plan), evaluation.steps, evaluation.annotations)

    def range(self, query: str, start_ms: int, end_ms: int, step_ms: int, budget: Budget | None = None) -> Matrix:
        """The values from start to end, both included, sorted by labels; a scalar is one series without labels.

        Raises ``PromQLError`` for the query, ``ValueError`` for instants that make no range.
        """
        if step_ms <= 0:
            raise ValueError(f"step must be positive, not {step_ms} ms")
        if end_ms < start_ms:
            raise ValueError("end must not be before start")
        plan = self._plan_of(query)
        if plan.kind not in (Kind.SCALAR, Kind.VECTOR):
            raise Refused(
                f'invalid parameter "query": invalid expression type "{plan.kind}" for range query, '
                "must be Scalar or instant Vector"
            )
        budget = budget or Budget(self._limits)
        budget.hold((end_ms - start_ms) // step_ms + 1)

        def evaluate(from_ms: int, to_ms: int) -> Matrix:
            steps = np.arange(from_ms, to_ms + 1, step_ms, dtype=np.int64)
            return self._over(plan, self._evaluation(query, steps, to_ms, step_ms, budget))

        if self._answers is None or not kept.can_be_continued(query):
            return evaluate(start_ms, end_ms)
        question = Question(query, step_ms, start_ms % step_ms, self._lookback_ms)
        return self._answers.answer(question, start_ms, end_ms, evaluate)

    def _over(self, plan: Expr, evaluation: Evaluation) -> Matrix:
        with _evaluating(evaluation.budget):
            if plan.kind is Kind.SCALAR:
                values = evaluation.numbers(plan)[np.newaxis]
                vector = Vector([Labels()], values, np.ones(values.shape, dtype=bool))
            else:
                vector = evaluation.vector(plan)
        return _by_labels(_matrix(vector, evaluation.steps, evaluation.annotations))

    def series(self, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None) -> list[Labels]:
        """The label sets that have a sample in (start_ms, end_ms], sorted.  Raises ``PromQLError``."""
        found: set[Labels] = set()
        budget = budget or Budget(self._limits)
        with budget.running():
            for matchers in selectors or [()]:
                budget.check()
                for samples in self._source.select(matchers, start_ms, end_ms):
                    found.update(sampled(samples, start_ms, end_ms))
                budget.select(len(found))
        return sorted(found)

    def label_names(self, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None) -> list[str]:
        """The names of labels of these series, sorted.  Raises ``PromQLError``."""
        return sorted({name for labels in self.series(selectors, start_ms, end_ms, budget) for name, _ in labels})

    def label_values(
        self, name: str, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None
    ) -> list[str]:
        """The values that one label has in these series, sorted.  Raises ``PromQLError``."""
        found = self.series(selectors, start_ms, end_ms, budget)
        return sorted({value for labels in found if (value := labels.get(name))})

    def _evaluation(self, query: str, steps: Timestamps, end_ms: int, step_ms: int, budget: Budget) -> Evaluation:
        start_ms, annotations = int(steps[0]), Annotations(query)
        return Evaluation(
            self._source, steps, start_ms, end_ms, step_ms, self._lookback_ms, annotations, budget, self._shared
        )


@contextmanager
def _evaluating(budget: Budget) -> Iterator[None]:
    """0/0 is a value here, and what is not present may be anything."""
    with budget.running(), np.errstate(all="ignore"):
        try:
            yield
        except RecursionError:
            raise PromQLError("the query is nested too deeply, or has too many operators in a row") from None


def _matrix(vector: Vector, steps: Timestamps, annotations: Annotations) -> Matrix:
    vector = vector.settled()
    shown: Mask = np.logical_or.reduce(vector.present, axis=1)
    if not shown.all():
        vector = vector.rows(np.flatnonzero(shown))
    return Matrix(vector.labels, steps, vector.values, vector.present, annotations.warnings, annotations.infos)


def _by_labels(matrix: Matrix) -> Matrix:
    if len(matrix.labels) < 2:
        return matrix
    found = derived(matrix.labels, "sorted", _sorted)
    if found is None:
        return matrix
    order, labels = found
    values, present = matrix.values[order], matrix.present[order]
    return Matrix(labels, matrix.timestamps, values, present, matrix.warnings, matrix.infos)


def _sorted(labels: Sequence[Labels]) -> tuple[Index, LabelSets] | None:
    """The rows in order, and their labels; None where they are in order."""
    order = sorted(range(len(labels)), key=labels.__getitem__)
    if order == list(range(len(labels))):
        return None
    return np.array(order), LabelSets(labels[row] for row in order)


def _samples(evaluation: Evaluation, node: Range | Subquery) -> Samples:
    """The samples of a range vector at their own times, sorted by labels."""
    blocks = evaluation.blocks(node)
    timestamps = np.unique(np.concatenate([np.empty(0, np.int64), *(block.timestamps for block in blocks)]))
    parts = []
    for block in blocks:
        evaluation.budget.hold(len(block.labels) * timestamps.size)
        values = np.full((len(block.labels), timestamps.size), np.nan)
        present = np.zeros(values.shape, dtype=bool)
        columns = np.searchsorted(timestamps, block.timestamps)
        values[:, columns], present[:, columns] = block.values, is_sample(block.values)
        parts.append(Vector(block.labels, values, present))
    matrix = _by_labels(_matrix(Vector.joined(parts, timestamps.size), timestamps, evaluation.annotations))
    return Samples(matrix.labels, timestamps, matrix.values, matrix.present, matrix.warnings, matrix.infos)
