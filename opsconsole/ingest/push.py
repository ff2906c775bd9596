"""What one pushed request brought, whatever its protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels
from opsconsole.series.metadata import Metadata

from .roster import Member


class Refusal(StrEnum):
    """Why a pushed sample was not taken; sending it again would not help."""

    OUT_OF_ORDER = "out_of_order"  # older than its series' newest, by more than may be late
    DUPLICATE = "duplicate"  # its series has another value at this instant
    TOO_OLD = "too_old"  # older than what is kept
    FUTURE = "future"  # further ahead of our clock than clocks differ
    LABELS = "labels"  # no valid label set
    NATIVE_HISTOGRAM = "native_histogram"
    UNSUPPORTED = "unsupported"  # a kind of data point without a translation
    SCRAPED = "scraped"  # the console scrapes this series itself
    TOTAL_SERIES = "total_series"  # more series than are kept in memory


@dataclass(slots=True)
class Refused:
    """How many samples were refused and why, and one line about the first of them."""

    counts: Counter[Refusal] = field(default_factory=Counter)
    example: str = ""

    def add(self, reason: Refusal, example: str, samples: int = 1) -> None:
        self.counts[reason] += samples
        self.example = self.example or example

    @property
    def samples(self) -> int:
        return self.counts.total()

    def __str__(self) -> str:
        """One line: the first example, and how many of each reason."""
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(self.counts.items()))
        return f"{self.example} (samples not taken: {counts}; all others were)"


@dataclass(slots=True)
class Push:
    """N samples in any order: ``members[i]`` has ``values[i]`` at ``timestamps[i]``.

    ``timestamps``: int64[N], Unix milliseconds.  ``values``: float64[N], with ``STALE`` and ``NAN_SAMPLE`` as in a block.
    ``refused``: what the decoder left out already.
    """

    members: Sequence[Member] = ()
    timestamps: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    refused: Refused = field(default_factory=Refused)
    exemplars: Sequence[tuple[Labels, Exemplar]] = ()
    metadata: Mapping[str, Metadata] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return len(self.members)
