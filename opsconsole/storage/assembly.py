"""From rows of the store to blocks: whole targets at a time, nothing per series but its labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Block, Timestamps, Values
from opsconsole.series.labels import Labels

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """N samples sorted by series and time: ``ids`` uint64[N], ``timestamps`` int64[N], ``values`` float64[N]."""

    ids: NDArray[np.uint64]
    timestamps: Timestamps
    values: Values


@dataclass(frozen=True, slots=True)
class Wanted:
    """S series by ascending id: ``ids`` uint64[S], ``labels``, and ``targets`` intp[S], a number for each target."""

    ids: NDArray[np.uint64]
    labels: Sequence[Labels]
    targets: Index


def blocks(wanted: Wanted, rows: Rows) -> Iterator[Block]:
    """One block a target; series without a sample are left out, and so are rows of series that nobody wants."""
    if not rows.ids.size:
        return
    starts = np.flatnonzero(np.append(True, rows.ids[1:] != rows.ids[:-1]))
    lengths = np.diff(np.append(starts, rows.ids.size))
    found = rows.ids[starts]
    series = np.minimum(np.searchsorted(wanted.ids, found), wanted.ids.size - 1)
    mine = wanted.ids[series] == found
    starts, lengths, series = starts[mine], lengths[mine], series[mine]
    if not series.size:
        return
    by_target = np.argsort(wanted.targets[series], kind="stable")
    starts, lengths, series = starts[by_target], lengths[by_target], series[by_target]
    targets = wanted.targets[series]
    bounds = [*np.flatnonzero(np.append(True, targets[1:] != targets[:-1])).tolist(), targets.size]
    numbers = series.tolist()
    for first, last in pairwise(bounds):
        labels = tuple([wanted.labels[number] for number in numbers[first:last]])
        yield _block(labels, rows, starts[first:last], lengths[first:last])


def _block(labels: Sequence[Labels], rows: Rows, starts: Index, lengths: Index) -> Block:
    """Series that have every timestamp of the longest one are copied as they are; the others cell by cell."""
    longest = int(lengths.argmax())
    points = int(lengths[longest])
    timestamps = rows.timestamps[starts[longest] : starts[longest] + points]
    if (timestamps[1:] == timestamps[:-1]).any():  # an instant that was stored twice
        timestamps = np.unique(timestamps)
        points = 0  # so that none is copied as it is
    whole = np.flatnonzero(lengths == points)
    cells = starts[whole, np.newaxis] + np.arange(timestamps.size)
    shared = (rows.timestamps[cells] == timestamps).all(axis=1)
    whole, cells = whole[shared], cells[shared]
    if whole.size == lengths.size:
        return Block(labels, timestamps, rows.values[cells])
    partial = np.ones(lengths.size, dtype=bool)
    partial[whole] = False
    each = lengths[partial]
    index = np.repeat(starts[partial] - (np.cumsum(each) - each), each) + np.arange(each.sum())
    taken = rows.timestamps[index]
    own = np.setdiff1d(taken, timestamps)
    columns: Index = np.arange(timestamps.size)
    if own.size:
        every = np.union1d(timestamps, own)
        columns = np.searchsorted(every, timestamps)
        timestamps = every
    values = np.full((lengths.size, timestamps.size), np.nan)
    values[whole[:, np.newaxis], columns] = rows.values[cells]
    values[np.repeat(np.flatnonzero(partial), each), np.searchsorted(timestamps, taken)] = rows.values[index]
    return Block(labels, timestamps, values)
