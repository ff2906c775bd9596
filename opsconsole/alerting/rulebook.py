"""The rule book: every rule, its active instances and its health between two evaluations, in memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .machine import Step, Vector, step
from .rule import Rule
from .state import Instances, State, Transition

log = logging.getLogger(__name__)

Query = Callable[[str, int], Vector]
"""``query(promql, at_ms)``: raises what it likes when it cannot answer."""


class Health(StrEnum):
    UNKNOWN = "unknown"  # not evaluated yet
    OK = "ok"
    ERR = "err"  # the last evaluation failed; the state is that of the last one that did not


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule as it stands.  ``duration_s`` is how long its last evaluation took; ``error`` one line, empty when healthy."""

    rule: Rule
    instances: Instances = field(default_factory=dict)
    health: Health = Health.UNKNOWN
    error: str = ""
    evaluated_at_ms: int | None = None
    duration_s: float = 0.0

    @property
    def state(self) -> State:
        """The worst of its instances."""
        states = {instance.state for instance in self.instances.values()}
        return next((state for state in (State.FIRING, State.PENDING) if state in states), State.INACTIVE)


Statuses = Mapping[str, RuleStatus]
"""By the name of the alert, in the order of the definitions."""


class RuleBook:
    """Holds the statuses of all rules.  One thread evaluates; any thread reads, and always sees one whole evaluation."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._statuses: Statuses = {rule.name: RuleStatus(rule) for rule in rules}

    def statuses(self) -> Statuses:
        return self._statuses

    def replace(self, statuses: Statuses) -> None:
        self._statuses = statuses

    def restore(self, instances: Mapping[str, Instances]) -> None:
        """Put stored instances back; rules they do not name begin without any."""
        self.replace(
            {name: replace(status, instances=instances.get(name, {})) for name, status in self._statuses.items()}
        )

    def count(self, state: State) -> int:
        """How many instances are in ``state``."""
        return sum(each.state is state for status in self._statuses.values() for each in status.instances.values())


def evaluate(
    status: RuleStatus, query: Query, now_ms: int, stopwatch: Callable[[], float] = time.perf_counter
) -> tuple[RuleStatus, tuple[Transition, ...]]:
    """Run one rule once.

    A query that fails changes the health and nothing else: an alert must not end because nobody could look.
    """
    began = stopwatch()
    try:
        result: Step = step(status.rule, query(status.rule.query, now_ms), status.instances, now_ms)
    except Exception as error:
        # Whatever the store, the engine or a definition does wrong, the other rules go on.
        if status.health is not Health.ERR:
            log.exception("rule %s cannot be evaluated; its state stands still", status.rule.name)
        message = str(error).partition("\n")[0] or type(error).__name__
        failed = replace(
            status, health=Health.ERR, error=message, evaluated_at_ms=now_ms, duration_s=stopwatch() - began
        )
        return failed, ()
    healthy = replace(
        status,
        instances=result.instances,
        health=Health.OK,
        error="",
        evaluated_at_ms=now_ms,
        duration_s=stopwatch() - began,
    )
    return healthy, result.transitions
