"""The head: the recent window of every series in memory, for everything that must be instant."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from opsconsole.ingest.scraped import OWN_SERIES
from opsconsole.promql.small import NotSmall
from opsconsole.promql.source import SampleSource
from opsconsole.series.block import Block, is_sample, is_stale
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher
from opsconsole.series.stack import Index, Stack

from .changes import Changes
from .slab import Slab, Track
from .timeline import by_target, join, target_of

_TRIM_EVERY_MS = 30_000
_LOAD_SLICE_MS = 900_000
_FEWEST_COLUMNS = 16  # a target keeps these even under pressure
_SLAB_ROWS = 16_384  # a slab with as many takes no further targets: moving it is a matter of a tenth of a second


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
    """Where a target's series are, and what was decided about its last list of them: repeated while the list stays the same.

    What the scraper itself says (``own``) goes on when a scrape fails, and ticks by a clock of its own.
    """

    slab: Slab
    own: Track
    exposed: Track
    newest_ms: int = -1
    series: int = 0
    offered: Sequence[Labels] | None = None
    taken: Sequence[Labels] = ()
    positions: NDArray[np.intp] | None = None  # of ``taken`` in ``offered``; None when all were taken
    reason: Refusal = Refusal.TARGET_SERIES
    of_own: Index = field(default_factory=lambda: np.empty(0, np.intp))  # positions in ``taken``
    of_exposed: Index = field(default_factory=lambda: np.empty(0, np.intp))


class Head:
    """Any thread may append or read.  Readers never wait: they see what was published when they asked."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._writing = threading.Lock()
        self._slabs: list[Slab] = []
        self._targets: dict[Labels, _Target] = {}
        self._complete_from_ms = 0
        self._newest_ms = 0
        self._trimmed_ms = 0
        self._refused: Counter[Refusal] = Counter()
        self.changes = Changes()

    @classmethod
    def holding(cls, blocks: Iterable[Block]) -> Head:
        """One that holds these samples, all that there are of them, and takes no others."""
        held = cls(Limits(memory_bytes=1 << 62))
        held._fill(blocks)
        return held

    def append(
        self, target: Labels, timestamp_ms: int, labels: Sequence[Labels], values: NDArray[np.float64]
    ) -> Appended:
        """Add one column to ``target``: ``values`` float64[S] of ``labels``, each label set once.

        Cheap while ``labels`` equals the last scrape's, cheapest when it holds the same objects.
        """
        with self._writing:
            known = self._targets.get(target) or self._new_target(target)
            if timestamp_ms <= known.newest_ms:
                self._refused[Refusal.OUT_OF_ORDER] += len(labels)
                return Appended((), np.empty(0), (), {Refusal.OUT_OF_ORDER: len(labels)})
            relisted = known.offered is None or labels != known.offered
            if relisted:
                self._admit(known, labels)
            if known.positions is not None:
                values = values[known.positions]
            vanished = [
                *self._tick(known, known.own, known.of_own, timestamp_ms, values, relisted=relisted),
                *self._tick(known, known.exposed, known.of_exposed, timestamp_ms, values, relisted=relisted),
            ]
            known.newest_ms = timestamp_ms
            self._newest_ms = max(self._newest_ms, timestamp_ms)
            self.changes.note(timestamp_ms)
            self._trim()
            refused = {known.reason: over} if (over := len(labels) - len(known.taken)) else {}
            self._refused.update(refused)
            return Appended(known.taken, values, vanished, refused)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Stack]:
        """``SampleSource`` over the head alone."""
        return self.snapshot(matchers, start_ms, end_ms)[0]

    def snapshot(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> tuple[Sequence[Stack], int]:
        """The samples in (start_ms, end_ms], and the instant after which they are complete.

        A stack's ``labels`` is the same object for the same matchers until the slab's series change, so that plans
        can be kept by its identity.
        """
        wanted = tuple(matchers)
        views = [slab.view for slab in self._slabs]
        complete_from_ms = self._complete_from_ms  # read after the views: it moves before they are trimmed
        stacks = [stack for view in views if (stack := view.select(wanted, start_ms, end_ms)) is not None]
        return stacks, complete_from_ms

    def at_hand(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Stack]:
        """What ``snapshot`` finds, when the head is complete and ``matchers`` were asked for before; raises ``NotSmall``."""
        wanted = tuple(matchers)
        views = [slab.view for slab in self._slabs]
        if start_ms < self._complete_from_ms or not all(view.layout.knows(wanted) for view in views):
            raise NotSmall("the samples are not at hand")
        return [stack for view in views if (stack := view.select(wanted, start_ms, end_ms)) is not None]

    def load(self, samples: SampleSource, now_ms: int) -> None:
        """Fill an empty head with the window before ``now_ms``, newest first, as far as memory allows."""
        oldest_ms = now_ms - self._limits.window_ms
        start_ms = now_ms
        slices: list[Sequence[Block]] = []
        memory = 0
        while start_ms > oldest_ms:
            next_ms = max(start_ms - _LOAD_SLICE_MS, oldest_ms)
            blocks = [
                block
                for found in samples.select((), next_ms, start_ms)
                for whole in found.blocks()
                for block in by_target(whole)
            ]
            memory += sum(block.values.nbytes for block in blocks)
            if memory > self._limits.memory_bytes // 2:  # room for rows that come and go, and for growing
                break
            slices.append(blocks)
            start_ms = next_ms
        with self._writing:
            self._fill(block for blocks in reversed(slices) for block in blocks)
            self._complete_from_ms = max(self._complete_from_ms, start_ms)
            self.changes.note(start_ms)

    @property
    def complete_from_ms(self) -> int:
        """Every sample after that is here; it only ever moves on."""
        return self._complete_from_ms

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

    def _new_target(self, target: Labels) -> _Target:
        slab = next((slab for slab in reversed(self._slabs) if slab.series < _SLAB_ROWS), None)
        if slab is None:
            slab = Slab()
            self._slabs = [*self._slabs, slab]  # a reader keeps the list it has
        made = self._targets[target] = _Target(slab, slab.track(), slab.track())
        return made

    def _fill(self, blocks: Iterable[Block]) -> None:
        for block in join(blocks):
            self._load(block)
        for slab in self._slabs:
            slab.compact()

    def _load(self, block: Block) -> None:
        known = self._new_target(target_of(block.labels[0]))
        own = np.array([one.metric in OWN_SERIES for one in block.labels])
        sampled = is_sample(block.values)
        for track, rows in ((known.own, np.flatnonzero(own)), (known.exposed, np.flatnonzero(~own))):
            if not rows.size:
                continue
            values = block.values[rows]
            some = sampled[rows].any(axis=0)  # the other columns are of scrapes that failed
            ended = block.timestamps[~some & is_stale(values).any(axis=0)]
            if some.any():
                labels = [block.labels[row] for row in rows.tolist()]
                known.slab.load(track, labels, block.timestamps[some], values[:, some], ended)
        known.series = len(block.labels)
        known.newest_ms = int(block.timestamps[-1])
        self._newest_ms = max(self._newest_ms, known.newest_ms)

    def _tick(
        self,
        known: _Target,
        track: Track,
        positions: Index,
        timestamp_ms: int,
        values: NDArray[np.float64],
        *,
        relisted: bool,
    ) -> Sequence[Labels]:
        """One more column of a track, or the end of its series; the answer are those that ended."""
        if not positions.size:
            return known.slab.end(track, timestamp_ms)
        vanished: Sequence[Labels] = ()
        if relisted:
            vanished = known.slab.arrange(track, [known.taken[position] for position in positions])
        known.slab.push(track, timestamp_ms, values[positions])
        return vanished

    def _admit(self, known: _Target, labels: Sequence[Labels]) -> None:
        """Decide which of ``labels`` are taken: those already here, and new ones while there is room."""
        known.offered, known.taken, known.positions = labels, labels, None
        new = sum(one not in known.slab for one in labels)
        if new > self._room(known)[0]:
            known.slab.compact()  # series that are gone for the whole window make room first
            known.series = known.own.rows.size + known.exposed.rows.size
            new = sum(one not in known.slab for one in labels)
            room, known.reason = self._room(known)
            if new > room:
                self._refuse_some(known, labels, room)
                new = room
        known.series += new
        own = np.array([one.metric in OWN_SERIES for one in known.taken], dtype=bool)
        known.of_own, known.of_exposed = np.flatnonzero(own), np.flatnonzero(~own)

    def _refuse_some(self, known: _Target, labels: Sequence[Labels], room: int) -> None:
        positions = []
        for position, one in enumerate(labels):
            if one not in known.slab:
                if room <= 0:
                    continue
                room -= 1
            positions.append(position)
        known.positions = np.array(positions, dtype=np.intp)
        known.taken = [labels[position] for position in positions]

    def _room(self, known: _Target) -> tuple[int, Refusal]:
        mine, total = self._limits.target_series - known.series, self._limits.total_series - self._series()
        return (mine, Refusal.TARGET_SERIES) if mine <= total else (total, Refusal.TOTAL_SERIES)

    def _trim(self) -> None:
        """Forget what is older than the window now and then, and what is over the bounds at once."""
        if self._newest_ms - self._trimmed_ms >= _TRIM_EVERY_MS:
            self._trimmed_ms = self._newest_ms
            horizon_ms = self._newest_ms - self._limits.window_ms
            for slab in self._slabs:
                self._forget(slab, horizon_ms, self._limits.columns)
            for target, known in list(self._targets.items()):
                if known.newest_ms <= horizon_ms:
                    known.own.dropped = known.exposed.dropped = True
                    known.own.current = known.exposed.current = np.empty(0, np.intp)
                    del self._targets[target]
                elif known.positions is not None:
                    known.offered = None  # there may be room by now
            used = {id(known.slab) for known in self._targets.values()}
            if len(used) < len(self._slabs):
                self._slabs = [slab for slab in self._slabs if id(slab) in used]
        while self._memory() > self._limits.memory_bytes:
            largest = max(self._slabs, key=lambda slab: slab.memory_bytes)
            if largest.columns <= _FEWEST_COLUMNS:
                break
            self._forget(largest, -1, max(_FEWEST_COLUMNS, largest.columns * 3 // 4))
            largest.compact()

    def _forget(self, slab: Slab, horizon_ms: int, columns: int) -> None:
        # Published before the memory goes, so that no reader takes a trimmed slab for a complete one.
        self._complete_from_ms = max(self._complete_from_ms, slab.forget(horizon_ms, columns))

    def _series(self) -> int:
        return sum(slab.series for slab in self._slabs)

    def _memory(self) -> int:
        return sum(slab.memory_bytes for slab in self._slabs)
