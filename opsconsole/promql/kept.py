"""Answers of range queries, kept and continued: a dashboard asks the same again, a few steps later.

What a query says at one instant follows from the samples up to it, so the columns before the first sample that changed
since are still right, and only those behind are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from opsconsole.series.labels import LabelSets, derived
from opsconsole.series.lately import Lately

from .parse import parse
from .plan import Aggregate, Binary, Call, Expr, Negate, Range, Selector, Subquery
from .result import Matrix
from .source import ChangingSource, Mark

MEMORY_BYTES = 32 << 20
_LARGEST = 8  # an answer takes no more than one part in so many of the memory
_LABELS_BYTES = 64  # of the list of labels, a series; they themselves are the source's
_LEAST = 0.5  # of the columns have to be at hand, or the whole is evaluated at once

Evaluate = Callable[[int, int], Matrix]
"""The answer from one instant to another, both included, sorted by labels."""


@dataclass(frozen=True, slots=True)
class Question:
    """What stays the same while a range moves.  ``phase_ms``: what is left of its instants, divided by the step."""

    query: str
    step_ms: int
    phase_ms: int
    lookback_ms: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """``mark``: when the samples behind it were read."""

    matrix: Matrix
    mark: Mark

    @property
    def memory_bytes(self) -> int:
        return self.matrix.values.nbytes + self.matrix.present.nbytes + _LABELS_BYTES * len(self.matrix.labels)


class Kept:
    """The answers over one source, those asked for last.  Any thread may ask."""

    def __init__(self, source: ChangingSource, memory_bytes: int = MEMORY_BYTES) -> None:
        self._source = source
        self._answers: Lately[Question, _Answer] = Lately(memory_bytes, memory_bytes // _LARGEST)

    @property
    def memory_bytes(self) -> int:
        return self._answers.memory_bytes

    def answer(self, question: Question, start_ms: int, end_ms: int, evaluate: Evaluate) -> Matrix:
        """The answer from start to end, evaluated as far as it is not kept."""
        mark = self._source.mark()
        kept = self._answers.get(question)
        known = None if kept is None else self._still_right(kept, start_ms, end_ms, question.step_ms)
        if known is None:
            matrix = evaluate(start_ms, end_ms)
        elif (next_ms := int(known.timestamps[-1]) + question.step_ms) > end_ms:
            matrix = _without_empty(known)
        else:
            matrix = _joined(known, evaluate(next_ms, end_ms))
        self._keep(question, _Answer(matrix, mark))
        return matrix

    def _still_right(self, kept: _Answer, start_ms: int, end_ms: int, step_ms: int) -> Matrix | None:
        """The columns of ``kept`` from ``start_ms`` on that still hold; None where they are too few to begin with."""
        first_ms, last_ms = int(kept.matrix.timestamps[0]), int(kept.matrix.timestamps[-1])
        changed_ms = self._source.changed_since(kept.mark)
        until_ms = min(last_ms, end_ms, changed_ms - 1)
        if first_ms > start_ms or until_ms - start_ms < (end_ms - start_ms) * _LEAST:
            return None
        columns = slice((start_ms - first_ms) // step_ms, (until_ms - first_ms) // step_ms + 1)
        matrix = kept.matrix
        return replace(
            matrix,
            timestamps=matrix.timestamps[columns],
            values=matrix.values[:, columns],
            present=matrix.present[:, columns],
        )

    def _keep(self, question: Question, answer: _Answer) -> None:
        matrix = answer.matrix
        if matrix.timestamps.size:
            matrix.values.flags.writeable = matrix.present.flags.writeable = False
            self._answers.keep(question, answer, answer.memory_bytes)


@lru_cache(maxsize=1024)
def can_be_continued(query: str) -> bool:
    """Whether what the query says at an instant depends on samples up to it alone, and on no other instant of the range."""
    return _looks_back(parse(query))


def _looks_back(node: Expr) -> bool:
    if isinstance(node, Selector | Range | Subquery) and (node.shift.at is not None or node.shift.offset_ms < 0):
        return False
    match node:
        case Subquery(expr=inner) | Negate(expr=inner):
            return _looks_back(inner)
        case Aggregate():
            return _looks_back(node.expr) and (node.param is None or _looks_back(node.param))
        case Binary():
            return _looks_back(node.left) and _looks_back(node.right)
        case Call():
            return all(map(_looks_back, node.args))
    return True


def _joined(known: Matrix, new: Matrix) -> Matrix:
    """Columns side by side, each series in a row of its own."""
    timestamps = np.concatenate([known.timestamps, new.timestamps])
    remarks = {
        "warnings": tuple(dict.fromkeys((*known.warnings, *new.warnings))),
        "infos": tuple(dict.fromkeys((*known.infos, *new.infos))),
    }
    if known.labels is new.labels or known.labels == new.labels:
        values = np.hstack([known.values, new.values])
        present = np.hstack([known.present, new.present])
        return _without_empty(Matrix(known.labels, timestamps, values, present, **remarks))
    labels = known.labels  # the same object, if it can be, for what is derived from it
    if not (there := derived(labels, "set", frozenset)).issuperset(new.labels):
        labels = LabelSets(sorted(there.union(new.labels)))
    row_of = derived(labels, "rows", lambda sets: {one: row for row, one in enumerate(sets)})
    values = np.full((len(labels), timestamps.size), np.nan)
    present = np.zeros(values.shape, dtype=bool)
    for part, columns in ((known, slice(known.timestamps.size)), (new, slice(known.timestamps.size, None))):
        rows = [row_of[one] for one in part.labels]
        values[rows, columns], present[rows, columns] = part.values, part.present
    return _without_empty(Matrix(labels, timestamps, values, present, **remarks))


def _without_empty(matrix: Matrix) -> Matrix:
    shown = np.logical_or.reduce(matrix.present, axis=1)
    if shown.all():
        return matrix
    labels = LabelSets(one for one, there in zip(matrix.labels, shown.tolist(), strict=True) if there)
    return replace(matrix, labels=labels, values=matrix.values[shown], present=matrix.present[shown])
