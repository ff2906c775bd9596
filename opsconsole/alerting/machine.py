"""The state machine of one rule.

Source: Prometheus, rules/alerting.go ``Eval`` (behaviour).  Two things are left to others on purpose: an instance that
went inactive is forgotten at once, because the outbox and not a resend carries its message; and an evaluation that
failed never gets here, so it can neither end nor begin anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from opsconsole.series.labels import Labels

from .rule import Rule
from .state import Instance, Instances, Reason, State, Transition

Vector = Iterable[tuple[Labels, float]]
"""The result of a rule's query: for each label set of which the condition is true, its value."""


class DuplicateLabelsError(ValueError):
    """Two results became one label set after the rule's own labels were laid over them."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one evaluation made of a rule: its active instances, and what changed on the way."""

    instances: Instances
    transitions: tuple[Transition, ...]


def step(rule: Rule, vector: Vector, previous: Instances, now_ms: int) -> Step:
    """Evaluate one rule at ``now_ms``, the instant of the slot and not of the wall clock.

    - The hold time is inclusive: true at 0 and at 60 s fires a hold of 60 s.  Without a hold it fires at once.
    - One evaluation without the condition ends a pending instance, and its hold starts again.
    - Within the keep time a returning condition continues the same instance.
    - A firing instance whose hold time was raised past its age is pending again.

    Raises ``DuplicateLabelsError``; the caller keeps the previous instances then.
    """
    seen = _label(rule, vector)
    instances: dict[Labels, Instance] = {}
    transitions: list[Transition] = []
    for labels, (sample, value) in seen.items():
        before = previous.get(labels)
        summary, description = rule.sentences(sample, value)
        observed = Instance(
            labels=labels,
            state=before.state if before else State.PENDING,
            active_at_ms=before.active_at_ms if before else now_ms,
            fired_at_ms=before.fired_at_ms if before else None,
            keep_since_ms=None,
            value=value,
            summary=summary,
            description=description,
        )
        after = _advance(rule, observed, now_ms)
        instances[labels] = after
        was = before.state if before else State.INACTIVE
        if after.state is not was:
            transitions.append(Transition(after, was, after.state, now_ms, _why_active(was, after.state)))
    for labels, before in previous.items():
        if labels in seen:
            continue
        kept = _keep(rule, before, now_ms)
        if kept is None:
            transitions.append(
                Transition(before, before.state, State.INACTIVE, now_ms, _why_inactive(before, rule.keep_ms))
            )
        else:
            instances[labels] = after = _advance(rule, kept, now_ms)
            if after.state is not before.state:
                transitions.append(Transition(after, before.state, after.state, now_ms, Reason.HOLD_RAISED))
    return Step(instances, tuple(transitions))


def retire(previous: Instances, now_ms: int) -> Step:
    """End every instance of a rule that is no longer defined."""
    return Step(
        {},
        tuple(Transition(each, each.state, State.INACTIVE, now_ms, Reason.RULE_REMOVED) for each in previous.values()),
    )


def _label(rule: Rule, vector: Vector) -> dict[Labels, tuple[Labels, float]]:
    seen: dict[Labels, tuple[Labels, float]] = {}
    for sample, value in vector:
        labels = rule.identity(sample)
        if labels in seen:
            raise DuplicateLabelsError(
                f"{rule.name}: two results have the labels {labels}; keep a label that tells them apart in the signal's by"
            )
        seen[labels] = (sample, value)
    return seen


def _keep(rule: Rule, before: Instance, now_ms: int) -> Instance | None:
    """The instance as the keep time holds it, or None when it ends now."""
    if before.state is not State.FIRING or rule.keep_ms == 0:
        return None
    since_ms = now_ms if before.keep_since_ms is None else before.keep_since_ms
    return replace(before, keep_since_ms=since_ms) if now_ms - since_ms < rule.keep_ms else None


def _advance(rule: Rule, instance: Instance, now_ms: int) -> Instance:
    held = now_ms - instance.active_at_ms >= rule.hold_ms
    if instance.state is State.PENDING and held:
        return replace(instance, state=State.FIRING, fired_at_ms=now_ms)
    if instance.state is State.FIRING and not held:
        return replace(instance, state=State.PENDING, fired_at_ms=None)
    return instance


def _why_active(was: State, now: State) -> Reason:
    if now is State.FIRING:
        return Reason.HELD
    return Reason.BEGAN if was is State.INACTIVE else Reason.HOLD_RAISED


def _why_inactive(before: Instance, keep_ms: int) -> Reason:
    if before.state is State.PENDING:
        return Reason.ENDED_EARLY
    return Reason.KEEP_OVER if keep_ms else Reason.ENDED
