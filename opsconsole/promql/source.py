"""The seam to whoever holds samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opsconsole.series.block import Block
from opsconsole.series.matcher import Matcher
from opsconsole.series.stack import Stack

Samples = Block | Stack


class SampleSource(Protocol):
    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        """Every series the matchers mean and its samples in (start_ms, end_ms]; stacks may hold some around them.

        A series may stand in several blocks, never twice at one instant; in a stack and elsewhere it may not.
        """
        ...
