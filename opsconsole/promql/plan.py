"""The plan of a query: a typed tree, checked, with everything resolved that the text alone can tell.

``position`` counts characters from 0 in the text of the query, -1 where it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.matcher import Matcher


class Kind(StrEnum):
    """What an expression evaluates to."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    RANGE = "range vector"
    TEXT = "string"


class Anchor(StrEnum):
    """``@ start()`` and ``@ end()``: the first and last instant of the whole query."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Shift:
    """``offset`` and ``@``: which instants a selector looks at instead of the evaluation's own."""

    offset_ms: int = 0
    at: int | Anchor | None = None


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    position: int = field(default=-1, compare=False)
    kind = Kind.SCALAR


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    position: int = field(default=-1, compare=False)
    kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Selector:
    """``up{job="web"} offset 5m``; the metric name is a matcher like any other, the first one if ``named`` without ``=``."""

    matchers: tuple[Matcher, ...]
    shift: Shift
    position: int
    named: bool = field(default=False, compare=False)
    kind = Kind.VECTOR


@dataclass(frozen=True, slots=True)
class Range:
    """``up[5m]``: the samples in ``(t - window, t]``."""

    selector: Selector
    window_ms: int
    kind = Kind.RANGE

    @property
    def shift(self) -> Shift:
        return self.selector.shift

    @property
    def position(self) -> int:
        return self.selector.position


@dataclass(frozen=True, slots=True)
class Subquery:
    """``expr[1h:5m]``: the inner expression at the multiples of ``step_ms`` in ``(t - window, t]``; 0 is the engine's default."""

    expr: Expr
    window_ms: int
    step_ms: int
    shift: Shift
    position: int
    kind = Kind.RANGE


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    args: tuple[Expr, ...]
    kind: Kind
    position: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which labels tell groups apart: ``by``/``on`` keep the named ones, ``without``/``ignoring`` drop them.

    ``listed``: the names in the order in which they are written.
    """

    names: frozenset[str] = frozenset()
    without: bool = False
    listed: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, listed: Iterable[str], *, without: bool) -> Grouping:
        listed = tuple(listed)
        return cls(frozenset(listed), without, listed)

    def key(self, labels: Labels) -> tuple[tuple[str, str], ...]:
        """What members of one group share; a plain tuple, because this runs once a series."""
        names = self.names
        if self.without:
            return tuple([pair for pair in labels if pair[0] not in names and pair[0] != METRIC_NAME])
        return tuple([pair for pair in labels if pair[0] in names])


@dataclass(frozen=True, slots=True)
class Aggregate:
    operator: str
    expr: Expr
    param: Expr | None
    grouping: Grouping
    position: int
    kind = Kind.VECTOR


@dataclass(frozen=True, slots=True)
class Negate:
    expr: Expr
    position: int

    @property
    def kind(self) -> Kind:
        return self.expr.kind


class Cardinality(StrEnum):
    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"


@dataclass(frozen=True, slots=True)
class Matching:
    """How series of two vectors find each other.  ``include``: labels that ``group_left(...)`` copies from the one side."""

    grouping: Grouping = Grouping(without=True)
    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """``position`` is that of the operator."""

    operator: str
    left: Expr
    right: Expr
    matching: Matching
    returns_bool: bool
    position: int

    @property
    def kind(self) -> Kind:
        return Kind.SCALAR if self.left.kind is self.right.kind is Kind.SCALAR else Kind.VECTOR


@dataclass(frozen=True, slots=True)
class Parentheses:
    """Only in what is written (``parse.written``): a plan has none, for they mean nothing."""

    expr: Expr
    position: int

    @property
    def kind(self) -> Kind:
        return self.expr.kind


def start(expr: Expr) -> int:
    """Where the text of an expression begins."""
    while isinstance(expr, Binary):
        expr = expr.left
    return expr.position


Expr = Number | Text | Selector | Range | Subquery | Call | Aggregate | Negate | Binary | Parentheses
