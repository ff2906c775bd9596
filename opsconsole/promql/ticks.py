"""Ticks: which columns of some clocks lie in each window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.stack import Index, Stack

from .reach import Reach

if TYPE_CHECKING:
    from .windows import Windows


@dataclass(frozen=True)
class Ticks:
    """``lo``, ``hi``: intp[N, T], the columns ``lo:hi`` of clock n lie in ``(start, end]`` of window t.

    ``starts_ms``, ``ends_ms``: int64[T].  ``clocks``: int64[N, P].
    """

    lo: Index
    hi: Index
    starts_ms: Timestamps
    ends_ms: Timestamps
    clocks: Timestamps

    @classmethod
    def of(cls, stack: Stack, ends_ms: Timestamps, window_ms: int) -> Ticks:
        """For windows that end at ``ends_ms``, evenly spread or all one.  Remembered for whoever asks with the same ends:
        the panels of a board do.
        """
        question = (*stack.columns, int(ends_ms[0]), int(ends_ms[-1]), ends_ms.size, window_ms)
        return stack.answers.get(question, stack.clocks, lambda: cls._of(stack.clocks, ends_ms, window_ms))

    @classmethod
    def _of(cls, clocks: Timestamps, ends_ms: Timestamps, window_ms: int) -> Ticks:
        starts_ms = ends_ms - window_ms
        step = _step(ends_ms)
        if step > 0 and window_ms % step == 0 and window_ms < step * ends_ms.size:
            # The starts are ends of earlier windows: one count serves both.
            back = window_ms // step
            instants = np.arange(starts_ms[0], ends_ms[-1] + 1, step)
            counts = reached(clocks, instants)
            return cls(counts[:, : ends_ms.size], counts[:, back:], starts_ms, ends_ms, clocks)
        return cls(reached(clocks, starts_ms), reached(clocks, ends_ms), starts_ms, ends_ms, clocks)

    @cached_property
    def count(self) -> Index:
        return self.hi - self.lo

    @cached_property
    def first(self) -> Index:
        """The first column of each window; any column where the window is empty."""
        return np.minimum(self.lo, self.last)

    @cached_property
    def last(self) -> Index:
        return np.maximum(self.hi - 1, 0)

    @cached_property
    def reach(self) -> Reach:
        """[N, T]: of series without gaps."""
        from .windows import cells  # its own module needs this one

        first_ms, last_ms = cells(self.clocks, self.first), cells(self.clocks, self.last)
        return Reach.of(first_ms, last_ms, self.count, self.starts_ms, self.ends_ms)

    @cached_property
    def enough(self) -> Mask:
        """bool[N, T]: which windows have the two samples that a rate takes."""
        return self.count >= 2

    @cached_property
    def factor(self) -> Values:
        """float64[N, T]: what an increase between samples becomes by extrapolation; 0 where there are not enough."""
        with np.errstate(all="ignore"):
            return np.where(self.enough, self.reach.factor, 0.0)

    def beginning(self, clock: Index, row: Index, column: Index) -> tuple[Index, Index]:
        """(rows, instants) of the windows that begin at given cells.

        ``clock``: intp[S], that of each row.  ``row``, ``column``: intp[K], the cells.
        """
        clocks, columns = len(self.first), int(self.last.max(initial=0)) + 2
        places = self.first + (np.arange(clocks) * columns)[:, np.newaxis]
        found = np.bincount(places.ravel(), minlength=clocks * columns).reshape(clocks, columns)
        until = np.cumsum(found, axis=1)  # windows that begin in a column or before it
        inside = column < columns
        row, column = row[inside], column[inside]
        times = found[clock[row], column]
        begins = until[clock[row], column] - times
        rows = np.repeat(row, times)
        offsets = np.arange(rows.size) - np.repeat(np.cumsum(times) - times, times)
        return rows, np.repeat(begins, times) + offsets

    def windows(self, timestamps: Timestamps, values: Values, clock: slice | Index) -> Windows:
        """Windows over ``values`` float64[S, P] of series with the ``timestamps`` int64[1 or S, P] of ``clock``."""
        from .windows import Windows  # its own module needs this one

        return Windows(timestamps, values, self.lo[clock], self.hi[clock], self.starts_ms, self.ends_ms)


def reached(clocks: Timestamps, instants: Timestamps) -> Index:
    """intp[N, T]: how many columns of each clock are not later than each of ``instants``, which ascend or are all one."""
    step = _step(instants)
    if step == 0:
        counts = np.add.reduce(clocks <= instants[0], axis=1, dtype=np.intp, keepdims=True)
        return counts if instants.size == 1 else np.broadcast_to(counts, (len(clocks), instants.size))
    if step < 0:
        return np.stack([np.searchsorted(clock, instants, side="right") for clock in clocks])
    # Each sample counts from the first instant on that is not before it; the rest is a running sum.
    first = np.clip(-((instants[0] - clocks) // step), 0, instants.size)
    places = first + (np.arange(len(clocks)) * (instants.size + 1))[:, np.newaxis]
    counts = np.bincount(places.ravel(), minlength=len(clocks) * (instants.size + 1))
    return np.cumsum(counts.reshape(len(clocks), -1), axis=1)[:, :-1]


def _step(instants: Timestamps) -> int:
    """The distance of evenly spread instants, 0 where all are one, -1 where they are not evenly spread."""
    if instants.size < 2:
        return 0
    step = int(instants[1] - instants[0])
    if int(instants[-1] - instants[0]) != step * (instants.size - 1) or step < 0:
        return -1
    return step if instants.size == 2 or (np.diff(instants) == step).all() else -1
