"""What one scrape of one target brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from opsconsole_exporters.catalog.scraper import METRICS as OF_EVERY_SCRAPE

from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels
from opsconsole.series.metadata import Metadata

OWN_SERIES = tuple(metric.name for metric in OF_EVERY_SCRAPE)
"""What the scraper says of every scrape, also of one that failed."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of ``target`` at one instant.

    ``target``: its ``job`` and ``instance``.  ``labels``: S label sets, complete, each one once.  ``values``: float64[S].
    A series of the target's last scrape that is missing here has ended.  ``exemplars``: those that are new, each with its
    series.  ``metadata``: by metric family; the same object while the target says the same, empty when it failed.
    """

    target: Labels
    timestamp_ms: int
    labels: Sequence[Labels]
    values: NDArray[np.float64]
    exemplars: Sequence[tuple[Labels, Exemplar]] = ()
    metadata: Mapping[str, Metadata] = field(default_factory=dict)
