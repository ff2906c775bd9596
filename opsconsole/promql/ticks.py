"""Ticks: which columns of some clocks lie in each window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.stack import Index, Stack

from .reach import CLOSE, Reach

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

    @cached_property
    def short_of_zero(self) -> Values:
        """float64[N, T]: the share of what a counter grew in a window that its first sample must not exceed, to be
        extrapolated below zero; a little more for what is lost by rounding.
        """
        with np.errstate(all="ignore"):
            share: Values = self.reach.to_start / self.reach.sampled * (1 + 1e-9)
        return share

    @cached_property
    def slack(self) -> Values:
        """float64[N, P]: the share of what a counter grew in a window that its first sample must not exceed, to be
        extrapolated below zero: at most, of the windows that begin at a column; -1 where none does.
        """
        share = np.where(self.enough, CLOSE / np.maximum(self.count - 1, 1), -1.0)
        slack = np.full(self.clocks.shape, -1.0)
        np.maximum.at(slack, (np.arange(len(self.first))[:, np.newaxis], self.first), share)
        return slack

    @cached_property
    def later_slack(self) -> Values:
        """float64[N]: the most of it, behind the column in which the first window begins."""
        later = self.slack.copy()
        later[np.arange(len(later)), self.first[:, 0]] = -1.0
        most: Values = later.max(axis=1)
        return most

    @cached_property
    def _begun(self) -> Index:
        """intp[N, P + 2]: how many windows begin before each column."""
        return _tally(self.lo, self.clocks.shape[1])

    @cached_property
    def _over(self) -> Index:
        """intp[N, P + 2]: how many windows end before each column."""
        return _tally(self.hi - 1, self.clocks.shape[1])

    def beginning(self, clock: Index, column: Index) -> tuple[Index, Index]:
        """The windows that begin at each of K cells, as (which cell, which window)."""
        return _ranges(self._begun[clock, column], self._begun[clock, column + 1])

    def around(self, clock: Index, column: Index) -> tuple[Index, Index]:
        """The windows that hold each of K cells and one before it, as (which cell, which window)."""
        return _ranges(self._over[clock, column], self._begun[clock, column])

    def windows(self, cells: Values, rows: Index, clock: slice | Index) -> Windows:
        """Windows over the ``rows`` intp[S] of ``cells``, those of series of one ``clock`` or of one each.

        Only the columns that lie in any window are taken: at one instant, hardly any.
        """
        from .windows import Windows  # its own module needs this one

        lo, hi = self.lo[clock], self.hi[clock]
        first = min(int(lo.min()), cells.shape[1] - 1)
        columns = slice(first, max(int(hi.max()), first + 1))
        timestamps = self.clocks[clock][:, columns]
        if first:
            lo, hi = np.maximum(lo - first, 0), np.maximum(hi - first, 0)
        return Windows(timestamps, cells[rows, columns], lo, hi, self.starts_ms, self.ends_ms)


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


def _tally(index: Index, columns: int) -> Index:
    """intp[N, columns + 2]: in column c, how many of ``index`` intp[N, T] in each row are less than c."""
    clocks, bins = len(index), columns + 2
    places = index + 1 + (np.arange(clocks) * bins)[:, np.newaxis]
    return np.cumsum(np.bincount(places.ravel(), minlength=clocks * bins).reshape(clocks, bins), axis=1)


def _ranges(first: Index, last: Index) -> tuple[Index, Index]:
    """All numbers ``first:last`` of each of K pairs, as (which pair, which number)."""
    lengths = np.maximum(last - first, 0)
    pair = np.repeat(np.arange(lengths.size), lengths)
    begins = np.cumsum(lengths) - lengths
    return pair, np.arange(pair.size) - begins[pair] + first[pair]
