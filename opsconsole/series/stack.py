"""Stacks: many series that tick by a few clocks, as one matrix."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .block import STALE, Block, Mask, Timestamps, Values, is_sample
from .labels import LabelSets

Index = NDArray[np.intp]
T = TypeVar("T")

_ANSWERS = 64  # a board asks for a handful

NEVER = 1 << 62
"""The instant of a column that a clock has not reached; far, and yet differences to it can be computed."""

BEFORE = -NEVER
"""The instant of a column in which a clock had not begun."""


@dataclass(frozen=True, slots=True)
class Resets:
    """Where counters fell: K cells, by row.  ``lost``: float64[K], what the counter had before, which the fall hides."""

    row: Index
    column: Index
    lost: Values

    @classmethod
    def none(cls) -> Resets:
        return cls(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))


class Traits(Protocol):
    """What is known of the cells of a stack without looking at all of them; each array is about its S series."""

    @property
    def last_gap(self) -> Index:
        """intp[S]: the last column of a series that holds no sample; -1 where there is none."""
        ...

    @property
    def whole(self) -> Mask:
        """bool[S]: every sample is a whole number, so that sums of them lose nothing."""
        ...

    @property
    def erratic(self) -> Mask:
        """bool[S]: no counter: falls so often that ``resets`` does not list it, or is negative or not finite somewhere."""
        ...

    @property
    def resets(self) -> Resets: ...


class Answers:
    """What was found out about clocks, for as long as nothing new stands in the columns that it was about."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[int, Any]] = {}

    def get(self, question: Hashable, clocks: Timestamps, find: Callable[[], T]) -> T:
        """``find()``, remembered under ``question``.  ``clocks``: int64[N, P], which may still grow."""
        filled = int(np.count_nonzero(clocks < NEVER))
        known = self._known.get(question)
        if known is not None and known[0] == filled:
            answer: T = known[1]
            return answer
        answer = find()
        if len(self._known) >= _ANSWERS:
            self._known.clear()
        self._known[question] = filled, answer
        return answer


@dataclass(frozen=True, eq=False)
class Stack:
    """Samples of S series, each at the P instants of one of N clocks.

    ``clocks``: int64[N, P], Unix milliseconds, ascending in each row; ``BEFORE`` it began, ``NEVER`` behind its last.
    ``clock``: intp[S], ascending: which clock a series has.  ``cells``: float64[R, P] as in a block.
    ``rows``: intp[S], the row of each series in ``cells``.  ``ends``: for a clock, the instants at which all of its series
    ended (a scrape that failed), ascending.  ``answers`` about the clocks of ``columns`` are shared with other stacks.
    """

    labels: LabelSets
    clocks: Timestamps
    clock: Index
    cells: Values
    rows: Index
    ends: Mapping[int, Timestamps] = field(default_factory=dict)
    known: Traits | None = None
    answers: Answers = field(default_factory=Answers)
    columns: tuple[Hashable, ...] = ()

    @classmethod
    def of(cls, block: Block) -> Stack:
        labels = block.labels if isinstance(block.labels, LabelSets) else LabelSets(block.labels)
        series = len(labels)
        return cls(labels, block.timestamps[np.newaxis], np.zeros(series, np.intp), block.values, np.arange(series))

    @property
    def size(self) -> int:
        """How many cells its series have."""
        return len(self.rows) * int(self.cells.shape[1])

    @cached_property
    def traits(self) -> Traits:
        return self.known or _Seen(self.cells[self.rows])

    @cached_property
    def bounds(self) -> Index:
        """intp[N + 1]: the series of clock n are ``bounds[n]:bounds[n + 1]``."""
        return np.searchsorted(self.clock, np.arange(len(self.clocks) + 1))

    def blocks(self) -> Sequence[Block]:
        """A block a clock, without the columns it has not reached; an end of all its series is a column of ``STALE``."""
        return [block for number in range(len(self.clocks)) if (block := self._block(number)).timestamps.size]

    def part(self, series: Index) -> Stack:
        """Some of the series, given in ascending order."""
        return Stack(
            LabelSets(self.labels[each] for each in series),
            self.clocks,
            self.clock[series],
            self.cells,
            self.rows[series],
            self.ends,
            answers=self.answers,
            columns=self.columns,
        )

    def _block(self, number: int) -> Block:
        series = slice(self.bounds[number], self.bounds[number + 1])
        live = slice(*np.searchsorted(self.clocks[number], (BEFORE + 1, NEVER)))
        timestamps, values = self.clocks[number, live], self.cells[self.rows[series], live]
        if number in self.ends:
            where = np.searchsorted(timestamps, self.ends[number])
            timestamps = np.insert(timestamps, where, self.ends[number])
            values = np.insert(values, where, STALE, axis=1)
        return Block(self.labels[series], timestamps, values)


@dataclass(frozen=True)
class _Seen:
    """The traits of cells that had to be looked at."""

    values: Values

    @cached_property
    def last_gap(self) -> Index:
        gap = ~is_sample(self.values)
        return np.where(gap.any(axis=1), gap.shape[1] - 1 - gap[:, ::-1].argmax(axis=1), -1)

    @cached_property
    def whole(self) -> Mask:
        whole: Mask = (np.floor(self.values) == self.values).all(axis=1)
        return whole

    @cached_property
    def erratic(self) -> Mask:
        with np.errstate(invalid="ignore"):
            odd = ~((self.values >= 0) & (self.values < np.inf))
        erratic: Mask = np.logical_or.reduce(odd, axis=1)
        return erratic

    @cached_property
    def resets(self) -> Resets:
        row, column = np.nonzero(self.values[:, 1:] < self.values[:, :-1])
        return Resets(row, column + 1, self.values[row, column])
