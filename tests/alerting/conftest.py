"""A rule to turn the hands for, and a player that walks a script of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from alerts.rules.celery import CELERY_QUEUE_BACKLOG
from opsconsole.alerting.machine import step
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.state import Transition
from opsconsole.series.labels import Labels

MakeRule = Callable[..., Rule]
Play = Callable[..., tuple[str, list[Transition]]]


@pytest.fixture
def make_rule() -> MakeRule:
    def make(hold_s: int = 0, keep_s: int = 0) -> Rule:
        return Rule(CELERY_QUEUE_BACKLOG, "q", hold_s * 1000, keep_s * 1000, Labels.of(severity="warning"))

    return make


@pytest.fixture
def play() -> Play:
    """``play(rule, "..xx.x", every_s=30)``: one evaluation a character, ``x`` true and ``.`` false, of one series.

    Gives the state after each (``-`` inactive, ``p`` pending, ``F`` firing) and all transitions.
    """

    def run(rule: Rule, script: str, every_s: int = 30) -> tuple[str, list[Transition]]:
        letters = {"pending": "p", "firing": "F"}
        instances: Mapping = {}
        states, transitions = "", []
        for number, letter in enumerate(script):
            vector = [(Labels.of(job="shop", queue="mail"), 90.0 + number)] if letter == "x" else []
            result = step(rule, vector, instances, number * every_s * 1000)
            instances = result.instances
            transitions += result.transitions
            states += letters[next(iter(instances.values())).state] if instances else "-"
        return states, transitions

    return run
