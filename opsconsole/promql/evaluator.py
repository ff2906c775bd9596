"""Whoever answers PromQL: the engine over our own samples, or a server far away."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher

from .error import PromQLError
from .limits import Budget, Limits
from .result import Matrix, Scalar, String

Selectors = Sequence[Sequence[Matcher]]
"""Label sets that satisfy all matchers of any of these; none at all means every label set."""


class Refused(PromQLError):
    """The query makes no sense to whoever was asked."""


class Unreachable(PromQLError):
    """Nobody is there to answer, or not as a Prometheus-compatible server would."""


class Evaluator(Protocol):
    """Every method raises ``PromQLError`` (``ParseError`` and ``Refused`` for what makes no sense, ``Unreachable``, and those of
    ``limits``) within the time of ``budget``; without one, the evaluator's own ``limits`` hold.
    """

    @property
    def limits(self) -> Limits: ...

    @property
    def at_once(self) -> Evaluator | None:
        """The same for ``instant`` and ``range`` of small queries, which raises ``PromQLError`` where an answer would have to
        be waited for or take a thread more than a fraction of a millisecond; None for an evaluator that always waits.
        """
        ...

    def looking_back(self, lookback_ms: int) -> Evaluator:
        """The same, to which a sample counts for so long."""
        ...

    def together(self, queries: Collection[str]) -> Evaluator:
        """The same, for one round of these queries, whose work in common may be done once.  For one thread."""
        ...

    def instant(self, query: str, at_ms: int, budget: Budget | None = None) -> Matrix | Scalar | String:
        """The value at one instant, in the order that ``sort`` gives it; ``Samples`` for a range vector."""
        ...

    def range(self, query: str, start_ms: int, end_ms: int, step_ms: int, budget: Budget | None = None) -> Matrix:
        """The values from start to end, both included, sorted by labels; ``ValueError`` for instants that make no range."""
        ...

    def series(self, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None) -> list[Labels]:
        """The label sets that have a sample in (start_ms, end_ms], sorted."""
        ...

    def label_names(self, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None) -> list[str]:
        """The names of labels of these series, sorted."""
        ...

    def label_values(
        self, name: str, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None
    ) -> list[str]:
        """The values that one label has in these series, sorted."""
        ...
