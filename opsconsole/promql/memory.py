"""A sample source that holds its blocks in memory: for tests, scripts and backtests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opsconsole.series.block import Block
from opsconsole.series.matcher import Matcher, select


class MemorySource:
    """Answers selectors from the given blocks."""

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self._blocks = list(blocks)

    def add(self, block: Block) -> None:
        self._blocks.append(block)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        """The matching rows, and their samples in ``(start_ms, end_ms]``."""
        return [part for block in self._blocks if (part := _part(block, matchers, start_ms, end_ms)) is not None]


def _part(block: Block, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Block | None:
    lo, hi = np.searchsorted(block.timestamps, [start_ms, end_ms], side="right")
    rows = [row for row, labels in enumerate(block.labels) if select(labels, matchers)]
    if lo == hi or not rows:
        return None
    columns = slice(lo, hi)
    if len(rows) == len(block.labels):
        return Block(block.labels, block.timestamps[columns], block.values[:, columns])
    return Block([block.labels[row] for row in rows], block.timestamps[columns], block.values[rows, columns])
