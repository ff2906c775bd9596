"""Ticks: which columns of some clocks lie in each window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Timestamps, Values
from opsconsole.series.stack import Index

if TYPE_CHECKING:
    from .windows import Windows


@dataclass(frozen=True)
class Ticks:
    """``lo``, ``hi``: intp[N, T], the columns ``lo:hi`` of clock n lie in ``(start, end]`` of window t.

    ``starts_ms``, ``ends_ms``: int64[T].
    """

    lo: Index
    hi: Index
    starts_ms: Timestamps
    ends_ms: Timestamps

    @classmethod
    def of(cls, clocks: Timestamps, ends_ms: Timestamps, window_ms: int) -> Ticks:
        starts_ms = ends_ms - window_ms
        step = _step(ends_ms)
        if step > 0 and window_ms % step == 0 and window_ms < step * ends_ms.size:
            # The starts are ends of earlier windows: one count serves both.
            back = window_ms // step
            instants = np.arange(starts_ms[0], ends_ms[-1] + 1, step)
            counts = reached(clocks, instants)
            return cls(counts[:, : ends_ms.size], counts[:, back:], starts_ms, ends_ms)
        return cls(reached(clocks, starts_ms), reached(clocks, ends_ms), starts_ms, ends_ms)

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
        counts = np.count_nonzero(clocks <= instants[0], axis=1)[:, np.newaxis]
        return np.broadcast_to(counts, (len(clocks), instants.size))
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
