"""Which rows of a slab a selector means: answered once, for as long as its series stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.labels import METRIC_NAME, Labels, LabelSets
from opsconsole.series.matcher import Matcher, Operator, select
from opsconsole.series.stack import Index

_SELECTIONS = 1024  # kept per layout; a page asks for dozens


@dataclass(frozen=True, slots=True)
class Picked:
    """S rows by clock.

    ``clocks``: which N clocks they have, None for all in their order; ``clock``: intp[S], an index into those.
    ``which``: the clocks again, to tell selections apart by.
    ``place``: intp[R], for every row of the slab where it stands among the S, -1 where it does not.
    """

    labels: LabelSets
    rows: Index
    clock: Index
    clocks: Index | None
    which: bytes
    place: Index


class Layout:
    """The label set and the clock of every row."""

    def __init__(self, labels: Sequence[Labels], clock: NDArray[np.int64], clocks: int) -> None:
        self.labels = tuple(labels)
        self._clock = clock
        self._clocks = clocks
        self._selections: dict[tuple[Matcher, ...], Picked | None] = {}

    def knows(self, matchers: tuple[Matcher, ...]) -> bool:
        """Whether ``pick`` was asked lately, and has to look up its answer only."""
        return matchers in self._selections

    def pick(self, matchers: tuple[Matcher, ...]) -> Picked | None:
        """The rows that ``matchers`` mean, None for none; the same object for the same matchers."""
        try:
            return self._selections[matchers]
        except KeyError:
            pass
        if len(self._selections) >= _SELECTIONS:
            self._selections.clear()
        found = self._selections[matchers] = self._picked(matchers)
        return found

    def _picked(self, matchers: tuple[Matcher, ...]) -> Picked | None:
        found = [row for row in self._candidates(matchers) if select(self.labels[row], matchers)]
        if not found:
            return None
        rows = np.array(found, dtype=np.intp)
        rows = rows[np.argsort(self._clock[rows], kind="stable")]
        clocks, clock = np.unique(self._clock[rows], return_inverse=True)
        place = np.full(len(self.labels), -1, dtype=np.intp)
        place[rows] = np.arange(len(rows))
        return Picked(
            LabelSets(self.labels[row] for row in rows),
            rows,
            clock.astype(np.intp),
            None if len(clocks) == self._clocks else clocks.astype(np.intp),
            clocks.tobytes(),
            place,
        )

    @cached_property
    def _by_metric(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, one in enumerate(self.labels):
            rows.setdefault(one.metric, []).append(row)
        return rows

    def _candidates(self, matchers: tuple[Matcher, ...]) -> Sequence[int]:
        for matcher in matchers:
            if matcher.name == METRIC_NAME and matcher.operator is Operator.EQUAL:
                return self._by_metric.get(matcher.value, [])
        return range(len(self.labels))
