"""The console's own engine and state machine live through the scenarios of the generated promtool tests.

promtool proves that Prometheus tells every story right; the same stories told here prove that both agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import yaml

from alerts.model import Alert
from alerts.profile import PROFILES, Profile
from alerts.promtool import unit_tests
from alerts.registry import ALERTS
from alerts.scenario import Scenario, scenarios
from opsconsole.alerting.machine import step
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.state import Instance, Instances, State
from opsconsole.promql.engine import Engine
from opsconsole.promql.memory import MemorySource
from opsconsole.series.block import Block
from opsconsole.series.labels import METRIC_NAME, Labels

START_MS = 1_764_000_000_000


def block(series: list[dict[str, str]], step_ms: int) -> Block:
    """The input series of a generated test as one scraped target."""
    labels, rows = [], []
    for each in series:
        name, matchers = re.fullmatch(r"(\w+)\{(.*)\}", each["series"]).groups()  # type: ignore[union-attr]
        labels.append(Labels.of([(METRIC_NAME, name), *re.findall(r'(\w+)="([^"]*)"', matchers)]))
        parts = re.findall(r"([\d.]+)\+([\d.]+)x(\d+)", each["values"])
        rows.append([float(start) + float(by) * i for start, by, more in parts for i in range(int(more) + 1)])
    instants = START_MS + step_ms * np.arange(len(rows[0]), dtype=np.int64)
    return Block(labels, instants, np.array(rows))


def firing(rule: Rule, source: MemorySource, evaluations: int, step_ms: int) -> Iterator[list[Instance]]:
    """For each evaluation the instances that fire after it."""
    engine = Engine(source)
    instances: Instances = {}
    for now_ms in range(START_MS, START_MS + evaluations * step_ms, step_ms):
        matrix = engine.instant(rule.query, now_ms)
        vector = zip(matrix.labels, matrix.last, strict=True)
        instances = step(rule, vector, instances, now_ms).instances
        yield [each for each in instances.values() if each.state is State.FIRING]


def stories() -> Iterator[object]:
    for profile in PROFILES.values():
        for alert in ALERTS:
            tests = yaml.safe_load(unit_tests([alert], profile, rules="rules.yml"))["tests"]
            for scenario, test in zip(scenarios(alert, profile), tests, strict=True):
                yield pytest.param(alert, profile, scenario, test, id=f"{profile.name} {test['name']}")


@pytest.mark.parametrize(("alert", "profile", "scenario", "test"), list(stories()))
def test_the_built_in_evaluator_fires_and_resolves_when_prometheus_does(
    alert: Alert, profile: Profile, scenario: Scenario, test: dict[str, list[dict[str, str]]]
) -> None:
    step_ms = round(profile.evaluation.total_seconds() * 1000)
    source = MemorySource([block(test["input_series"], step_ms)])
    rule = Rule.of(alert, profile)
    seen = list(firing(rule, source, scenario.evaluations, step_ms))
    fired = [number for number, instances in enumerate(seen) if instances]
    if scenario.fires is None or scenario.resolves is None:
        assert fired == []
    else:
        assert fired == list(range(scenario.fires, scenario.resolves))
    if scenario.settled is not None:
        (instance,) = seen[scenario.settled]
        (expected,) = test["alert_rule_test"][0]["exp_alerts"]
        assert instance.summary == expected["exp_annotations"]["summary"]  # type: ignore[index]
        assert instance.description == expected["exp_annotations"]["description"]  # type: ignore[index]
