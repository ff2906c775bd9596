from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from opsconsole_exporters.catalog import CATALOG, READ

from opsconsole.promql.parse import parse
from opsconsole.promql.selectors import selectors
from signals.model import ANY_JOB, Signal
from signals.naming import by_name
from signals.registry import BY_NAME, SIGNALS

EXPOSED = {name for metric in (*CATALOG, *READ) for name in (metric.name, metric.bucket, metric.sum, metric.count)}

every_signal = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)


@every_signal
def test_the_labels_of_a_signal_are_exactly_those_its_expression_returns(
    signal: Signal, result_labels: Callable[[str], frozenset[str]]
) -> None:
    assert result_labels(signal.promql(window="5m")) == set(signal.by)
    assert len(set(signal.by)) == len(signal.by)


@every_signal
def test_a_signal_reads_only_metrics_that_somebody_writes(signal: Signal) -> None:
    names = set(re.findall(r"([a-z_:]+)\{", signal.promql(window="5m")))
    assert names
    assert names <= EXPOSED


@every_signal
def test_every_selector_of_a_signal_can_be_narrowed(signal: Signal) -> None:
    narrowed = signal.promql(window="5m", selector='job="shop", instance="shop:8000"')
    found = list(selectors(parse(narrowed)))
    assert found
    for selector in found:
        matchers = {matcher.name: matcher.value for matcher in selector.matchers}
        assert matchers.items() >= {"job": "shop", "instance": "shop:8000"}.items()


@every_signal
def test_a_signal_is_told_in_one_sentence(signal: Signal) -> None:
    assert signal.title
    assert signal.help.endswith(".")
    assert re.fullmatch(r"[a-z0-9_]+", signal.name)


def test_a_dollar_in_a_pattern_survives_the_placeholders() -> None:
    signal = Signal("x", "X", 'sum(x{$selector, path=~"/a$$"})', SIGNALS[0].unit, (), "X.")
    assert signal.promql(window="5m") == f'sum(x{{{ANY_JOB}, path=~"/a$"}})'


def test_a_folded_signal_is_one_number_of_the_same_unit(result_labels: Callable[[str], frozenset[str]]) -> None:
    worst = BY_NAME["http_latency_p95"].fold("max", "Worst", "The slowest.")
    assert worst.by == ()
    assert worst.unit is BY_NAME["http_latency_p95"].unit
    assert result_labels(worst.promql(window="5m")) == frozenset()


def test_two_signals_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two signals are named http_request_rate: rename one of them"):
        by_name("signals", (*SIGNALS, SIGNALS[0]))
