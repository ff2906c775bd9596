"""The PromQL of an alert: one text for Prometheus' rules and for the built-in evaluator."""

from __future__ import annotations

from signals.model import ANY_JOB

from . import duration, number
from .model import Alert
from .profile import Profile


def expression(alert: Alert, profile: Profile, *, selector: str = ANY_JOB) -> str:
    """Returns a sample for each label set of ``alert.signal`` that is in trouble; its value is the signal's.

    ``selector`` are label matchers, for a rule about some services only.
    """
    window = duration.in_promql(profile.window)
    watched = alert.signal.promql(window=window, selector=selector)
    condition = f"({watched}) {alert.direction} {number.in_promql(alert.threshold)}"
    if alert.guard is None:
        return condition
    guard = alert.guard.signal.promql(window=window, selector=selector)
    on = ", ".join(alert.guard.signal.by)
    return f"{condition} and on ({on}) ({guard}) > {number.in_promql(alert.guard.above)}"
