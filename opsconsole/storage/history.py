"""Head and store as one source: the recent window from memory, what is older from ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.promql.source import BUCKET_MS, Buckets, Column, Samples, SampleSource
from opsconsole.series.matcher import Matcher

from .head import Head
from .rollups import Rollups
from .timeline import join


class History:
    """``RollupSource``: the head alone wherever it is complete; otherwise both, joined at the instant it begins."""

    def __init__(self, head: Head, samples: SampleSource, *, rollups: Rollups | None = None) -> None:
        self._head = head
        self._samples = samples
        self._rollups = rollups

    @property
    def sampled_from_ms(self) -> int:
        return 0 if self._rollups is None else self._rollups.sampled_from_ms

    def rolled(self, start_ms: int, end_ms: int) -> Sequence[tuple[int, int]]:
        """What the store has rolled; not where the head is asked, which may know of samples that wait to be stored."""
        if self._rollups is None:
            return ()
        return self._rollups.rolled(start_ms, min(end_ms, self._head.complete_from_ms // BUCKET_MS * BUCKET_MS))

    def buckets(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, columns: Sequence[Column]) -> Buckets:
        if self._rollups is None:
            raise LookupError("nothing is rolled")
        return self._rollups.buckets(matchers, start_ms, end_ms, columns)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        recent, seam_ms = self._head.snapshot(matchers, start_ms, end_ms)
        if start_ms >= seam_ms:
            return recent
        older = self._samples.select(matchers, start_ms, min(end_ms, seam_ms))
        recent_blocks = (block for stack in recent for block in stack.blocks())
        cut = (part for block in recent_blocks if (part := block.within(seam_ms, end_ms)) is not None)
        return join([*(block for samples in older for block in samples.blocks()), *cut])
