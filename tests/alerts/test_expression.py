from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import duration, number
from alerts.expression import expression
from alerts.profile import DEMO, PRODUCTION
from alerts.registry import BY_NAME


def test_an_alert_is_its_signal_beyond_its_threshold() -> None:
    assert expression(BY_NAME["TargetDown"], PRODUCTION) == '(max by (job, instance) (up{job=~".+"})) < 1'


def test_a_guard_is_joined_on_its_own_labels() -> None:
    text = expression(BY_NAME["DjangoLatencyHigh"], PRODUCTION)
    assert text.count(" and on (job) (") == 1
    assert text.endswith("[5m]))) > 1")


def test_a_profile_sets_the_window_and_a_selector_narrows_every_part() -> None:
    text = expression(BY_NAME["DjangoErrorRateHigh"], DEMO, selector='job="shop"')
    assert "[20s]" in text
    assert "[5m]" not in text
    assert 'job=~".+"' not in text
    assert text.count('job="shop"') == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (0.05, "0.05"),
        (60, "60"),
        (60.0, "60"),
        (1e6, "1000000"),
        (1e-07, "0.0000001"),
        (100, "100"),
        (0, "0"),
    ],
)
def test_a_number_is_written_as_it_was_said(value: float, text: str) -> None:
    assert number.in_promql(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    text = number.in_promql(value)
    assert float(text) == value
    assert "e" not in text


def test_a_threshold_changes_the_expression_and_nothing_else() -> None:
    alert = BY_NAME["CeleryQueueBacklog"]
    assert expression(replace(alert, threshold=90), PRODUCTION) == expression(alert, PRODUCTION).replace("60", "90")


@pytest.mark.parametrize(
    ("seconds", "promql", "words"),
    [
        (0, "0s", "0 seconds"),
        (1, "1s", "1 second"),
        (20, "20s", "20 seconds"),
        (60, "1m", "1 minute"),
        (90, "1m30s", "1 minute 30 seconds"),
        (300, "5m", "5 minutes"),
        (90_000, "1d1h", "1 day 1 hour"),
    ],
)
def test_a_duration_has_a_text_for_promql_and_one_for_people(seconds: int, promql: str, words: str) -> None:
    assert duration.in_promql(timedelta(seconds=seconds)) == promql
    assert duration.in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize("odd", [timedelta(seconds=-1), timedelta(milliseconds=500)])
def test_a_duration_that_no_rule_can_have_is_refused(odd: timedelta) -> None:
    with pytest.raises(ValueError, match="use whole seconds"):
        duration.in_promql(odd)


def test_the_demo_holds_for_whole_evaluations_and_never_for_less_than_one() -> None:
    assert DEMO.scale(timedelta(minutes=5)) == timedelta(seconds=10)
    assert DEMO.scale(timedelta(seconds=1)) == DEMO.evaluation
    assert DEMO.scale(timedelta(0)) == timedelta(0)
    assert PRODUCTION.scale(timedelta(minutes=5)) == timedelta(minutes=5)
