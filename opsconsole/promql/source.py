"""The seam to whoever holds samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np

from opsconsole.series.block import Block, Values
from opsconsole.series.labels import LabelSets
from opsconsole.series.matcher import Matcher
from opsconsole.series.stack import Stack

Samples = Block | Stack


class SampleSource(Protocol):
    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        """Every series the matchers mean and its samples in (start_ms, end_ms]; stacks may hold some around them.

        A series may stand in several blocks, never twice at one instant; in a stack and elsewhere it may not.
        """
        ...


Mark = tuple[int, ...]
"""How far each part of a source had come."""


@runtime_checkable
class ChangingSource(SampleSource, Protocol):
    """A source that can say since when its samples have changed."""

    def mark(self) -> Mark:
        """Now, for ``changed_since``; to be taken before anything is selected."""
        ...

    def changed_since(self, mark: Mark) -> int:
        """The earliest instant (ms) at which a sample came or went after ``mark``; one after all samples if none did."""
        ...


BUCKET_MS = 300_000
"""Rollups are of five minutes: (t - 5m, t] for every multiple t."""


class Column(StrEnum):
    """What is known of the samples of a bucket."""

    SAMPLES = "samples"  # how many
    FIRST_MS = "first_ms"
    LAST_MS = "last_ms"
    FIRST = "first"
    LAST = "last"
    LOST = "lost"  # what a counter had before each of its falls within the bucket
    TOTAL = "total"
    LEAST = "least"  # NaN when every sample is
    MOST = "most"
    ALIVE = "alive"  # 1 where the series goes on: a sample is the newest of it, and not its end

    @property
    def empty(self) -> float:
        """What stands for a bucket without samples."""
        return np.nan if self in (Column.LEAST, Column.MOST) else 0.0


@dataclass(frozen=True, slots=True)
class Buckets:
    """``width`` buckets of S series, side by side.  ``columns``: float64[S, width] each."""

    labels: LabelSets
    columns: Mapping[Column, Values]
    width: int


@runtime_checkable
class RollupSource(SampleSource, Protocol):
    """A source that also keeps rollups."""

    @property
    def sampled_from_ms(self) -> int:
        """Samples before that may be gone."""
        ...

    def rolled(self, start_ms: int, end_ms: int) -> Sequence[tuple[int, int]]:
        """Which stretches (start, end] of a range that begins at a bucket are rolled, every sample in them; in order."""
        ...

    def buckets(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, columns: Sequence[Column]) -> Buckets:
        """The buckets of a rolled stretch, of the series that have any there."""
        ...
