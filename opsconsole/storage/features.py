"""What a slab remembers of its rows, so that queries need not look at every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsconsole.series.block import Mask, Values, is_sample
from opsconsole.series.stack import Index, Resets

_FALLS = 8  # a series that fell more often is no counter; its falls are found by looking
_WHOLE = 2.0**40  # sums of thousands of whole numbers below this are exact


@dataclass(slots=True)
class Features:
    """Of R rows: ``last_gap`` intp, the last column without a sample; ``last`` float64, the newest sample; ``whole`` bool, all
    samples are whole numbers; ``falls`` int32, how often a sample was lower than the one before, or too often to count where
    one was negative or not finite.

    Written in place while others read: a reader that sees a column later than it asked for takes a slower way, no wrong one.
    """

    last_gap: Index
    last: Values
    whole: Mask
    falls: np.ndarray
    resets: Resets

    @classmethod
    def empty(cls, rows: int) -> Features:
        return cls(
            np.full(rows, -1, np.intp),
            np.full(rows, np.nan),
            np.ones(rows, dtype=bool),
            np.zeros(rows, np.int32),
            Resets.none(),
        )

    @property
    def erratic(self) -> Mask:
        erratic: Mask = self.falls > _FALLS
        return erratic

    def begin(self, rows: slice, last_gap: int) -> None:
        """New rows, of which nothing is known up to ``last_gap``."""
        self.last_gap[rows] = last_gap

    def note(self, rows: Index, column: int, values: Values) -> None:
        """A new column: ``values`` of ``rows``."""
        before = self.last[rows]
        fell = np.flatnonzero(values < before)
        if fell.size:
            self.falls[rows[fell]] += 1
            fell = fell[self.falls[rows[fell]] <= _FALLS]
            self._add(Resets(rows[fell], np.full(fell.size, column), before[fell]))
        broken = _broken(values)
        if broken.any():
            self.whole[rows[broken]] = False
        if (odd := _odd(values)).any():
            self.falls[rows[odd]] = _FALLS + 1
        self.last[rows] = values

    def read(self, cells: Values, rows: Index, start: int, stop: int) -> None:
        """Find out anew, from the cells ``start:stop`` of ``rows``."""
        if start == stop or not rows.size:
            self.last_gap[rows] = stop - 1
            return
        values = cells[rows, start:stop]
        sampled = is_sample(values)
        gap = ~sampled
        self.last_gap[rows] = np.where(gap.any(axis=1), stop - 1 - gap[:, ::-1].argmax(axis=1), -1)
        self.whole[rows] = ~(_broken(values) & sampled).any(axis=1)
        odd = (_odd(values) & sampled).any(axis=1)
        gapped = np.flatnonzero(gap.any(axis=1))
        if gapped.size:  # a gap repeats the sample before it, so that nothing falls in it
            newest = np.maximum.accumulate(np.where(sampled[gapped], np.arange(stop - start), 0), axis=1)
            values[gapped] = np.take_along_axis(values[gapped], newest, axis=1)
        self.last[rows] = values[:, -1]
        row, column = np.nonzero(values[:, 1:] < values[:, :-1])
        self.falls[rows] = np.bincount(row, minlength=rows.size)
        self.falls[rows[odd]] = _FALLS + 1
        few = self.falls[rows[row]] <= _FALLS
        row, column = row[few], column[few]
        if row.size:
            self._add(Resets(rows[row], column + 1 + start, values[row, column]))

    def alive(self, cells: Values, rows: Index, start: int, stop: int) -> Mask:
        """bool: which of ``rows`` hold a sample in the cells ``start:stop``."""
        alive: Mask = np.logical_or.reduce(is_sample(cells[rows, start:stop]), axis=1)
        return alive

    def _add(self, new: Resets) -> None:
        """Into new arrays: a reader keeps those it has."""
        if new.row.size:
            old = self.resets
            self.resets = Resets(
                np.concatenate([old.row, new.row]),
                np.concatenate([old.column, new.column]),
                np.concatenate([old.lost, new.lost]),
            )


def _broken(values: Values) -> Mask:
    """Which are no whole numbers that add up exactly."""
    with np.errstate(invalid="ignore"):
        broken: Mask = np.not_equal(values - np.floor(values), 0) | (np.abs(values) > _WHOLE)
    return broken


def _odd(values: Values) -> Mask:
    """What no counter says."""
    return ~((values >= 0) & (values < np.inf))
