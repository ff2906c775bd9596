"""What the targets said about their metrics, last."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import islice

from opsconsole.series.labels import Labels
from opsconsole.series.metadata import Metadata

__all__ = ["Metadata", "MetadataStore"]


class MetadataStore:
    """By target, then by the metric's name as its ``# TYPE`` line says it.  Any thread may put or find.

    Bounded by ``families`` a target (the rest is left out) and by the targets, which are configured.
    """

    def __init__(self, families: int = 10_000) -> None:
        self._families = families
        self._lock = threading.Lock()
        self._of_target: Mapping[Labels, Mapping[str, Metadata]] = {}

    def put(self, target: Labels, families: Mapping[str, Metadata]) -> None:
        """Remember what ``target`` says now, instead of what it said before.  The same mapping again costs nothing."""
        known = self._of_target.get(target)
        if known is families:
            return
        if len(families) > self._families:
            families = dict(islice(families.items(), self._families))
        with self._lock:  # of writers alone: readers see the mapping before or after
            self._of_target = {**self._of_target, target: families}

    def find(self, metric: str = "", target: Labels | None = None) -> Mapping[str, Sequence[Metadata]]:
        """What is said about ``metric``, or about all, by ``target`` (its job and instance), or by all.

        Targets that say the same of a metric count once; those that do not each have their say.
        """
        of_target = self._of_target
        sources = of_target.values() if target is None else (of_target.get(target, {}),)
        found: dict[str, list[Metadata]] = {}
        for families in sources:
            named = families.items() if not metric else ((metric, families[metric]),) if metric in families else ()
            for name, metadata in named:
                said = found.setdefault(name, [])
                if metadata not in said:
                    said.append(metadata)
        return found

    def of(self, target: Labels) -> Mapping[str, Metadata]:
        """What ``target`` said last, by metric."""
        return self._of_target.get(target, {})
