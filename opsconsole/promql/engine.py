"""The engine: a query in, a matrix out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from opsconsole.series.block import Mask, Timestamps, is_sample
from opsconsole.series.labels import Labels

from .annotations import Annotations
from .error import ParseError
from .evaluate import Evaluation
from .parse import parse
from .plan import Expr, Kind, Range
from .result import Matrix, Scalar
from .source import SampleSource
from .vector import Vector

LOOKBACK_MS = 300_000


class Engine:
    """Answers PromQL with the semantics of Prometheus 3 over whatever the source holds."""

    def __init__(self, source: SampleSource, *, lookback_ms: int = LOOKBACK_MS) -> None:
        self._source = source
        self._lookback_ms = lookback_ms

    @property
    def source(self) -> SampleSource:
        """Who holds the samples, for questions about series instead of values."""
        return self._source

    def instant(self, query: str, at_ms: int) -> Matrix | Scalar:
        """The value at one instant: a matrix with T = 1, or for a range vector its samples.

        Series stand in the order that ``sort`` and ``topk`` give them.  Raises ``PromQLError``.
        """
        plan = _parsed(query)
        evaluation = self._evaluation(query, np.array([at_ms], dtype=np.int64))
        with np.errstate(all="ignore"):  # 0/0 is a value here, and what is not present may be anything
            if isinstance(plan, Range):
                return _samples(evaluation, plan)
            if plan.kind is Kind.SCALAR:
                value = float(evaluation.numbers(plan)[0])
                return Scalar(at_ms, value, evaluation.annotations.warnings, evaluation.annotations.infos)
            return _matrix(evaluation.vector(plan), evaluation.steps, evaluation.annotations)

    def range(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> Matrix:
        """The values from start to end, both included, sorted by labels; a scalar is one series without labels.

        Raises ``PromQLError`` for the query, ``ValueError`` for instants that make no range.
        """
        if step_ms <= 0:
            raise ValueError(f"step must be positive, not {step_ms} ms")
        if end_ms < start_ms:
            raise ValueError("end must not be before start")
        plan = _parsed(query)
        evaluation = self._evaluation(query, np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64), end_ms)
        with np.errstate(all="ignore"):
            if plan.kind is Kind.SCALAR:
                values = evaluation.numbers(plan)[np.newaxis]
                vector = Vector([Labels()], values, np.ones(values.shape, dtype=bool))
            else:
                vector = evaluation.vector(plan)
        return _by_labels(_matrix(vector, evaluation.steps, evaluation.annotations))

    def _evaluation(self, query: str, steps: Timestamps, end_ms: int | None = None) -> Evaluation:
        last = int(steps[-1]) if end_ms is None else end_ms
        return Evaluation(self._source, steps, int(steps[0]), last, self._lookback_ms, Annotations(query))


def _parsed(query: str) -> Expr:
    plan = parse(query)
    if plan.kind is Kind.TEXT:
        raise ParseError("unsupported query: a string alone has no series", 0, query)
    return plan


def _matrix(vector: Vector, steps: Timestamps, annotations: Annotations) -> Matrix:
    shown: Mask = np.logical_or.reduce(vector.present, axis=1)
    if not shown.all():
        vector = vector.rows(shown)
    return Matrix(vector.labels, steps, vector.values, vector.present, annotations.warnings, annotations.infos)


def _by_labels(matrix: Matrix) -> Matrix:
    order = sorted(range(len(matrix.labels)), key=matrix.labels.__getitem__)
    labels = [matrix.labels[row] for row in order]
    return replace(matrix, labels=labels, values=matrix.values[order], present=matrix.present[order])


def _samples(evaluation: Evaluation, node: Range) -> Matrix:
    """The samples of a range vector at their own times."""
    blocks = evaluation.blocks(node)
    timestamps = np.unique(np.concatenate([np.empty(0, np.int64), *(block.timestamps for block in blocks)]))
    parts = []
    for block in blocks:
        values = np.full((len(block.labels), timestamps.size), np.nan)
        present = np.zeros(values.shape, dtype=bool)
        columns = np.searchsorted(timestamps, block.timestamps)
        values[:, columns], present[:, columns] = block.values, is_sample(block.values)
        parts.append(Vector(block.labels, values, present))
    return _matrix(Vector.joined(parts, timestamps.size), timestamps, evaluation.annotations)
