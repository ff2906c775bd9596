"""The words of an alert: by Python, and by Prometheus from the Go templates, which must not differ."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.annotations import rendered, templated
from alerts.model import Alert
from alerts.profile import PRODUCTION
from alerts.registry import ALERTS, BY_NAME
from alerts.sentence import Sentence, go_value
from signals.unit import Unit, format_value

HOLD = timedelta(minutes=5)
VALUES = (
    0,
    0.00005678,
    0.0231,
    0.0999,
    0.1,
    0.5,
    0.6312,
    1,
    1.4234,
    12.345,
    59.96,
    71.26,
    99.96,
    119.97,
    120,
    412.5,
    5400,
)
HOSTILE = {"job": "a b&c/é", "queue": 'quo"te', "instance": "[::1]:8000", "db_client_connection_pool_name": "<b>"}


@pytest.mark.parametrize(
    ("name", "labels", "value", "text"),
    [
        ("DjangoLatencyHigh", {"job": "shop-web"}, 1.42, "shop-web: P95 latency is 1.42 s, over 0.5 s"),
        ("DjangoErrorRateHigh", {"job": "shop-web"}, 0.125, "shop-web: 12.5 % of responses are 5xx, over 5 %"),
        ("CeleryQueueBacklog", {"queue": "default"}, 71, "default: the oldest task has waited 71 s, over 60 s"),
        ("CeleryNoWorkers", {"queue": "high"}, 0, "high: no worker consumes the queue"),
        ("TargetDown", {"job": "shop-web", "instance": "a:1"}, 0, "shop-web: a:1 does not answer"),
        (
            "DatabasePoolSaturated",
            {"job": "shop-web", "db_client_connection_pool_name": "default"},
            1,
            "shop-web: 100 % of the pool default is in use, over 90 %",
        ),
    ],
)
def test_a_summary_is_a_sentence_with_the_number_that_matters(
    name: str, labels: dict[str, str], value: float, text: str
) -> None:
    alert = BY_NAME[name]
    assert alert.summary.render(alert, labels=labels, value=value, hold=HOLD) == text


def test_a_label_that_is_missing_is_empty_as_in_prometheus() -> None:
    alert = BY_NAME["TargetDown"]
    assert Sentence("<{job}>").render(alert, labels={}, value=0, hold=HOLD) == "<>"


def test_the_hold_time_is_the_one_of_the_profile_in_use() -> None:
    alert = BY_NAME["TargetDown"]
    assert "For 2 seconds" in alert.description.render(alert, labels={}, value=0, hold=timedelta(seconds=2))


def test_a_label_value_is_never_read_as_a_template() -> None:
    alert = BY_NAME["TargetDown"]
    assert Sentence("{job}").render(alert, labels={"job": "{value}"}, value=7, hold=HOLD) == "{value}"


def test_links_carry_the_service_of_the_alert() -> None:
    alert = BY_NAME["DjangoLatencyHigh"]
    links = rendered(alert, labels={"job": "a b"}, value=1, hold=HOLD, console_url="https://ops.example")
    assert links["runbook_url"] == "https://ops.example/runbooks/DjangoLatencyHigh/"
    assert links["dashboard_url"] == "https://ops.example/boards/overview/?job=a+b"


def run_rules(folder: Path, promtool: Callable[..., Any], rules: list[Any], tests: list[Any]) -> None:
    (folder / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "words", "rules": rules}]}, allow_unicode=True)
    )
    (folder / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}, allow_unicode=True)
    )
    outcome: subprocess.CompletedProcess[str] = promtool("test", "rules", folder / "tests.yml")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_prometheus_prints_every_value_of_every_unit_with_our_characters(
    tmp_path: Path, promtool: Callable[..., Any]
) -> None:
    cases = {f"case{index}": (unit, value) for index, (unit, value) in enumerate((u, v) for u in Unit for v in VALUES)}
    rules = [
        {"alert": name, "expr": f'v{{case="{name}"}} > -1', "annotations": {"text": go_value(unit)}}
        for name, (unit, _) in cases.items()
    ]
    test = {
        "interval": "1m",
        "input_series": [
            {"series": f'v{{case="{name}"}}', "values": repr(value)} for name, (_, value) in cases.items()
        ],
        "alert_rule_test": [
            {
                "eval_time": "0m",
                "alertname": name,
                "exp_alerts": [{"exp_labels": {"case": name}, "exp_annotations": {"text": format_value(value, unit)}}],
            }
            for name, (unit, value) in cases.items()
        ],
    }
    run_rules(tmp_path, promtool, rules, [test])


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_prometheus_says_the_same_words_about_hostile_labels(
    alert: Alert, tmp_path: Path, promtool: Callable[..., Any]
) -> None:
    labels = {name: HOSTILE[name] for name in alert.signal.by}
    hold = PRODUCTION.scale(alert.hold)
    annotations = {"hold": hold, "console_url": "https://ops.example"}
    rule = {"alert": "Words", "expr": "v > -1", "annotations": templated(alert, **annotations)}
    matchers = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    expected = rendered(alert, labels=labels, value=0.75, **annotations)
    test = {
        "interval": "1m",
        "input_series": [{"series": f"v{{{matchers}}}", "values": "0.75"}],
        "alert_rule_test": [
            {
                "eval_time": "0m",
                "alertname": "Words",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": expected}],
            }
        ],
    }
    run_rules(tmp_path, promtool, [rule], [test])


def test_a_sentence_knows_the_labels_it_needs() -> None:
    assert Sentence("{job} {value} {threshold} {hold} {queue}").labels == {"job", "queue"}


def test_the_threshold_in_the_words_is_the_one_of_the_alert() -> None:
    alert = replace(BY_NAME["DjangoLatencyHigh"], threshold=0.25)
    assert alert.summary.render(alert, labels={"job": "x"}, value=1, hold=HOLD).endswith("over 0.25 s")
