"""The ``/metrics`` page: one answer for the whole service, whichever of its processes is asked."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from opsconsole_exporters import compaction, exemplars, multiprocess
from opsconsole_exporters.shield import shield


@dataclass(frozen=True, slots=True)
class Page:
    body: bytes
    content_type: str


class SharedFiles(MultiProcessCollector):
    """Every process's metrics, without the gauges of the dead."""

    def __init__(self, directory: Path, *, with_exemplars: bool) -> None:
        multiprocess.prepare()
        super().__init__(None, str(directory))  # type: ignore[no-untyped-call]
        self._directory = directory
        self._with_exemplars = with_exemplars

    def collect(self) -> Iterable[Family]:
        multiprocess.drop_dead_gauges()
        with shield("merging of dead processes' files"):
            compaction.compact(self._directory)
        with compaction.reading(self._directory):
            # A file is empty for an instant after its process has created it; reading it then would fail the scrape.
            files = [str(file) for file in self._directory.glob("*.db") if _size(file)]
            families: Iterable[Family] = self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]
        if self._with_exemplars:
            with shield("exemplars"):
                families = exemplars.attach(families, self._directory, time.time())
        return families


def render(accept: str, collectors: Iterable[Collector] = ()) -> Page:
    """The page in the format that the ``Accept`` header asks for: Prometheus' text, or OpenMetrics.

    ``collectors`` are asked first, so that what they count about themselves is on the same page.
    """
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    encode, content_type = choose_encoder(accept)
    shared = multiprocess.directory()
    openmetrics = "openmetrics" in content_type  # the other format has no exemplars
    registry.register(REGISTRY if shared is None else SharedFiles(shared, with_exemplars=openmetrics))
    return Page(encode(registry), content_type)


def authorized(token: str, header: str) -> bool:
    """Whether an ``Authorization`` header carries ``token``; always, when no token was set."""
    return not token or hmac.compare_digest(f"Bearer {token}".encode(), header.encode())


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
