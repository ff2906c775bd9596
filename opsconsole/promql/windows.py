"""Windows: the samples of every series in ``(t - w, t]``, for all instants t at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Block, Mask, Timestamps, Values, is_sample, is_stale

Index = NDArray[np.intp]
Cell = TypeVar("Cell", bound=np.generic)


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
    found: NDArray[Cell] = np.take_along_axis(np.broadcast_to(rows, (len(index), rows.shape[1])), index, axis=1)
    return found


def over(block: Block, ends_ms: Timestamps, window_ms: int, function: RangeFunction) -> tuple[Values, Mask]:
    """(values, present) of shape [S, T]: the function over the windows that end at each of ``ends_ms``.

    Rows without a gap share their windows.  Rows with gaps are computed again, each with its own.
    """
    shared = _shared(block, ends_ms, window_ms)
    values, present = _full(function(shared), len(block.labels))
    sampled = is_sample(block.values)
    sparse = np.flatnonzero(~sampled.all(axis=1))
    if sparse.size:
        values, present = np.array(values), np.array(present)
        values[sparse], present[sparse] = function(_compacted(shared, sparse, sampled[sparse]))
    return values, present


def latest(block: Block, at_ms: Timestamps, lookback_ms: int) -> tuple[Values, Mask, Timestamps]:
    """(values, present, timestamps) of the newest sample in ``(t - lookback, t]``; [S, T] each, the last one [1 or S, T].

    Where a series was ended, what came before does not count; where nothing is known of it, the sample before does.
    """
    newest = np.searchsorted(block.timestamps, at_ms, side="right") - 1
    cell = np.maximum(newest, 0)
    values, timestamps = block.values[:, cell], block.timestamps[cell][np.newaxis]
    recent = (newest >= 0) & (timestamps > at_ms - lookback_ms)
    present = is_sample(values) & recent
    unknown = recent & ~present
    if unknown.any():
        rows = np.flatnonzero((unknown & ~is_stale(values)).any(axis=1))
        if rows.size:
            values[rows], present[rows], taken = _looked_back(block, rows, newest, at_ms - lookback_ms)
            timestamps = np.repeat(timestamps, len(values), axis=0)
            timestamps[rows] = taken
    return values, present, timestamps


def _looked_back(block: Block, rows: Index, newest: Index, after_ms: Timestamps) -> tuple[Values, Mask, Timestamps]:
    """Of ``rows``, the newest cell up to ``newest`` of which something is known; as ``latest``."""
    values = block.values[rows]
    known = is_sample(values) | is_stale(values)
    before = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), -1), axis=1)
    cell = np.where(newest >= 0, before[:, np.maximum(newest, 0)], -1)
    found = cells(values, np.maximum(cell, 0))
    taken = block.timestamps[np.maximum(cell, 0)]
    return found, is_sample(found) & (cell >= 0) & (taken > after_ms), taken


def _shared(block: Block, ends_ms: Timestamps, window_ms: int) -> Windows:
    starts_ms = ends_ms - window_ms
    lo = np.searchsorted(block.timestamps, starts_ms, side="right")
    hi = np.searchsorted(block.timestamps, ends_ms, side="right")
    return Windows(block.timestamps[np.newaxis], block.values, lo[np.newaxis], hi[np.newaxis], starts_ms, ends_ms)


def _compacted(shared: Windows, rows: Index, sampled: Mask) -> Windows:
    """The windows of these rows, with the samples of each moved together and the gaps to the end."""
    order = np.argsort(~sampled, axis=1, kind="stable")
    before = np.zeros((len(rows), sampled.shape[1] + 1), dtype=np.intp)  # samples before each cell
    np.cumsum(sampled, axis=1, out=before[:, 1:])
    return Windows(
        shared.timestamps[0][order],
        np.take_along_axis(shared.values[rows], order, axis=1),
        before[:, shared.lo[0]],
        before[:, shared.hi[0]],
        shared.starts_ms,
        shared.ends_ms,
    )


def _full(result: tuple[Values, Mask], series: int) -> tuple[Values, Mask]:
    values, present = result
    shape = (series, values.shape[1])
    return np.broadcast_to(values, shape), np.broadcast_to(present, shape)
