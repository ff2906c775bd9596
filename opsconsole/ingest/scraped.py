"""What one scrape of one target brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.labels import Labels

OWN_SERIES = ("up", "scrape_duration_seconds", "scrape_samples_scraped")
"""What the scraper says of every scrape, also of one that failed."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of ``target`` at one instant.

    ``target``: its ``job`` and ``instance``.  ``labels``: S label sets, complete, each one once.  ``values``: float64[S].
    A series of the target's last scrape that is missing here has ended.
    """

    target: Labels
    timestamp_ms: int
    labels: Sequence[Labels]
    values: NDArray[np.float64]
