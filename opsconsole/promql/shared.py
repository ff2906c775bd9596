"""What queries that are asked together have in common: rates of a metric are computed once for all of its series.

The panels of a board look at the same few metrics at one instant, each through other matchers.  Working out which series
a panel means is remembered with the labels, so all that is left for it is to pick its rows; and where it wants no more than
their sums by group, or a quantile of these, all that the queries want so is found in one batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

from opsconsole.series.block import Timestamps
from opsconsole.series.labels import METRIC_NAME
from opsconsole.series.matcher import Matcher, Operator

from .batch import Answer, Batch, Quantile, Sum, Wanted
from .error import PromQLError
from .limits import Budget, LimitExceeded
from .parse import parse
from .plan import Aggregate, Call, Expr, Number, Range
from .select import matching
from .vector import Vector

_WORTH = 4  # queries that look at a metric, from which on all of its series are computed


@dataclass(frozen=True, slots=True)
class Growth:
    """``rate`` or ``increase`` of a metric in windows that end ``offset_ms`` before the instant."""

    function: str
    metric: str
    window_ms: int
    offset_ms: int

    @classmethod
    def of(cls, call: Call, over: Range) -> Growth | None:
        """None where the selector does not say one name, or looks at an instant of its own."""
        names = [one.value for one in over.selector.matchers if _names_metric(one)]
        if len(names) != 1 or not names[0] or over.shift.at is not None:
            return None
        return cls(call.function, names[0], over.window_ms, over.shift.offset_ms)

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """Of all series of the metric."""
        return (Matcher(METRIC_NAME, Operator.EQUAL, self.metric),)


Compute = Callable[[Sequence[Matcher]], Vector]
"""The growth of all series that the matchers mean."""


class Shared:
    """Lives as long as one round of queries.  Belongs to one thread."""

    def __init__(self, texts: Collection[str]) -> None:
        self._asked = _Asked.of(tuple(texts))
        self._known: dict[tuple[Growth, int], Vector | None] = {}
        self._answers: dict[tuple[Growth, int], Mapping[int, Answer]] = {}

    def wants(self, call: Call, over: Range, instants: int) -> bool:
        return instants == 1 and Growth.of(call, over) in self._asked.batches

    def growth(self, call: Call, over: Range, steps: Timestamps, budget: Budget, compute: Compute) -> Vector | None:
        """The series that ``over`` means of what ``compute`` says of all series of its metric; None where that is too much."""
        growth = Growth.of(call, over)
        if growth is None or growth not in self._asked.batches or steps.size > 1:
            return None
        whole = self._whole(growth, int(steps[0]), budget, compute)
        return None if whole is None else _matching(whole, _rest(over))

    def place(self, node: Aggregate | Call) -> Place | None:
        """None where there is no ``answer`` to this node of one of the queries."""
        return self._asked.places.get(id(node))

    def answer(self, place: Place, at_ms: int, budget: Budget, compute: Compute) -> Answer | None:
        """What a node comes to by the growth of all series of its metric; None where that is too much."""
        question = place.growth, at_ms
        if (answers := self._answers.get(question)) is None:
            whole = self._whole(*question, budget, compute)
            batch = self._asked.batches[place.growth]
            answers = self._answers[question] = {} if whole is None else batch.answers(whole)
        return answers.get(place.number)

    def _whole(self, growth: Growth, at_ms: int, budget: Budget, compute: Compute) -> Vector | None:
        question = growth, at_ms
        if question not in self._known:
            held = budget.held
            try:
                self._known[question] = compute(growth.matchers)
            except LimitExceeded:
                self._known[question] = None  # each query may still have what it means of it
            budget.settle(held, 0)  # what is shared is at nobody's expense
        return self._known[question]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to a node is: which number of the batch of a growth, that of ``call`` over ``over``."""

    growth: Growth
    number: int
    call: Call
    over: Range


@dataclass(frozen=True, slots=True)
class _Asked:
    """What some queries want of growths that enough of them look at.

    ``places``: by the identity of nodes of ``plans``, which are kept for that.
    """

    plans: Sequence[Expr]
    batches: Mapping[Growth, Batch]
    places: Mapping[int, Place]

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, texts: tuple[str, ...]) -> _Asked:
        plans = list(_plans(texts))
        wanted: dict[Growth, list[tuple[Expr, Call, Range, Wanted | None]]] = defaultdict(list)
        for plan in plans:
            for node, call, over, want in _wanted(plan):
                if (growth := Growth.of(call, over)) is not None:
                    wanted[growth].append((node, call, over, want))
        batches: dict[Growth, Batch] = {}
        places: dict[int, Place] = {}
        for growth, nodes in wanted.items():
            if sum(node is call for node, call, _, _ in nodes) < _WORTH:
                continue
            batch = batches[growth] = Batch.of(want for _, _, _, want in nodes if want is not None)
            numbers = {want: number for number, want in enumerate(batch.wanted)}
            places.update(
                (id(node), Place(growth, numbers[want], call, over))
                for node, call, over, want in nodes
                if want is not None
            )
        return cls(plans, batches, places)


def _plans(texts: Collection[str]) -> Iterator[Expr]:
    for text in texts:
        try:
            yield parse(text)
        except PromQLError:
            continue  # whoever asks it is told


def _wanted(plan: Expr) -> Iterator[tuple[Expr, Call, Range, Wanted | None]]:
    """(node, its call, over what, what is wanted): calls of ``rate`` and ``increase`` over selectors, of which nothing is
    wanted by themselves, and what stands around them that a batch can answer.
    """
    for inner in _inner(plan):
        yield from _wanted(inner)
    match plan:
        case Call(function="rate" | "increase", args=(Range() as over,)):
            yield plan, plan, over, None
        case Aggregate() if (summed := _summed(plan)) is not None:
            yield plan, *summed
        case Call(function="histogram_quantile", args=(Number() as q, Aggregate() as of)):
            if (summed := _summed(of)) is not None:
                call, over, want = summed
                yield plan, call, over, Quantile(q.value, want)


def _summed(node: Aggregate) -> tuple[Call, Range, Sum] | None:
    match node.expr:
        case Call(function="rate" | "increase", args=(Range() as over,)) as call if node.param is None:
            want = Sum.of(node, _rest(over))
            return None if want is None else (call, over, want)
    return None


def _inner(plan: Expr) -> Iterator[Expr]:
    for field in fields(plan):
        value = getattr(plan, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Expr):
                yield part


def _rest(over: Range) -> tuple[Matcher, ...]:
    """The matchers besides the metric's name."""
    return tuple(matcher for matcher in over.selector.matchers if not _names_metric(matcher))


def _names_metric(matcher: Matcher) -> bool:
    return matcher.name == METRIC_NAME and matcher.operator is Operator.EQUAL


def _matching(whole: Vector, matchers: tuple[Matcher, ...]) -> Vector:
    picked = matching(whole.labels, matchers)
    if picked is None:
        return whole
    rows, labels = picked
    return Vector(
        labels, whole.values[rows], whole.present[rows], None if whole.nameless is None else whole.nameless[rows]
    )
