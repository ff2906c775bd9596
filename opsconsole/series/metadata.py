"""What a service says about a metric: its type, its help and its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metadata:
    """``type`` in Prometheus' words: counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown."""

    type: str = "unknown"
    help: str = ""
    unit: str = ""
