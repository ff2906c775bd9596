"""Slabs: the recent samples of some targets in one matrix, which grows by a column a scrape and a row a new series.

A target ticks by its own clock, and all clocks of a slab have about as many columns, so that a query works on whole
slabs and not on targets: with many small targets that is what it would spend its time on.

Cells that were published are never written again: a new column or row lies outside what a clock or a layout says there
is, and whatever must move is moved into new arrays.  So readers need no lock and no copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import STALE, Mask, Timestamps, Values
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher
from opsconsole.series.stack import BEFORE, NEVER, Answers, Index, Resets, Stack

from .features import Features
from .layout import Layout, Picked

_FIRST_ROWS = 256
_FIRST_COLUMNS = 64


@dataclass(slots=True, eq=False)
class Track:
    """Series of one target that tick together.

    ``number``: its row in the clocks.  Its columns are ``start:stop``.  ``rows``: all of its rows; ``current``: those of
    the last scrape, in its order; ``missing``: the others, which have ended.  A ``dropped`` one goes with the next move.
    """

    number: int
    start: int
    stop: int
    rows: Index = field(default_factory=lambda: np.empty(0, np.intp))
    current: Index = field(default_factory=lambda: np.empty(0, np.intp))
    missing: Index = field(default_factory=lambda: np.empty(0, np.intp))
    dropped: bool = False

    @property
    def columns(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class View:
    """What a reader sees of a slab."""

    layout: Layout
    cells: Values
    clocks: Timestamps
    features: Features
    ends: Mapping[int, Timestamps]
    answers: Answers

    def select(self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int) -> Stack | None:
        """The series that ``matchers`` mean with their samples in (start_ms, end_ms], and perhaps some around them."""
        picked = self.layout.pick(matchers)
        if picked is None:
            return None
        clocks = self.clocks if picked.clocks is None else self.clocks[picked.clocks]
        first, last = _reached(clocks, start_ms), _reached(clocks, end_ms)
        if not (first < last).any():
            return None
        columns = slice(int(first.min()), int(last.max()))
        return Stack(
            picked.labels,
            clocks[:, columns],
            picked.clock,
            self.cells[:, columns],
            picked.rows,
            self._ends(picked),
            _Known(self.features, picked, columns),
            self.answers,
            (picked.which, columns.start, columns.stop),
        )

    def _ends(self, picked: Picked) -> Mapping[int, Timestamps]:
        if not self.ends or picked.clocks is None:
            return self.ends
        return {local: self.ends[clock] for local, clock in enumerate(picked.clocks.tolist()) if clock in self.ends}


def _reached(clocks: Timestamps, at_ms: int) -> Index:
    """intp[N]: how many columns of each clock are not later."""
    counts: Index = np.add.reduce(clocks <= at_ms, axis=1, dtype=np.intp)
    return counts


@dataclass(frozen=True, slots=True)
class _Known:
    """``Traits`` of a selection, kept up by the slab: the columns count from where the selection begins."""

    features: Features
    picked: Picked
    columns: slice

    @property
    def last_gap(self) -> Index:
        last_gap: Index = self.features.last_gap[self.picked.rows] - self.columns.start
        return last_gap

    @property
    def whole(self) -> Mask:
        return self.features.whole[self.picked.rows]

    @property
    def erratic(self) -> Mask:
        return self.features.erratic[self.picked.rows]

    @property
    def resets(self) -> Resets:
        resets = self.features.resets
        # The first column is compared with nothing: what fell there fell before the selection.
        inside = (resets.column > self.columns.start) & (resets.column < self.columns.stop)
        place = self.picked.place[resets.row[inside]]
        chosen = place >= 0
        row = place[chosen]
        order = np.argsort(row, kind="stable")
        column = resets.column[inside][chosen] - self.columns.start
        return Resets(row[order], column[order], resets.lost[inside][chosen][order])


class Slab:
    """One writer at a time; ``view`` is for everybody."""

    view: View

    def __init__(self) -> None:
        self._labels: list[Labels] = []
        self._row: dict[Labels, int] = {}
        self._clock = np.empty(_FIRST_ROWS, dtype=np.int64)  # of each row
        self._cells: Values = np.zeros((_FIRST_ROWS, _FIRST_COLUMNS))
        self._clocks: Timestamps = np.full((8, _FIRST_COLUMNS), NEVER)
        self._features = Features.empty(_FIRST_ROWS)
        self._tracks: list[Track] = []
        self._ends: dict[int, Timestamps] = {}
        self._publish(relaid=True)

    def __contains__(self, labels: Labels) -> bool:
        return labels in self._row

    @property
    def series(self) -> int:
        return len(self._labels)

    @property
    def memory_bytes(self) -> int:
        """Of the rows in use; memory behind them was never touched."""
        return 8 * int(len(self._labels) * self._cells.shape[1] + len(self._tracks) * self._clocks.shape[1])

    @property
    def columns(self) -> int:
        """Of the track that has most."""
        return max((track.columns for track in self._tracks), default=0)

    def track(self) -> Track:
        """A new track; it begins where the others are, so that their columns stay about as long ago as its own."""
        number = len(self._tracks)
        begin = max((track.stop for track in self._tracks), default=0)
        if number == len(self._clocks):
            self._clocks = np.concatenate([self._clocks, np.full_like(self._clocks, NEVER)])
        self._clocks[number, :begin] = BEFORE
        made = Track(number, begin, begin)
        self._tracks.append(made)
        self._publish(relaid=True)
        return made

    def instants(self, track: Track) -> Timestamps:
        return self._clocks[track.number, track.start : track.stop]

    def arrange(self, track: Track, labels: Sequence[Labels]) -> Sequence[Labels]:
        """Say which series the next columns of a track hold, in this order; the answer are those that end with the next one."""
        new = [one for one in labels if one not in self._row]
        if new:
            if len(self._labels) + len(new) > len(self._cells):
                self._move(self._cells.shape[1], room=len(new))
            self._add(track, new)
        rows = np.fromiter((self._row[one] for one in labels), dtype=np.intp, count=len(labels))
        ended = np.setdiff1d(track.current, rows)
        track.current = rows
        track.missing = np.setdiff1d(track.rows, rows)
        if new:
            self._publish(relaid=True)
        return [self._labels[row] for row in ended]

    def push(self, track: Track, timestamp_ms: int, values: NDArray[np.float64]) -> None:
        """Add a column: ``values`` of the series last arranged; the others of the track have ended."""
        if track.stop == self._cells.shape[1]:
            self._move(max(other.columns for other in self._tracks))
        column = track.stop
        self._cells[track.current, column] = values
        self._features.note(track.current, column, values)
        if track.missing.size:
            self._cells[track.missing, column] = STALE
            self._features.last_gap[track.missing] = column
        self._clocks[track.number, column] = timestamp_ms  # last: now readers see the column
        track.stop += 1

    def end(self, track: Track, timestamp_ms: int) -> Sequence[Labels]:
        """All series of a track end, without a column; the answer are those that had not yet."""
        ended = [self._labels[row] for row in track.current]
        if track.rows.size:
            before = self._ends.get(track.number, np.empty(0, np.int64))
            self._ends = {**self._ends, track.number: np.append(before, timestamp_ms)}
            track.current, track.missing = np.empty(0, np.intp), track.rows
            self._publish()
        return ended

    def load(
        self, track: Track, labels: Sequence[Labels], timestamps: Timestamps, values: Values, ends: Timestamps
    ) -> None:
        """Fill a new track with samples of the past; ``ends``: when all of its series ended.  ``compact`` must follow."""
        if len(self._labels) + len(labels) > len(self._cells) or len(timestamps) > self._cells.shape[1]:
            self._move(max(len(timestamps), self.columns), room=len(labels))
        track.start, track.stop = 0, len(timestamps)
        self._add(track, labels)
        self._clocks[track.number, : track.stop] = timestamps
        self._clocks[track.number, track.stop :] = NEVER
        self._cells[track.rows, : track.stop] = values
        if ends.size:
            self._ends = {**self._ends, track.number: ends}
        going_on = ~np.isnan(values[:, -1]) & ~(ends > timestamps[-1]).any()
        track.current, track.missing = track.rows[going_on], track.rows[~going_on]

    def forget(self, horizon_ms: int, columns: int) -> int:
        """Give back what is not newer than ``horizon_ms`` or more than ``columns`` columns a track; the newest instant
        that was forgotten, -1 when nothing was.
        """
        newest = -1
        for track in self._tracks:
            instants = self.instants(track)
            gone = max(int(np.searchsorted(instants, horizon_ms, side="right")), track.columns - columns)
            if gone > 0:
                newest = max(newest, int(instants[gone - 1]))
                track.start += gone
        return newest

    def compact(self) -> None:
        """Move into arrays that fit, without the series and the tracks that have nothing left."""
        self._move(max((track.columns for track in self._tracks), default=0))

    def _add(self, track: Track, new: Sequence[Labels]) -> None:
        first, last = len(self._labels), len(self._labels) + len(new)
        for row, one in enumerate(new, start=first):
            self._row[one] = row
        self._labels += new
        self._clock[first:last] = track.number
        self._cells[first:last, track.start : track.stop] = np.nan
        self._features.begin(slice(first, last), track.stop - 1)
        track.rows = np.concatenate([track.rows, np.arange(first, last)])

    def _move(self, columns: int, *, room: int = 0) -> None:
        """Into new arrays with a share of room, so that growing costs a constant part of a scrape.

        Tracks are moved so that their newest columns stand beside each other.  Series without a live sample are left
        behind, but for those of the last scrape.
        """
        self._drop_tracks()
        kept = self._kept()
        rows = len(kept)
        height = max(_FIRST_ROWS, rows + room + (rows + room) // 8)
        width = columns + max(_FIRST_COLUMNS, columns // 4)
        cells = np.zeros((height, width))
        clocks = np.full((len(self._tracks) + 8, width), NEVER)
        clock = np.empty(height, dtype=np.int64)
        place = np.full(len(self._labels), -1, dtype=np.intp)
        place[kept] = np.arange(rows)
        features = Features.empty(height)
        end = max((track.columns for track in self._tracks), default=0)
        for track in self._tracks:
            old = track.rows[place[track.rows] >= 0]
            live = slice(track.start, track.stop)
            start = end - track.columns
            clocks[track.number, :start] = BEFORE
            clocks[track.number, start:end] = self._clocks[track.number, live]
            cells[place[old], start:end] = self._cells[old, live]
            clock[place[old]] = track.number
            track.rows, track.current = place[old], place[track.current]
            track.missing = np.setdiff1d(track.rows, track.current)
            track.start, track.stop = start, end
            features.read(cells, track.rows, start, end)
            features.last[track.rows] = self._features.last[old]
            self._trim_ends(track, int(clocks[track.number, start]) if track.columns else NEVER)
        self._labels = [self._labels[row] for row in kept]
        self._row = {one: row for row, one in enumerate(self._labels)}
        self._cells, self._clocks, self._clock, self._features = cells, clocks, clock, features
        self._publish(relaid=True)

    def _drop_tracks(self) -> None:
        left = [track for track in self._tracks if not track.dropped]
        if len(left) == len(self._tracks):
            return
        self._ends = {
            number: self._ends[track.number] for number, track in enumerate(left) if track.number in self._ends
        }
        self._clocks = self._clocks[[track.number for track in left]]
        for number, track in enumerate(left):
            track.number = number
        self._tracks = left

    def _kept(self) -> Index:
        """The rows that have a live sample or belong to the last scrape, track after track."""
        kept = [
            track.rows[
                self._features.alive(self._cells, track.rows, track.start, track.stop)
                | np.isin(track.rows, track.current)
            ]
            for track in self._tracks
        ]
        return np.concatenate([np.empty(0, np.intp), *kept])

    def _trim_ends(self, track: Track, oldest_ms: int) -> None:
        if track.number in self._ends:
            left = self._ends[track.number]
            left = left[left > oldest_ms]
            others = {number: ends for number, ends in self._ends.items() if number != track.number}
            self._ends = {**others, track.number: left} if left.size else others

    def _publish(self, *, relaid: bool = False) -> None:
        clocks = len(self._tracks)
        layout = Layout(self._labels, self._clock[: len(self._labels)], clocks) if relaid else self.view.layout
        answers = Answers() if relaid else self.view.answers  # columns may have moved
        self.view = View(layout, self._cells, self._clocks[:clocks], self._features, self._ends, answers)
