"""What queries that are asked together have in common: rates of a metric are computed once for all of its series.

The panels of a board look at the same few metrics at one instant, each through other matchers.  Working out which series
a panel means is remembered with the labels, so all that is left for it is to pick its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache, partial

import numpy as np

from opsconsole.series.block import Timestamps
from opsconsole.series.labels import METRIC_NAME, Labels, LabelSets, derived
from opsconsole.series.matcher import Matcher, Operator, select
from opsconsole.series.stack import Index

from .error import PromQLError
from .parse import parse
from .plan import Call, Expr, Range
from .vector import Vector

_WORTH = 4  # queries that look at a metric, from which on all of its series are computed

Key = tuple[str, str, int]
"""A function, the metric it is of, the length of its windows in milliseconds."""


class Shared:
    """Lives as long as one round of queries.  Belongs to one thread."""

    def __init__(self, texts: Collection[str]) -> None:
        self._worth = _worth(tuple(texts))
        self._known: dict[tuple[Key, int, int], Vector] = {}

    def growth(
        self, call: Call, over: Range, ends: Timestamps, compute: Callable[[Sequence[Matcher]], Vector]
    ) -> Vector | None:
        """The series that ``over`` means of what ``compute`` says of all series of its metric; None where that is too much."""
        key = _key(call, over)
        if key not in self._worth or ends.size > 1:
            return None
        named = (Matcher(METRIC_NAME, Operator.EQUAL, key[1]),)
        question = key, int(ends[0]), over.shift.offset_ms
        if (whole := self._known.get(question)) is None:
            whole = self._known[question] = compute(named)
        rest = tuple(matcher for matcher in over.selector.matchers if matcher not in named)
        return _matching(whole, rest)

    def wants(self, call: Call, over: Range, instants: int) -> bool:
        return instants == 1 and _key(call, over) in self._worth


def _matching(whole: Vector, matchers: tuple[Matcher, ...]) -> Vector:
    picked = derived(whole.labels, ("matching", matchers), partial(_picked, matchers))
    if picked is None:
        return whole
    rows, labels = picked
    return Vector(
        labels, whole.values[rows], whole.present[rows], None if whole.nameless is None else whole.nameless[rows]
    )


def _picked(matchers: tuple[Matcher, ...], labels: Sequence[Labels]) -> tuple[Index, LabelSets] | None:
    """Which rows the matchers mean, and their labels; None for all."""
    rows = [row for row, one in enumerate(labels) if select(one, matchers)]
    return None if len(rows) == len(labels) else (np.array(rows, dtype=np.intp), LabelSets(labels[row] for row in rows))


@lru_cache(maxsize=256)
def _worth(texts: tuple[str, ...]) -> frozenset[Key]:
    keys: Counter[Key] = Counter()
    for text in texts:
        try:
            keys.update(key for call, over in _growths(parse(text)) if (key := _key(call, over)))
        except PromQLError:
            continue  # whoever asks it is told
    return frozenset(key for key, times in keys.items() if times >= _WORTH)


def _growths(plan: Expr) -> Iterator[tuple[Call, Range]]:
    """The calls of ``rate`` and ``increase`` over selectors."""
    if isinstance(plan, Call) and plan.function in ("rate", "increase") and isinstance(plan.args[0], Range):
        yield plan, plan.args[0]
        return
    for field in fields(plan):
        value = getattr(plan, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Expr):
                yield from _growths(part)


def _key(call: Call, over: Range) -> Key | None:
    names = [one.value for one in over.selector.matchers if one.name == METRIC_NAME and one.operator is Operator.EQUAL]
    return (call.function, names[0], over.window_ms) if len(names) == 1 else None
