"""What an alert can be, and one instance of it: what Prometheus calls an active alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from opsconsole.series.labels import Labels


class State(StrEnum):
    INACTIVE = "inactive"  # the condition is false; nothing is remembered
    PENDING = "pending"  # true, but not yet for the hold time; nobody is told
    FIRING = "firing"  # true for the hold time, or kept after it ended


class Reason(StrEnum):
    """Why an instance changed its state; logs, pages and metrics print it."""

    BEGAN = "the condition became true"
    HELD = "the condition held for its time"
    ENDED = "the condition ended"
    ENDED_EARLY = "the condition ended before its hold time"
    KEEP_OVER = "the condition stayed away for the keep time"
    HOLD_RAISED = "the hold time was raised"
    RULE_REMOVED = "the alert was removed from the definitions"


@dataclass(frozen=True, slots=True)
class Instance:
    """One label set for which a rule's condition is, or was just now, true.

    ``labels``: the final ones, ``alertname`` and ``severity`` included; they are its identity.
    ``state``: pending or firing, never inactive: an inactive instance is not kept.
    ``active_at_ms``: since when the condition is true; the hold time counts from here.
    ``fired_at_ms``: since when it fires; None while pending.
    ``keep_since_ms``: the first evaluation that missed it while firing; None while the condition is true.
    ``value``, ``summary``, ``description``: of the last evaluation that was true, so they stand still while kept.
    """

    labels: Labels
    state: State
    active_at_ms: int
    fired_at_ms: int | None
    keep_since_ms: int | None
    value: float
    summary: str
    description: str


Instances = Mapping[Labels, Instance]


@dataclass(frozen=True, slots=True)
class Transition:
    """An instance went from one state to another.  ``instance`` is as it became, or as it was last when it went inactive."""

    instance: Instance
    before: State
    after: State
    at_ms: int
    reason: Reason
