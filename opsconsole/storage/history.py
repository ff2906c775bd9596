"""Memory and store as one source: the recent window from the head and the pushed samples, what is older from ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.promql.source import SampleSource
from opsconsole.series.block import Block
from opsconsole.series.matcher import Matcher

from .head import Head
from .pushed import PushedStore
from .timeline import after, join


class History:
    """``SampleSource``: memory alone wherever it is complete; otherwise both, joined at the instant it begins."""

    def __init__(self, head: Head, samples: SampleSource, pushed: PushedStore | None = None) -> None:
        self._head = head
        self._samples = samples
        self._pushed = pushed

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        scraped, seam_ms = self._head.snapshot(matchers, start_ms, end_ms)
        pushed: Sequence[Block] = ()
        if self._pushed is not None:
            pushed, pushed_seam_ms = self._pushed.snapshot(matchers, start_ms, end_ms)
            seam_ms = max(seam_ms, pushed_seam_ms)
        if start_ms >= seam_ms:
            return [*scraped, *pushed] if pushed else scraped
        older = self._samples.select(matchers, start_ms, min(end_ms, seam_ms))
        newer = [cut for block in (*scraped, *pushed) if (cut := after(block, seam_ms)) is not None]
        return [*older, *newer] if pushed else join([*older, *newer])
