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
    """The alert speaks only while this signal is above ``above``.  Its labels are some or all of the alert's own."""

    signal: Signal
    above: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One condition over one signal.

    ``threshold`` is said here only: the rule, the Grafana line, the live line and the generated test read it.
    ``hold`` is Prometheus' ``for``; ``keep`` its ``keep_firing_for``.  Both are production durations; a profile
    scales them.  Labels that the sentences use must be in ``signal.by``.  ``board`` is where to look first.
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
    board: str = "overview"

    @property
    def labels(self) -> dict[str, str]:
        """What the rule adds to the labels of its samples."""
        return {"owner": self.owner, "severity": self.severity.value}

    @property
    def runbook(self) -> str:
        """File name of its runbook in ``alerts/runbooks/``."""
        return f"{self.name}.md"
