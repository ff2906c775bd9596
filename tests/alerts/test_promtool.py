"""The generated tests pass on the generated rules, and fail on rules that say something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.expression import expression
from alerts.model import Alert, Direction
from alerts.profile import DEMO, PRODUCTION, PROFILES, Profile
from alerts.prometheus import rule_file
from alerts.promtool import unit_tests
from alerts.registry import ALERTS, BY_NAME, FAMILIES

Rule = dict[str, Any]

every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def passes(folder: Path, promtool: Callable[..., Any], rules: str, alerts: tuple[Alert, ...], profile: Profile) -> bool:
    (folder / "rules.yml").write_text(rules)
    (folder / "tests.yml").write_text(unit_tests(alerts, profile, rules="rules.yml"))
    return bool(promtool("test", "rules", folder / "tests.yml").returncode == 0)


@every_profile
@pytest.mark.parametrize("family", FAMILIES)
def test_the_generated_rules_pass_the_generated_tests(
    family: str, profile: Profile, tmp_path: Path, promtool: Callable[..., Any]
) -> None:
    alerts = FAMILIES[family]
    assert passes(tmp_path, promtool, rule_file(family, alerts, profile), alerts, profile)


def with_expression(change: Callable[[Alert], Alert]) -> Callable[[Alert, Rule], None]:
    """Change what the rule computes and leave its words alone, so that only timing can betray it."""

    def mutate(alert: Alert, rule: Rule) -> None:
        rule["expr"] = expression(change(alert), DEMO)  # the demo's windows are short, so promtool is quick

    return mutate


def flip(alert: Alert) -> Alert:
    return replace(alert, direction=Direction.BELOW if alert.direction is Direction.ABOVE else Direction.ABOVE)


def double(duration: str) -> str:
    return re.sub(r"\d+", lambda match: str(2 * int(match[0])), duration)


MUTANTS: Mapping[str, Callable[[Alert, Rule], None]] = {
    "threshold x 2": with_expression(lambda alert: replace(alert, threshold=alert.threshold * 2)),
    "threshold / 2": with_expression(lambda alert: replace(alert, threshold=alert.threshold / 2)),
    "comparison flipped": with_expression(flip),
    "hold x 2": lambda _, rule: rule.update({"for": double(rule["for"])}),
    "no hold": lambda _, rule: rule.pop("for"),
    "keeps for longer": lambda _, rule: rule.update({"keep_firing_for": double(rule.get("keep_firing_for", "1m"))}),
    "no keep": lambda _, rule: rule.pop("keep_firing_for"),
    "no guard": with_expression(lambda alert: replace(alert, guard=None)),
    "services mixed up": lambda _, rule: rule.update(
        {"expr": rule["expr"].replace("(job, ", "(").replace("(job)", "()")}
    ),
    "words changed": lambda _, rule: rule["annotations"].update(summary=rule["annotations"]["summary"] + "!"),
    "severity changed": lambda _, rule: rule["labels"].update(severity="info"),
}


def applies(mutant: str, alert: Alert) -> bool:
    match mutant:
        case "no keep":
            return bool(alert.keep)
        case "no guard":
            return alert.guard is not None
        case "threshold / 2":
            # Nothing whole lies between 1 and 0.5: "below one worker" and "below half a worker" are the same alert.
            return alert.direction is Direction.ABOVE
    return True


@pytest.mark.parametrize(
    ("alert", "mutant"),
    [
        pytest.param(alert, name, id=f"{alert.name}: {name}")
        for alert in ALERTS
        for name in MUTANTS
        if applies(name, alert)
    ],
)
def test_a_rule_that_says_something_else_fails(
    alert: Alert, mutant: str, tmp_path: Path, promtool: Callable[..., Any]
) -> None:
    document = yaml.safe_load(rule_file("mutant", [alert], DEMO))
    (rule,) = document["groups"][0]["rules"]
    MUTANTS[mutant](alert, rule)
    mutated = yaml.safe_dump(document)
    assert mutated != yaml.safe_dump(yaml.safe_load(rule_file("mutant", [alert], DEMO)))
    assert not passes(tmp_path, promtool, mutated, (alert,), DEMO)


@every_alert
def test_every_alert_is_tested_healthy_and_in_trouble(alert: Alert) -> None:
    tests = yaml.safe_load(unit_tests([alert], PRODUCTION, rules="rules.yml"))["tests"]
    stories = {test["name"].removeprefix(f"{alert.name}: ") for test in tests}
    assert {"a healthy service", "across the threshold and back", "across for less than the hold time"} <= stories
    assert ("across with too little traffic" in stories) == (alert.guard is not None)
    assert sum("alert_rule_test" in test for test in tests) == 1


def test_a_signal_without_a_feed_is_named() -> None:
    alert = BY_NAME["TargetDown"]
    blind = replace(alert, signal=replace(alert.signal, feed=None))
    with pytest.raises(ValueError, match="signal target_up has no feed: name one"):
        unit_tests([blind], PRODUCTION, rules="rules.yml")


def test_a_profile_that_scrapes_and_evaluates_at_two_paces_is_refused() -> None:
    uneven = replace(PRODUCTION, name="uneven", scrape=PRODUCTION.scrape / 3)
    with pytest.raises(ValueError, match="profile uneven: tests need one sample for each evaluation"):
        unit_tests([BY_NAME["TargetDown"]], uneven, rules="rules.yml")
