"""Scenarios: what a service goes through in a generated test, and what the alert must make of it.

A scenario is a list of phases with a level of the signal each.  Everything is counted in evaluations of the rule; one
evaluation sees one new sample, because both profiles scrape and evaluate at the same pace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from math import floor

from signals.unit import Unit

from .model import Alert, Direction
from .profile import Profile

NEAR = 0.98
"""How close to the threshold a level must come without an alert."""

MARGIN = 4
"""Evaluations that a phase lasts beyond what it needs, so that neighbouring phases cannot blur."""


@dataclass(frozen=True, slots=True)
class Phase:
    evaluations: int
    level: float
    traffic: float
    """Level of the guard's signal."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``fires`` and ``resolves`` are evaluation numbers, from 0: the first that fires, the first that no longer does.

    Both are None when the alert must not fire; ``pends`` says whether it may at least be pending then.
    ``settled`` is an evaluation at which the whole rate window has been bad, so that the value is exactly the level.
    """

    name: str
    phases: tuple[Phase, ...]
    fires: int | None = None
    resolves: int | None = None
    settled: int | None = None
    pends: bool = False

    @property
    def evaluations(self) -> int:
        return sum(phase.evaluations for phase in self.phases)


@dataclass(frozen=True, slots=True)
class Levels:
    """``good`` is ordinary, ``near`` as close to the threshold as the signal can come, ``bad`` across it.

    ``bad`` is less than twice the threshold away, so that a rule with a doubled threshold fails its test.
    """

    good: float
    near: float
    bad: float

    @classmethod
    def of(cls, alert: Alert) -> Levels:
        threshold, whole = alert.threshold, alert.signal.unit is Unit.COUNT
        if alert.direction is Direction.BELOW:
            # Of whole things the nearest good number is the threshold itself.
            bad = threshold * 0.6
            return (
                cls(good=threshold, near=threshold, bad=floor(bad))
                if whole
                else cls(threshold * 2, threshold / NEAR, bad)
            )
        top = (1 + threshold) / 2 if alert.signal.unit is Unit.RATIO else threshold * 1.4
        return cls(good=threshold / 2, near=threshold * NEAR, bad=min(threshold * 1.4, top))


def scenarios(alert: Alert, profile: Profile) -> Iterator[Scenario]:
    """Every story that the alert must tell right."""
    if profile.scrape != profile.evaluation:
        raise ValueError(f"profile {profile.name}: tests need one sample for each evaluation; give both one interval")
    levels = Levels.of(alert)
    hold, keep = _evaluations(profile.scale(alert.hold), profile), _evaluations(profile.scale(alert.keep), profile)
    window = _evaluations(profile.window, profile)
    lead, crossing = window + MARGIN, hold + window + MARGIN
    busy = alert.guard.above * 10 if alert.guard else 0.0

    calm = Phase(lead, levels.good, busy)
    bad = Phase(crossing, levels.bad, busy)
    after = Phase(keep + MARGIN, levels.good, busy)
    yield Scenario("a healthy service", (replace(calm, evaluations=crossing),))
    if levels.near != levels.good:
        yield Scenario("just short of the threshold", (replace(calm, level=levels.near, evaluations=crossing),))
    yield Scenario(
        "across the threshold and back",
        (calm, bad, after),
        fires=lead + hold,
        resolves=lead + crossing + keep,
        settled=lead + crossing - 1,
    )
    if hold:
        yield Scenario("across for less than the hold time", (calm, replace(bad, evaluations=hold), after), pends=True)
    if keep:
        dip = replace(after, evaluations=max(1, keep // 2))
        yield Scenario(
            "back for less than the keep time",
            (calm, bad, dip, replace(bad, evaluations=MARGIN), after),
            fires=lead + hold,
            resolves=lead + crossing + dip.evaluations + MARGIN + keep,
        )
    if alert.guard:
        quiet = alert.guard.above / 2
        yield Scenario("across with too little traffic", (replace(calm, traffic=quiet), replace(bad, traffic=quiet)))


def _evaluations(duration: timedelta, profile: Profile) -> int:
    return duration // profile.evaluation
