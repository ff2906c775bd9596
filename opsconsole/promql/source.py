"""The seam to whoever holds samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opsconsole.series.block import Block
from opsconsole.series.matcher import Matcher


class SampleSource(Protocol):
    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        """Blocks that hold every series the matchers mean and its samples in (start_ms, end_ms].

        Only matching rows; a series may stand in several blocks when its target restarted under a new layout, never
        twice at one instant.
        """
        ...
