"""Series that get their samples at the same instants, whoever sends them: a matrix that grows in both directions.

Samples of one instant come in several requests, so cells may be filled after their column was published: one 64-bit
store each.  Whatever else changes a published cell happens in new arrays, which are published when they are complete.
So readers need no lock and no copy, and never see half of what one commit brought a series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Block, Mask, Timestamps, Values, is_sample, is_stale
from opsconsole.series.labels import Labels, LabelSets
from opsconsole.series.matcher import Matcher
from opsconsole.series.stack import Index

from .layout import Layout

Rows = slice | Index

_RHYTHM = 16  # columns that show at which instants a series gets its samples
_REGULAR = 0.6  # a series that belongs here has samples in this share of them


@dataclass(frozen=True, slots=True)
class View:
    """What a reader sees of a sheet."""

    layout: Layout
    timestamps: Timestamps
    values: Values


class Sheet:
    """``numbers[r]``: whose row r is.  One writer at a time."""

    def __init__(self) -> None:
        self.numbers: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._timestamps: Timestamps = np.empty(0, dtype=np.int64)
        self._values: Values = np.empty((0, 0))
        self._start = self._stop = 0  # live columns are [_start, _stop)
        self.view = View(_layout(()), self._timestamps, self._values)

    @classmethod
    def of(cls, numbers: NDArray[np.int64], block: Block) -> Sheet:
        """A sheet that begins with ``block``, whose rows have ``numbers``."""
        sheet = cls()
        sheet.numbers = numbers
        sheet._values, sheet._timestamps = block.values, block.timestamps
        sheet._stop = len(block.timestamps)
        sheet._publish(_layout(block.labels))
        return sheet

    @property
    def series(self) -> int:
        return len(self.numbers)

    @property
    def columns(self) -> int:
        return self._stop - self._start

    @property
    def memory_bytes(self) -> int:
        return self._values.nbytes + self._timestamps.nbytes

    @property
    def newest_ms(self) -> int:
        return int(self._timestamps[self._stop - 1]) if self.columns else -1

    def instant_of(self, column: int) -> int:
        return int(self._timestamps[self._start + column])

    def has(self, instant_ms: int) -> bool:
        """Whether some series got a sample then."""
        axis = self.view.timestamps
        column = int(axis.searchsorted(instant_ms))
        return column < len(axis) and int(axis[column]) == instant_ms

    def older_than(self, timestamp_ms: int) -> int:
        """How many columns are not newer than ``timestamp_ms``."""
        return int(np.searchsorted(self.view.timestamps, timestamp_ms, side="right"))

    def cells(self, rows: NDArray[np.int64], timestamps: Timestamps) -> Values:
        """float64[N]: what is known of ``rows[i]`` at ``timestamps[i]``; NaN for nothing."""
        found = np.full(len(rows), np.nan)
        if self.columns:
            axis = self.view.timestamps
            column = np.minimum(np.searchsorted(axis, timestamps), len(axis) - 1)
            there = axis[column] == timestamps
            found[there] = self.view.values[rows[there], column[there]]
        return found

    def add_rows(self, numbers: NDArray[np.int64], labels: Sequence[Labels]) -> NDArray[np.int64]:
        """Rows for new series; where they are."""
        first = self.series
        if first + len(numbers) > len(self._values):
            self._move(self.view.timestamps, rows=first + len(numbers))
        self._values[first : first + len(numbers), self._start : self._stop] = np.nan
        self.numbers = np.concatenate([self.numbers, numbers])
        self._publish(_layout((*self.view.layout.labels, *labels)))
        return np.arange(first, self.series)

    def write(self, rows: NDArray[np.int64], timestamps: Timestamps, values: Values) -> None:
        """Fill cells of which nothing is known yet: ``values[i]`` of ``rows[i]`` at ``timestamps[i]``, each cell once."""
        instants = np.unique(timestamps)
        ahead = instants[instants > self.newest_ms]
        published = timestamps <= self.newest_ms
        missing = np.setdiff1d(instants[: len(instants) - len(ahead)], self.view.timestamps, assume_unique=True)
        if len(missing) or (published.any() and np.bincount(rows[published]).max() > 1):
            self._move(np.union1d(self.view.timestamps, instants))
        elif len(ahead):
            if self._stop + len(ahead) > len(self._timestamps):
                self._move(self.view.timestamps, columns=len(ahead))
            self._timestamps[self._stop : self._stop + len(ahead)] = ahead
            self._values[:, self._stop : self._stop + len(ahead)] = np.nan
            self._stop += len(ahead)
        axis = self._timestamps[self._start : self._stop]
        self._values[rows, self._start + np.searchsorted(axis, timestamps)] = values
        self._publish(self.view.layout)

    def drop_oldest(self, columns: int) -> None:
        """Forget columns; their memory is given back when the sheet next moves."""
        self._start += columns
        self._publish(self.view.layout)

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Forget all other rows, and the instants that these know nothing of; into arrays that fit."""
        values = self.view.values[rows]
        columns = _known(values).any(axis=0)
        self.numbers = self.numbers[rows]
        labels = self.view.layout.labels
        self._values, self._timestamps = values[:, columns], self.view.timestamps[columns]
        self._start, self._stop = 0, int(columns.sum())
        self._publish(_layout(tuple(labels[row] for row in rows.tolist())))

    def misfits(self) -> NDArray[np.int64]:
        """Rows that get their samples at other instants than most here, but at the same ones as each other."""
        if self.columns < 2 * _RHYTHM or self.series < 2:
            return np.empty(0, dtype=np.int64)
        recent = _known(self.view.values[:, -2 * _RHYTHM :])
        settled = recent[:, :_RHYTHM].any(axis=1) & recent[:, -_RHYTHM:].any(axis=1)
        share = recent[:, -_RHYTHM:].mean(axis=1)
        seldom = np.flatnonzero(settled & (share < _REGULAR))
        if not len(seldom):
            return seldom
        pattern = recent[seldom[0], -_RHYTHM:]
        alike = (recent[seldom, -_RHYTHM:] != pattern).sum(axis=1) <= 2
        rows: NDArray[np.int64] = seldom[alike]
        return rows if len(rows) < self.series else rows[:0]

    def split(self, rows: NDArray[np.int64]) -> Sheet:
        """Move ``rows`` into a sheet of their own."""
        labels = self.view.layout.labels
        block = Block(tuple(labels[row] for row in rows.tolist()), self.view.timestamps, self.view.values[rows])
        apart = Sheet.of(self.numbers[rows], block)
        apart.keep(np.arange(len(rows)))
        return apart

    def _move(self, axis: Timestamps, *, rows: int = 0, columns: int = 0) -> None:
        """Into new arrays over the instants ``axis``, with a share of room in both directions.  Publishes nothing."""
        height = max(rows, self.series)
        width = len(axis) + columns
        values = np.full((height + height // 8 + 1, width + width // 4 + _RHYTHM), np.nan)
        values[: self.series, np.searchsorted(axis, self.view.timestamps)] = self.view.values
        timestamps = np.empty(values.shape[1], dtype=np.int64)
        timestamps[: len(axis)] = axis
        self._values, self._timestamps = values, timestamps
        self._start, self._stop = 0, len(axis)

    def _publish(self, layout: Layout) -> None:
        live = slice(self._start, self._stop)
        self.view = View(layout, self._timestamps[live], self._values[: len(layout.labels), live])


def _layout(labels: Sequence[Labels]) -> Layout:
    return Layout(labels, np.zeros(len(labels), dtype=np.int64), 1)


def _known(values: Values) -> Mask:
    return is_sample(values) | is_stale(values)


def rows_of(layout: Layout, matchers: tuple[Matcher, ...]) -> tuple[Rows, LabelSets] | None:
    """The rows and their labels; a slice where the rows are neighbours, which needs no copy."""
    picked = layout.pick(matchers)
    if picked is None:
        return None
    first, last = int(picked.rows[0]), int(picked.rows[-1])
    return slice(first, last + 1) if last - first + 1 == len(picked.rows) else picked.rows, picked.labels
