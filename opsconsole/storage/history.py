"""Memory and store as one source: the recent window from the head and the pushed samples, what is older from ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from opsconsole.promql.small import NotSmall
from opsconsole.promql.source import BUCKET_MS, Buckets, Column, Mark, Samples, SampleSource
from opsconsole.series.block import Block
from opsconsole.series.matcher import Matcher

from . import shelf
from .head import Head
from .pushed import PushedStore
from .rollups import Rollups
from .shelf import Shelf
from .timeline import join


class History:
    """``RollupSource``: memory alone wherever it is complete; otherwise both, joined at the instant it begins."""

    def __init__(
        self,
        head: Head,
        samples: SampleSource,
        pushed: PushedStore | None = None,
        *,
        moved: Callable[[], bool] = lambda: False,
        rollups: Rollups | None = None,
        shelf_bytes: int = shelf.MEMORY_BYTES,
    ) -> None:
        """``moved()``: whether a series may be in the head and among the pushed ones, because it changed sides.

        ``shelf_bytes``: for what was read of the past lately.
        """
        self._head = head
        self._shelf = Shelf(samples, self, shelf_bytes)
        self._pushed = pushed
        self._moved = moved
        self._rollups = rollups
        self._changes = [memory.changes for memory in (head, pushed) if memory is not None]

    @property
    def sampled_from_ms(self) -> int:
        return 0 if self._rollups is None else self._rollups.sampled_from_ms

    def rolled(self, start_ms: int, end_ms: int) -> Sequence[tuple[int, int]]:
        """What the store has rolled; not where memory is asked, which may know of samples that wait to be stored."""
        if self._rollups is None:
            return ()
        return self._rollups.rolled(start_ms, min(end_ms, self._head.complete_from_ms // BUCKET_MS * BUCKET_MS))

    def buckets(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, columns: Sequence[Column]) -> Buckets:
        if self._rollups is None:
            raise LookupError("nothing is rolled")
        return self._rollups.buckets(matchers, start_ms, end_ms, columns)

    @property
    def at_hand(self) -> SampleSource:
        """The same where it needs nothing but a look into memory; elsewhere it raises ``NotSmall``."""
        return _AtHand(self._head, self._pushed, self._moved, self._shelf)

    def mark(self) -> Mark:
        return tuple(changes.mark() for changes in self._changes)

    def changed_since(self, mark: Mark) -> int:
        """Whatever comes comes through memory, so that is asked alone."""
        return min(changes.since(each) for changes, each in zip(self._changes, mark, strict=True))

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        recent: Sequence[Samples]
        recent, seam_ms = self._head.snapshot(matchers, start_ms, end_ms)
        if self._pushed is not None:
            pushed, pushed_seam_ms = self._pushed.snapshot(matchers, start_ms, end_ms)
            recent, seam_ms = [*recent, *pushed], max(seam_ms, pushed_seam_ms)
        whole = start_ms >= seam_ms
        if whole and not self._moved():
            return recent
        older: Sequence[Samples] = (
            () if whole else self._shelf.select(matchers, start_ms, min(end_ms, seam_ms), seam_ms)
        )
        if end_ms <= seam_ms:
            return older
        return join([*_within(older, start_ms, seam_ms), *_within(recent, max(start_ms, seam_ms), end_ms)])


def _within(found: Sequence[Samples], start_ms: int, end_ms: int) -> Iterator[Block]:
    blocks = (block for samples in found for block in samples.blocks())
    return (part for block in blocks if (part := block.within(start_ms, end_ms)) is not None)


@dataclass(frozen=True, slots=True)
class _AtHand:
    head: Head
    pushed: PushedStore | None
    moved: Callable[[], bool]
    shelf: Shelf

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        if self.moved():
            raise NotSmall("some series have to be joined")
        if end_ms <= self.head.complete_from_ms:
            return self.shelf.at_hand(matchers, start_ms, end_ms)
        found = self.head.at_hand(matchers, start_ms, end_ms)
        return found if self.pushed is None else [*found, *self.pushed.at_hand(matchers, start_ms, end_ms)]
