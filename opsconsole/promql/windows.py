"""Windows: the samples of every series in ``(t - w, t]``, for all instants t at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Mask, Timestamps, Values, is_sample, is_stale
from opsconsole.series.stack import Index, Stack

from .ticks import Ticks, reached

Cell = TypeVar("Cell", bound=np.generic)

_ROWS = 512  # worked on at a time: their cells stay in the processor's cache
_WORTH = 8_192  # results that a clock has to have on average, to be worth a turn of its own


@dataclass(frozen=True, slots=True)
class Windows:
    """T windows over the samples of S series, none of which is missing.

    ``timestamps``: int64[1 or S, P], Unix milliseconds, ascending in each row.  ``values``: float64[S, P].
    ``lo``, ``hi``: intp[1 or S, T]; the window is cells ``lo:hi``, empty where they are equal.
    ``starts_ms``, ``ends_ms``: int64[T]; what was asked for, ``(start, end]``.  ``seconds``: how long they are.

    Height 1 says that all series share the row: the usual case, in which windows cost nothing per series.
    """

    timestamps: Timestamps
    values: Values
    lo: Index
    hi: Index
    starts_ms: Timestamps
    ends_ms: Timestamps

    @property
    def count(self) -> Index:
        return self.hi - self.lo

    @property
    def seconds(self) -> float:
        return float(self.ends_ms[0] - self.starts_ms[0]) / 1000

    @property
    def first(self) -> Index:
        """The first cell of each window; any valid cell where the window is empty."""
        first: Index = np.minimum(self.lo, self.values.shape[1] - 1)
        return first

    @property
    def last(self) -> Index:
        last: Index = np.maximum(self.hi - 1, 0)
        return last


RangeFunction = Callable[[Windows], tuple[Values, Mask]]
"""From windows to (values, present), each of shape [1 or S, T]."""


def cells(rows: NDArray[Cell], index: NDArray[Any]) -> NDArray[Cell]:
    """``rows[s, index[s, t]]`` for every s and t; an index or rows of height 1 serve every row."""
    if index.shape[0] == 1:
        return rows[:, index[0]]
    if rows.shape[0] == 1:
        picked: NDArray[Cell] = rows[0][index]
        return picked
    # Addressed as one row: many times faster than numpy's own way to take along an axis.
    begin = np.arange(0, rows.size, rows.shape[1])[:, np.newaxis]
    return rows.reshape(-1).take(index + begin)


def over(
    stack: Stack,
    ends_ms: Timestamps,
    window_ms: int,
    function: RangeFunction,
    check: Callable[[], None] = lambda: None,
) -> tuple[Values, Mask]:
    """(values, present) of shape [S, T]: the function over the windows that end at each of ``ends_ms``.

    Series without a gap share the windows of their clock.  Series with gaps have windows of their own.
    ``check`` is called now and then, and may raise to stop the work.
    """
    return over_ticks(stack, Ticks.of(stack, ends_ms, window_ms), function, check)


def over_ticks(stack: Stack, ticks: Ticks, function: RangeFunction, check: Callable[[], None]) -> tuple[Values, Mask]:
    """As ``over``, where it is known which columns lie in the windows."""
    gapped = stack.traits.last_gap >= ticks.lo[stack.clock, 0]
    shape = len(stack.labels), ticks.ends_ms.size
    values, present = np.empty(shape), np.empty(shape, dtype=bool)
    for part, windows in _parts(stack, ticks, gapped):
        check()
        values[part], present[part] = function(windows)
    return values, present


def latest(stack: Stack, at_ms: Timestamps, lookback_ms: int) -> tuple[Values, Mask, Timestamps]:
    """(values, present, timestamps) of the newest sample in ``(t - lookback, t]``, [S, T] each.

    Where a series was ended, what came before does not count; where nothing is known of it, the sample before does.
    """
    newest = reached(stack.clocks, at_ms) - 1  # [N, T]
    cell = np.maximum(newest, 0)
    taken = cells(stack.clocks, cell)
    recent = (newest >= 0) & (taken > at_ms - lookback_ms)
    for number, ends in stack.ends.items():
        recent[number] &= ~_ended(ends, at_ms, taken[number])
    if at_ms.size == 1:
        values = stack.cells[stack.rows, cell[stack.clock, 0]][:, np.newaxis]
    else:
        values = np.empty((len(stack.labels), at_ms.size))
        for part, clock in _by_clock(stack, at_ms.size):
            values[part] = cells(stack.cells[stack.rows[part]], cell[clock])
    timestamps, recent = taken[stack.clock], recent[stack.clock]
    present = is_sample(values) & recent
    unknown = recent & ~present
    if unknown.any():
        rows = np.flatnonzero((unknown & ~is_stale(values)).any(axis=1))
        if rows.size:
            values[rows], present[rows], timestamps[rows] = _looked_back(
                stack, rows, np.where(recent, newest[stack.clock], -1)[rows], at_ms, lookback_ms
            )
    return values, present, timestamps


def _looked_back(
    stack: Stack, series: Index, newest: Index, at_ms: Timestamps, lookback_ms: int
) -> tuple[Values, Mask, Timestamps]:
    """Of some series, the newest cell up to ``newest`` of which something is known; as ``latest``."""
    values, clock = stack.cells[stack.rows[series]], stack.clock[series]
    known = is_sample(values) | is_stale(values)
    before = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), -1), axis=1)
    cell = np.where(newest >= 0, cells(before, np.maximum(newest, 0)), -1)
    found = cells(values, np.maximum(cell, 0))
    taken = cells(stack.clocks[clock], np.maximum(cell, 0))
    present = is_sample(found) & (cell >= 0) & (taken > at_ms - lookback_ms)
    for number, ends in stack.ends.items():
        mine = np.flatnonzero(clock == number)
        present[mine] &= ~_ended(ends, at_ms, taken[mine])
    return found, present, taken


def _ended(ends: Timestamps, at_ms: Timestamps, taken: Timestamps) -> Mask:
    """Whether one of ``ends`` lies behind the samples ``taken`` [..., T] and up to ``at_ms`` [T]."""
    last = np.searchsorted(ends, at_ms, side="right") - 1
    ended: Mask = (last >= 0) & (ends[np.maximum(last, 0)] > taken)
    return ended


def _by_clock(stack: Stack, instants: int) -> Iterator[tuple[slice, slice | Index]]:
    """(series, their clocks): a clock at a time where that is much work, else many series, each with its clock."""
    if len(stack.clocks) == 1 or len(stack.labels) * instants >= _WORTH * len(stack.clocks):
        for number, (first, last) in enumerate(zip(stack.bounds[:-1].tolist(), stack.bounds[1:].tolist(), strict=True)):
            if first < last:
                yield slice(first, last), slice(number, number + 1)
        return
    rows = max(_ROWS, _WORTH // instants)
    for first in range(0, len(stack.labels), rows):
        part = slice(first, first + rows)
        yield part, stack.clock[part]


def _parts(stack: Stack, ticks: Ticks, gapped: Mask) -> Iterator[tuple[Index, Windows]]:
    for part, clock in _by_clock(stack, ticks.ends_ms.size):
        whole = np.flatnonzero(~gapped[part])
        if whole.size:
            mine = clock if isinstance(clock, slice) else clock[whole]
            series = whole + part.start
            yield series, ticks.windows(stack.cells, stack.rows[series], mine)
    holes = np.flatnonzero(gapped)
    for first in range(0, holes.size, _ROWS):
        series = holes[first : first + _ROWS]
        yield series, compacted(stack, ticks, series)


def compacted(stack: Stack, ticks: Ticks, series: Index) -> Windows:
    """The windows of these series, with the samples of each moved together and the gaps to the end."""
    clock = stack.clock[series]
    values = stack.cells[stack.rows[series]]
    sampled = is_sample(values)
    order = np.argsort(~sampled, axis=1, kind="stable")
    before = np.zeros((len(series), sampled.shape[1] + 1), dtype=np.intp)  # samples before each cell
    np.cumsum(sampled, axis=1, out=before[:, 1:])
    return Windows(
        cells(stack.clocks[clock], order),
        cells(values, order),
        cells(before, ticks.lo[clock]),
        cells(before, ticks.hi[clock]),
        ticks.starts_ms,
        ticks.ends_ms,
    )
