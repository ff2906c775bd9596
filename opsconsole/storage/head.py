"""The head: the recent window of every series in memory, for everything that must be instant."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from opsconsole.promql.source import SampleSource
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher

from .matrix import TargetMatrix
from .timeline import join, target_of

_TRIM_EVERY_MS = 30_000
_LOAD_SLICE_MS = 900_000
_FEWEST_COLUMNS = 16  # a target keeps these even under pressure


class Refusal(StrEnum):
    """Why samples were not taken."""

    OUT_OF_ORDER = "out_of_order"  # not newer than the target's newest
    TARGET_SERIES = "target_series"  # the target has too many series
    TOTAL_SERIES = "total_series"  # the head has too many series


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the head.

    ``columns`` bounds the scrapes kept of one target (two hours at 2 s are 3,600; of 800 series they take 23 MB) and
    ``memory_bytes`` all values together.  Over either, the oldest columns go first, and queries read them from the
    store.  Series over the other two are refused and counted.
    """

    window_ms: int = 7_200_000
    columns: int = 7_200
    memory_bytes: int = 192 << 20
    target_series: int = 50_000
    total_series: int = 200_000

    def __post_init__(self) -> None:
        least = self.total_series * _FEWEST_COLUMNS * 8
        if self.memory_bytes < least:
            raise ValueError(
                f"memory_bytes={self.memory_bytes:,} cannot hold {self.total_series:,} series: say {least:,}"
            )


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a scrape: the samples kept, the series it ended, and how many samples were refused and why."""

    labels: Sequence[Labels]
    values: NDArray[np.float64]
    vanished: Sequence[Labels]
    refused: Mapping[Refusal, int]


@dataclass(frozen=True, slots=True)
class HeadState:
    """The head in numbers, for the pages.  ``complete_from_ms``: every newer sample is in it."""

    targets: int
    series: int
    memory_bytes: int
    complete_from_ms: int
    refused: Mapping[Refusal, int]


@dataclass(slots=True)
class _Target:
    """A matrix, and what was decided about the last list of series: repeated for as long as the list stays the same."""

    matrix: TargetMatrix
    offered: Sequence[Labels] | None = None
    taken: Sequence[Labels] = ()
    positions: NDArray[np.intp] | None = None  # of ``taken`` in ``offered``; None when all were taken
    reason: Refusal = Refusal.TARGET_SERIES


class Head:
    """Any thread may append or read.  Readers never wait: they see what was published when they asked."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._writing = threading.Lock()
        self._targets: dict[Labels, _Target] = {}
        self._complete_from_ms = 0
        self._newest_ms = 0
        self._trimmed_ms = 0
        self._refused: Counter[Refusal] = Counter()

    def append(
        self, target: Labels, timestamp_ms: int, labels: Sequence[Labels], values: NDArray[np.float64]
    ) -> Appended:
        """Add one column to ``target``: ``values`` float64[S] of ``labels``, each label set once.

        Cheap while ``labels`` equals the last scrape's, cheapest when it holds the same objects.
        """
        with self._writing:
            known = self._targets.get(target) or _Target(TargetMatrix())
            if timestamp_ms <= known.matrix.newest_ms:
                self._refused[Refusal.OUT_OF_ORDER] += len(labels)
                return Appended((), np.empty(0), (), {Refusal.OUT_OF_ORDER: len(labels)})
            vanished: Sequence[Labels] = ()
            if known.offered is None or labels != known.offered:
                self._admit(known, labels)
                vanished = known.matrix.arrange(known.taken)
            if known.positions is not None:
                values = values[known.positions]
            known.matrix.push(timestamp_ms, values)
            self._targets[target] = known
            self._newest_ms = max(self._newest_ms, timestamp_ms)
            self._trim()
            refused = {known.reason: over} if (over := len(labels) - len(known.taken)) else {}
            self._refused.update(refused)
            return Appended(known.taken, values, vanished, refused)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        """``SampleSource`` over the head alone."""
        return self.snapshot(matchers, start_ms, end_ms)[0]

    def snapshot(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> tuple[Sequence[Block], int]:
        """The blocks in (start_ms, end_ms], and the instant after which they are complete.

        A block's ``labels`` is the same object for the same matchers until the target's series change, so that plans
        can be kept by its identity.
        """
        wanted = tuple(matchers)
        views = [known.matrix.view for known in list(self._targets.values())]
        complete_from_ms = self._complete_from_ms  # read after the views: it moves before they are trimmed
        blocks = [block for view in views if (block := view.select(wanted, start_ms, end_ms)) is not None]
        return blocks, complete_from_ms

    def load(self, samples: SampleSource, now_ms: int) -> None:
        """Fill an empty head with the window before ``now_ms``, newest first, as far as memory allows."""
        oldest_ms = now_ms - self._limits.window_ms
        start_ms = now_ms
        slices: list[Sequence[Block]] = []
        memory = 0
        while start_ms > oldest_ms:
            next_ms = max(start_ms - _LOAD_SLICE_MS, oldest_ms)
            blocks = samples.select((), next_ms, start_ms)
            memory += sum(block.values.nbytes for block in blocks)
            if memory > self._limits.memory_bytes // 2:  # room for rows that come and go, and for growing
                break
            slices.append(blocks)
            start_ms = next_ms
        with self._writing:
            for block in join(block for blocks in reversed(slices) for block in blocks):
                self._targets[target_of(block.labels[0])] = _Target(TargetMatrix.of(block))
                self._newest_ms = max(self._newest_ms, int(block.timestamps[-1]))
            self._complete_from_ms = max(self._complete_from_ms, start_ms)

    @property
    def state(self) -> HeadState:
        with self._writing:
            return HeadState(
                targets=len(self._targets),
                series=self._series(),
                memory_bytes=self._memory(),
                complete_from_ms=self._complete_from_ms,
                refused=dict(self._refused),
            )

    def _admit(self, known: _Target, labels: Sequence[Labels]) -> None:
        """Decide which of ``labels`` are taken: those already here, and new ones while there is room."""
        known.offered, known.taken, known.positions = labels, labels, None
        new = sum(one not in known.matrix for one in labels)
        if new <= self._room(known.matrix)[0]:
            return
        known.matrix.compact()  # series that are gone for the whole window make room first
        room, known.reason = self._room(known.matrix)
        positions = []
        for position, one in enumerate(labels):
            if one not in known.matrix:
                if room <= 0:
                    continue
                room -= 1
            positions.append(position)
        if len(positions) < len(labels):
            known.positions = np.array(positions, dtype=np.intp)
            known.taken = [labels[position] for position in positions]

    def _room(self, matrix: TargetMatrix) -> tuple[int, Refusal]:
        mine, total = self._limits.target_series - matrix.series, self._limits.total_series - self._series()
        return (mine, Refusal.TARGET_SERIES) if mine <= total else (total, Refusal.TOTAL_SERIES)

    def _trim(self) -> None:
        """Forget what is older than the window now and then, and what is over the bounds at once."""
        if self._newest_ms - self._trimmed_ms >= _TRIM_EVERY_MS:
            self._trimmed_ms = self._newest_ms
            horizon_ms = self._newest_ms - self._limits.window_ms
            for target, known in list(self._targets.items()):
                self._forget(known.matrix, known.matrix.older_than(horizon_ms))
                self._forget(known.matrix, known.matrix.columns - self._limits.columns)
                if known.matrix.columns == 0:
                    del self._targets[target]
                elif known.positions is not None:
                    known.offered = None  # there may be room by now
        while self._memory() > self._limits.memory_bytes:
            largest = max(self._targets.values(), key=lambda known: known.matrix.memory_bytes).matrix
            if largest.columns <= _FEWEST_COLUMNS:
                break
            self._forget(largest, largest.columns - max(_FEWEST_COLUMNS, largest.columns * 3 // 4))
            largest.compact()

    def _forget(self, matrix: TargetMatrix, columns: int) -> None:
        if columns > 0:
            # Published before the columns go, so that no reader takes a trimmed matrix for a complete one.
            self._complete_from_ms = max(self._complete_from_ms, matrix.instant_of(columns - 1))
            matrix.drop_oldest(columns)

    def _series(self) -> int:
        return sum(known.matrix.series for known in self._targets.values())

    def _memory(self) -> int:
        return sum(known.matrix.memory_bytes for known in self._targets.values())
