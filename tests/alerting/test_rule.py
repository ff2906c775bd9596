from __future__ import annotations

import pytest

from alerts.expression import expression
from alerts.profile import DEMO, PRODUCTION
from alerts.registry import ALERTS
from alerts.rules.celery import CELERY_QUEUE_BACKLOG
from opsconsole.alerting.rule import Rule


def test_a_rule_asks_what_prometheus_is_asked():
    rule = Rule.of(CELERY_QUEUE_BACKLOG, PRODUCTION)
    assert rule.query == expression(CELERY_QUEUE_BACKLOG, PRODUCTION)
    assert (rule.hold_ms, rule.keep_ms) == (60_000, 120_000)


def test_the_demo_holds_for_less_but_for_whole_evaluations():
    rule = Rule.of(CELERY_QUEUE_BACKLOG, DEMO)
    assert (rule.hold_ms, rule.keep_ms) == (2_000, 4_000)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_can_speak_about_the_labels_of_its_signal(alert):
    rule = Rule.of(alert, PRODUCTION)
    sample = {name: f"some-{name}" for name in alert.signal.by}
    summary, description = rule.sentences(rule.labels.of(sample), alert.threshold)
    assert summary
    assert "{" not in summary + description
