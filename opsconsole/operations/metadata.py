"""What the targets say about their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, select
from opsconsole.series.metadata import Metadata

from .console import Console


def by_metric(console: Console, metric: str = "") -> Mapping[str, Sequence[Metadata]]:
    """What is said about ``metric``, or about all."""
    return {} if console.metadata is None else console.metadata.find(metric)


def by_target(
    console: Console, matchers: Sequence[Matcher] = (), metric: str = ""
) -> Iterator[tuple[Labels, str, Metadata]]:
    """(job and instance, metric, metadata) of every target that ``matchers`` mean."""
    if console.metadata is None:
        return
    for status in console.scraper.status:
        target = status.target.labels
        if select(target, matchers):
            for name, said in console.metadata.find(metric, target).items():
                for metadata in said:
                    yield target, name, metadata
