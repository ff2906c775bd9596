"""Writes unit tests for ``promtool test rules`` out of the definitions alone.

Timing is asserted on the ``ALERTS`` series, at the evaluation where it must change and at the one before; the words
are asserted once for each alert, against what Python renders, so that both sides say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opsconsole_exporters.catalog.evaluator import ALERTS

from signals.feed import Feed, Flow
from signals.model import Signal

from .annotations import CONSOLE_URL, rendered
from .document import to_yaml
from .duration import in_promql
from .model import Alert
from .number import in_promql as number
from .profile import Profile
from .scenario import Levels, Scenario, scenarios

SUBJECT = {"job": "shop", "instance": "shop:8000"}
NEIGHBOUR = {"job": "blog", "instance": "blog:8000"}
"""A healthy service beside the one in trouble: a rule that mixes them up fails its test."""

COUNTER_START = 1_000_000_000
"""Far from zero, where ``rate`` would stop extrapolating at the presumed birth of the counter."""

OUTWEIGH = 100
"""Each phase brings this many times the traffic of the one before, so that its first sample already decides shares
and quantiles over the whole window.  The prediction then holds to the evaluation, for the closed windows of
Prometheus 2 and for the left-open ones of Prometheus 3."""


def unit_tests(alerts: Sequence[Alert], profile: Profile, *, rules: str, console_url: str = CONSOLE_URL) -> str:
    """The text of a test file.  ``rules`` is the path of the rule file as seen from the test file.

    Raises ``ValueError`` for an alert whose signal, or whose guard's signal, has no feed.
    """
    return to_yaml(
        {
            "rule_files": [rules],
            "evaluation_interval": in_promql(profile.evaluation),
            "tests": [
                _test(alert, scenario, profile, console_url)
                for alert in alerts
                for scenario in scenarios(alert, profile)
            ],
        }
    )


def _test(alert: Alert, scenario: Scenario, profile: Profile, console_url: str) -> dict[str, object]:
    test: dict[str, object] = {
        "name": f"{alert.name}: {scenario.name}",
        "interval": in_promql(profile.scrape),
        "input_series": list(_input_series(alert, scenario, profile)),
        "promql_expr_test": list(_timing(alert, scenario, profile)),
    }
    if scenario.settled is not None:
        test["alert_rule_test"] = [_words(alert, scenario.settled, profile, console_url)]
    return test


def _words(alert: Alert, evaluation: int, profile: Profile, console_url: str) -> dict[str, object]:
    """One firing instance with exactly these labels and annotations, and no other."""
    labels = _result_labels(alert)
    annotations = rendered(
        alert,
        labels=labels,
        value=Levels.of(alert).bad,
        hold=profile.scale(alert.hold),
        console_url=console_url,
    )
    return {
        "eval_time": _at(evaluation, profile),
        "alertname": alert.name,
        "exp_alerts": [
            {"exp_labels": dict(sorted({**labels, **alert.labels}.items())), "exp_annotations": annotations}
        ],
    }


def _timing(alert: Alert, scenario: Scenario, profile: Profile) -> Iterator[dict[str, object]]:
    firing = f'{ALERTS}{{alertname="{alert.name}",alertstate="firing"}}'
    whole = f"[{_at(scenario.evaluations, profile)}]"
    end = scenario.evaluations - 1
    if scenario.fires is None or scenario.resolves is None:
        states = firing if scenario.pends else f'{ALERTS}{{alertname="{alert.name}"}}'
        yield _expect(f"sum(count_over_time({states}{whole}))", end, None, profile)
        return
    count = f"count({firing})"
    yield _expect(count, scenario.fires - 1, None, profile)
    yield _expect(count, scenario.fires, 1, profile)
    yield _expect(count, scenario.resolves - 1, 1, profile)
    yield _expect(count, scenario.resolves, None, profile)
    # Without a gap: as many firing evaluations as lie between the two.
    yield _expect(f"sum(count_over_time({firing}{whole}))", end, scenario.resolves - scenario.fires, profile)


def _expect(expr: str, evaluation: int, value: int | None, profile: Profile) -> dict[str, object]:
    samples = [] if value is None else [{"labels": "{}", "value": value}]
    return {"expr": expr, "eval_time": _at(evaluation, profile), "exp_samples": samples}


def _input_series(alert: Alert, scenario: Scenario, profile: Profile) -> Iterator[dict[str, str]]:
    """The subject as the scenario goes, the neighbour in good health; traffic of the guard for both."""
    signals = [(_feed(alert.signal), [phase.level for phase in scenario.phases], Levels.of(alert).good)]
    if alert.guard is not None:
        traffic = [phase.traffic for phase in scenario.phases]
        signals.append((_feed(alert.guard.signal), traffic, max(traffic)))
    for feed, levels, good in signals:
        for target, course in ((SUBJECT, levels), (NEIGHBOUR, [good] * len(levels))):
            # Turned from one list of series per phase into one list of phases per series.
            for flows in zip(*(feed.at(level) for level in course), strict=True):
                labels = {**flows[0].labels, **target}
                matchers = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
                yield {"series": f"{flows[0].name}{{{matchers}}}", "values": _values(flows, scenario, profile)}


def _values(flows: Sequence[Flow], scenario: Scenario, profile: Profile) -> str:
    """The values in the notation of promtool, a part for each phase: ``a+bxn`` is a and n more samples, each b above the last."""
    parts, last = [], float(COUNTER_START)
    for index, (flow, phase) in enumerate(zip(flows, scenario.phases, strict=True)):
        more = phase.evaluations - 1
        if flow.counter:
            weight = OUTWEIGH**index if flow.scalable else 1
            growth = round(flow.value * profile.scrape.total_seconds() * weight, 3)
            parts.append(f"{number(last + growth)}+{number(growth)}x{more}")
            last += growth * phase.evaluations
        else:
            parts.append(f"{number(round(flow.value, 6))}+0x{more}")
    return " ".join(parts)


def _result_labels(alert: Alert) -> dict[str, str]:
    """The labels of the sample that the subject in trouble gives."""
    labels = {**_feed(alert.signal).at(Levels.of(alert).bad)[0].labels, **SUBJECT}
    return {name: labels[name] for name in alert.signal.by}


def _feed(signal: Signal) -> Feed:
    if signal.feed is None:
        raise ValueError(f"signal {signal.name} has no feed: name one, so that tests of its alerts can be generated")
    return signal.feed


def _at(evaluation: int, profile: Profile) -> str:
    return in_promql(evaluation * profile.evaluation)
