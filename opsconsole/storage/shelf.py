"""What was read of the past lately, laid out in memory as the head lays out what is recent.

Reading from ClickHouse costs milliseconds before its first row, and far more than evaluating.  What is older than memory
does not change but for samples that come late, so what was read for one question, and a little around it, serves the next
one: another panel, the same one a step later, an instant nearby.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opsconsole.promql.small import NotSmall
from opsconsole.promql.source import ChangingSource, Mark, Samples, SampleSource
from opsconsole.series.lately import Lately
from opsconsole.series.matcher import Matcher

from .head import Head

MEMORY_BYTES = 96 << 20
_GRID_MS = 900_000  # what is read begins and ends at its multiples
_LONGEST_MS = 7_200_000  # as long as the head's window; reading what is longer takes longer than to begin
_LARGEST = 2  # a piece takes no more than one part in so many of the memory


@dataclass(frozen=True, slots=True)
class _Piece:
    """The samples in (start, end] of one list of matchers, as they were at ``mark``."""

    start_ms: int
    end_ms: int
    held: Head
    mark: Mark

    def holds(self, start_ms: int, end_ms: int) -> bool:
        return self.start_ms <= start_ms and end_ms <= self.end_ms


class Shelf:
    """Any thread may ask.  Pieces that were not asked for lately make room for others."""

    def __init__(self, samples: SampleSource, noting: ChangingSource, memory_bytes: int = MEMORY_BYTES) -> None:
        self._samples = samples
        self._noting = noting
        self._pieces: Lately[tuple[Matcher, ...], _Piece] = Lately(memory_bytes, memory_bytes // _LARGEST)

    @property
    def memory_bytes(self) -> int:
        return self._pieces.memory_bytes

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, until_ms: int) -> Sequence[Samples]:
        """The samples in (start, end] and some around them, none after ``until_ms``: later ones are not all stored yet."""
        if end_ms - start_ms > _LONGEST_MS:
            return self._samples.select(matchers, start_ms, end_ms)
        question = tuple(matchers)
        piece = self._piece(question, start_ms, end_ms) or self._read(question, start_ms, end_ms, until_ms)
        return piece.held.select(question, start_ms, end_ms)

    def at_hand(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        """What ``select`` finds, where it reads nothing; elsewhere raises ``NotSmall``."""
        question = tuple(matchers)
        piece = self._piece(question, start_ms, end_ms)
        if piece is None:
            raise NotSmall("the samples are not at hand")
        return piece.held.select(question, start_ms, end_ms)

    def _piece(self, question: tuple[Matcher, ...], start_ms: int, end_ms: int) -> _Piece | None:
        """The one that holds all of the question, as it is now."""
        piece = self._pieces.get(question)
        if piece is None or not piece.holds(start_ms, end_ms):
            return None
        return piece if self._noting.changed_since(piece.mark) > piece.end_ms else None

    def _read(self, question: tuple[Matcher, ...], start_ms: int, end_ms: int, until_ms: int) -> _Piece:
        start_ms = start_ms // _GRID_MS * _GRID_MS
        end_ms = max(end_ms, min(-(-end_ms // _GRID_MS) * _GRID_MS, until_ms))
        mark = self._noting.mark()
        found = self._samples.select(question, start_ms, end_ms)
        held = Head.holding([block for samples in found for block in samples.blocks()])
        piece = _Piece(start_ms, end_ms, held, mark)
        self._pieces.keep(question, piece, held.state.memory_bytes)
        return piece
