from __future__ import annotations

import re
from pathlib import Path

import pytest
from opsconsole_exporters.catalog import CATALOG

import alerts
from alerts.expression import expression
from alerts.model import Alert
from alerts.profile import PROFILES, Profile
from alerts.registry import ALERTS, FAMILIES
from opsconsole.promql.parse import parse
from opsconsole.promql.plan import Binary, Number
from opsconsole.promql.selectors import selectors
from signals.naming import by_name
from signals.registry import SIGNALS

RUNBOOKS = Path(alerts.__file__).parent / "runbooks"
SECTIONS = ["What it means", "Who is affected", "First three checks", "How to fix", "When it is a false alarm"]

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def test_the_six_first_alerts_are_there() -> None:
    assert {alert.name for alert in ALERTS} >= {
        "CeleryNoWorkers",
        "CeleryQueueBacklog",
        "DatabasePoolSaturated",
        "DjangoErrorRateHigh",
        "DjangoLatencyHigh",
        "TargetDown",
    }


def test_families_and_their_alerts_stand_in_order_so_that_files_are_stable() -> None:
    assert list(FAMILIES) == sorted(FAMILIES)
    for family in FAMILIES.values():
        names = [alert.name for alert in family]
        assert names == sorted(names)


def test_two_alerts_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two alerts are named"):
        by_name("alerts", (*ALERTS, ALERTS[0]))


@every_alert
def test_an_alert_watches_a_registered_signal_that_tests_can_drive(alert: Alert) -> None:
    for signal in (alert.signal, *([alert.guard.signal] if alert.guard else [])):
        assert signal in SIGNALS
        assert signal.feed is not None


@every_alert
def test_sentences_use_only_labels_that_the_signal_has(alert: Alert) -> None:
    assert alert.summary.labels | alert.description.labels <= set(alert.signal.by)
    assert len(alert.summary.template) < 100
    assert alert.description.template.endswith(".")


@every_alert
def test_a_guard_is_aggregated_to_labels_of_the_alert(alert: Alert) -> None:
    if alert.guard:
        assert set(alert.guard.signal.by) <= set(alert.signal.by)


@every_alert
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_the_expression_of_an_alert_parses_and_compares(alert: Alert, profile: Profile) -> None:
    tree = parse(expression(alert, profile))
    assert isinstance(tree, Binary)
    condition = tree.left if alert.guard else tree
    assert isinstance(condition, Binary)
    assert condition.operator == alert.direction
    assert condition.right == Number(alert.threshold)


@every_alert
def test_the_threshold_of_a_quantile_lies_below_the_highest_finite_bucket(alert: Alert) -> None:
    if "histogram_quantile" not in alert.signal.expr:
        return
    histogram = next(metric for metric in CATALOG if metric.buckets and metric.bucket in alert.signal.expr)
    assert alert.threshold < histogram.buckets[-1]
    assert alert.threshold in histogram.buckets, "at a bound the quantile needs no guess"


@every_alert
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_rate_spans_four_scrapes_and_a_hold_whole_evaluations(alert: Alert, profile: Profile) -> None:
    assert profile.window >= 4 * profile.scrape
    for duration in (alert.hold, alert.keep):
        assert not profile.scale(duration) % profile.evaluation


@every_alert
def test_an_alert_that_can_flap_keeps_firing_for_a_while(alert: Alert) -> None:
    if "rate(" in alert.signal.expr:
        assert alert.keep


@every_alert
def test_a_runbook_says_what_to_do_and_its_queries_parse(alert: Alert) -> None:
    text = (RUNBOOKS / alert.runbook).read_text(encoding="utf-8")
    assert text.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    queries = re.findall(r"```promql\n(.+?)```", text, re.DOTALL)
    assert queries
    for query in queries:
        parse(query.strip())


@every_alert
def test_a_runbook_names_only_metrics_that_somebody_writes(alert: Alert) -> None:
    exposed = {name for metric in CATALOG for name in (metric.name, metric.bucket, metric.sum, metric.count)} | {"up"}
    text = (RUNBOOKS / alert.runbook).read_text(encoding="utf-8")
    used = {
        selector.matchers[0].value
        for query in re.findall(r"```promql\n(.+?)```", text, re.DOTALL)
        for selector in selectors(parse(query.strip()))
    }
    assert used
    assert used <= exposed


def test_no_runbook_is_left_without_its_alert() -> None:
    assert {path.name for path in RUNBOOKS.glob("*.md")} == {alert.runbook for alert in ALERTS}
