"""One target's recent samples: a matrix that grows by a column a scrape and by a row a new series.

Cells that were published are never written again: a new column or row lies outside every view handed out before, and
whatever must move is moved into new arrays.  So readers need no lock and no copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import STALE, Block, Timestamps, Values, is_sample
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.matcher import Matcher, Operator, select

_SELECTIONS = 1024  # kept per layout; a page asks for dozens

Rows = slice | NDArray[np.intp]


class Layout:
    """The series of the rows, and which of them each question means: answered once per layout."""

    def __init__(self, labels: tuple[Labels, ...]) -> None:
        self.labels = labels
        self._by_metric: dict[str, list[int]] = {}
        for row, one in enumerate(labels):
            self._by_metric.setdefault(one.metric, []).append(row)
        self._selections: dict[tuple[Matcher, ...], tuple[Rows, tuple[Labels, ...]] | None] = {}

    def pick(self, matchers: tuple[Matcher, ...]) -> tuple[Rows, tuple[Labels, ...]] | None:
        """The rows that ``matchers`` mean, and their labels; None for none.  A slice where the rows are neighbours."""
        try:
            return self._selections[matchers]
        except KeyError:
            pass
        rows = [row for row in self._candidates(matchers) if select(self.labels[row], matchers)]
        found: tuple[Rows, tuple[Labels, ...]] | None = None
        if rows:
            neighbours = rows[-1] - rows[0] + 1 == len(rows)
            chosen = slice(rows[0], rows[-1] + 1) if neighbours else np.array(rows, dtype=np.intp)
            found = chosen, tuple(self.labels[row] for row in rows)
        if len(self._selections) >= _SELECTIONS:
            self._selections.clear()
        self._selections[matchers] = found
        return found

    def _candidates(self, matchers: tuple[Matcher, ...]) -> Sequence[int]:
        for matcher in matchers:
            if matcher.name == METRIC_NAME and matcher.operator is Operator.EQUAL:
                return self._by_metric.get(matcher.value, [])
        return range(len(self.labels))


@dataclass(frozen=True, slots=True)
class View:
    """What a reader sees: immutable."""

    layout: Layout
    timestamps: Timestamps
    values: Values

    def select(self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int) -> Block | None:
        first, last = np.searchsorted(self.timestamps, (start_ms, end_ms), side="right")
        if first == last:
            return None
        picked = self.layout.pick(matchers)
        if picked is None:
            return None
        rows, labels = picked
        return Block(labels, self.timestamps[first:last], self.values[rows, first:last])


@dataclass(slots=True)
class TargetMatrix:
    """Rows are series, columns are scrapes; a series that is missing from a scrape has ended there.  One writer at a time."""

    _index: dict[Labels, int] = field(default_factory=dict)
    _timestamps: Timestamps = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _values: Values = field(default_factory=lambda: np.empty((0, 0)))
    _start: int = 0  # live columns are [_start, _stop)
    _stop: int = 0
    _current: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))  # rows of the last scrape
    view: View = field(default_factory=lambda: View(Layout(()), np.empty(0, dtype=np.int64), np.empty((0, 0))))

    @classmethod
    def of(cls, block: Block) -> TargetMatrix:
        """A matrix that begins with ``block``."""
        matrix = cls({labels: row for row, labels in enumerate(block.labels)}, block.timestamps, block.values)
        matrix._stop = len(block.timestamps)
        matrix._current = np.flatnonzero(is_sample(block.values[:, -1]))
        matrix.view = View(Layout(tuple(block.labels)), block.timestamps, block.values)
        return matrix

    def __contains__(self, labels: Labels) -> bool:
        return labels in self._index

    @property
    def series(self) -> int:
        return len(self._index)

    @property
    def columns(self) -> int:
        return self._stop - self._start

    @property
    def memory_bytes(self) -> int:
        return self._values.nbytes + self._timestamps.nbytes

    @property
    def oldest_ms(self) -> int:
        return int(self._timestamps[self._start])

    @property
    def newest_ms(self) -> int:
        return int(self._timestamps[self._stop - 1]) if self._stop else -1

    def arrange(self, labels: Sequence[Labels]) -> Sequence[Labels]:
        """Say which series the next columns hold, in this order; the answer are those that end with the next one."""
        known = np.array([self._index[one] for one in labels if one in self._index], dtype=np.intp)
        new = len(labels) - len(known)
        if len(self._index) + new > len(self._values):
            self._reallocate(keep=known, room=new)
        first_new = len(self._index)
        for one in labels:
            self._index.setdefault(one, len(self._index))
        if new:
            self._values[first_new : len(self._index), self._start : self._stop] = np.nan
            self._publish(Layout(tuple(self._index)))
        rows = np.fromiter((self._index[one] for one in labels), dtype=np.intp, count=len(labels))
        ended = np.setdiff1d(self._current, rows)
        self._current = rows
        return [self.view.layout.labels[row] for row in ended]

    def push(self, timestamp_ms: int, values: NDArray[np.float64]) -> None:
        """Add a column: ``values`` of the series last arranged; the others have ended."""
        if self._stop == len(self._timestamps):
            self._reallocate()
        self._timestamps[self._stop] = timestamp_ms
        self._values[: len(self._index), self._stop] = STALE
        self._values[self._current, self._stop] = values
        self._stop += 1
        self._publish(self.view.layout)

    def older_than(self, timestamp_ms: int) -> int:
        """How many columns are not newer than ``timestamp_ms``."""
        live = self._timestamps[self._start : self._stop]
        return int(np.searchsorted(live, timestamp_ms, side="right"))

    def instant_of(self, column: int) -> int:
        return int(self._timestamps[self._start + column])

    def drop_oldest(self, columns: int) -> None:
        """Forget columns; their memory is given back when the matrix next moves."""
        self._start += columns
        self._publish(self.view.layout)

    def compact(self) -> None:
        """Move into arrays that fit, without the series that have no sample left."""
        self._reallocate()

    def _reallocate(self, *, keep: NDArray[np.intp] | None = None, room: int = 0) -> None:
        """Into new arrays with a share of room, so that growing costs a constant part of a scrape.

        Series without a live sample are left behind, but for the rows of the last scrape and of ``keep``; ``room`` more
        rows will be needed.
        """
        live = self._values[: len(self._index), self._start : self._stop]
        kept: NDArray[np.bool_] = np.logical_or.reduce(is_sample(live), axis=1)
        kept[self._current] = True
        if keep is not None:
            kept[keep] = True
        layout = self.view.layout
        if not kept.all():
            self._current = (np.cumsum(kept) - 1)[self._current]
            layout = Layout(tuple(labels for labels, row in self._index.items() if kept[row]))
            self._index = {labels: row for row, labels in enumerate(layout.labels)}
            live = live[kept]
        series, columns = live.shape
        values = np.empty((series + room + (series + room) // 8 + 8, columns + columns // 4 + 64))
        values[:series, :columns] = live
        timestamps = np.empty(values.shape[1], dtype=np.int64)
        timestamps[:columns] = self._timestamps[self._start : self._stop]
        self._values, self._timestamps = values, timestamps
        self._start, self._stop = 0, columns
        self._publish(layout)

    def _publish(self, layout: Layout) -> None:
        self.view = View(
            layout,
            self._timestamps[self._start : self._stop],
            self._values[: len(layout.labels), self._start : self._stop],
        )
