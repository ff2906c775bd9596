"""Exemplars: single observations behind a series, as a rule with the trace they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from .labels import Labels


@dataclass(frozen=True, slots=True)
class Exemplar:
    """``labels``: its own, such as ``trace_id``, not those of its series.  ``timestamp_ms``: Unix milliseconds."""

    labels: Labels
    value: float
    timestamp_ms: int
