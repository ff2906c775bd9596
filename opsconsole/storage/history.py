"""Head and store as one source: the recent window from memory, what is older from ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opsconsole.promql.source import Samples, SampleSource
from opsconsole.series.matcher import Matcher

from .head import Head
from .timeline import join


class History:
    """``SampleSource``: the head alone wherever it is complete; otherwise both, joined at the instant it begins."""

    def __init__(self, head: Head, samples: SampleSource) -> None:
        self._head = head
        self._samples = samples

    @property
    def at_hand(self) -> SampleSource:
        """The same where it needs nothing but a look into memory; elsewhere it raises ``NotSmall``."""
        return _AtHand(self._head)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        recent, seam_ms = self._head.snapshot(matchers, start_ms, end_ms)
        if start_ms >= seam_ms:
            return recent
        older = self._samples.select(matchers, start_ms, min(end_ms, seam_ms))
        recent_blocks = (block for stack in recent for block in stack.blocks())
        cut = (part for block in recent_blocks if (part := block.within(seam_ms, end_ms)) is not None)
        return join([*(block for samples in older for block in samples.blocks()), *cut])


@dataclass(frozen=True, slots=True)
class _AtHand:
    head: Head

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        return self.head.at_hand(matchers, start_ms, end_ms)
