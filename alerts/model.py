"""An alert: a signal, a threshold, how long it must hold, and the sentences a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from signals.model import Signal

from .sentence import Sentence


class Severity(StrEnum):
    CRITICAL = "critical"  # wakes somebody
    WARNING = "warning"  # a ticket
    INFO = "info"  # no route


class Direction(StrEnum):
    ABOVE = ">"
    BELOW = "<"


@dataclass(frozen=True, slots=True)
class Guard:
    """The alert speaks only while this signal, aggregated to the alert's own labels, is above ``above``."""

    signal: Signal
    above: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One condition over one signal.

    ``threshold`` is said here only: the rule, the Grafana line, the live line and the generated test read it.
    ``hold`` is Prometheus' ``for``; ``keep`` its ``keep_firing_for``.  Both are production durations; a profile
    scales them.  ``labels`` that the sentences use must be in ``signal.by``.
    """

    name: str  # CamelCase: DjangoLatencyHigh
    signal: Signal
    direction: Direction
    threshold: float
    hold: timedelta
    severity: Severity
    summary: Sentence
    description: Sentence
    owner: str
    keep: timedelta = timedelta(0)
    guard: Guard | None = None

    @property
    def runbook(self) -> str:
        """File name of its runbook in ``alerts/runbooks/``."""
        return f"{self.name}.md"
