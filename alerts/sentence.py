"""Sentences with placeholders, rendered by Python for the built-in notifier and written as Go templates for Prometheus.

Structured instead of Go text, so that both say the same words: the generated promtool tests compare them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """``template`` uses ``{value}``, ``{threshold}``, ``{hold}`` and ``{<label>}``, nothing else."""

    template: str
