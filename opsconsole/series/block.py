"""Blocks: many series that share their timestamps, as one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .labels import Labels

Timestamps = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of S series at P shared instants: the scrapes of one target, or the writes of one client.

    ``labels``: S label sets, metric name included.
    ``timestamps``: int64[P], Unix milliseconds, strictly ascending.
    ``values``: float64[S, P]; NaN where the series had no sample in that scrape, which also ends it (a staleness marker).
    """

    labels: Sequence[Labels]
    timestamps: Timestamps
    values: Values
