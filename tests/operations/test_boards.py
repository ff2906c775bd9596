"""What a page is told of a board, and which questions about it make sense."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest

from alerts.profile import DEMO, PRODUCTION
from alerts.registry import BY_NAME as ALERTS
from dashboards.boards.overview import OVERVIEW
from opsconsole.operations.boards import MAX_POINTS, LiveBoard, describe, selector, snapshot, step_for, watch
from opsconsole.operations.console import Console
from opsconsole.promql.engine import Engine
from opsconsole.promql.parse import parse
from opsconsole.records.models import Incident
from opsconsole.series.clock import ManualClock
from opsconsole.series.timerange import TimeRange
from opsconsole.storage.head import Head

NOW_MS = 1_764_000_000_900


@pytest.fixture
def console() -> Console:
    nothing = cast("Any", None)
    return Console(
        clock=ManualClock(NOW_MS),
        profile=DEMO,
        boards={"overview": OVERVIEW},
        alerts=ALERTS,
        engine=Engine(Head()),
        spans=nothing,
        scraper=nothing,
        hub=nothing,
        public_url="",
    )


def test_the_page_learns_titles_units_sizes_and_threshold_lines():
    page = orjson.loads(orjson.dumps(describe(OVERVIEW, PRODUCTION)))
    assert (page["board"], page["variables"], page["scrape"]) == ("overview", ["job"], 15.0)
    panels = {panel["name"]: panel for panel in page["panels"]}
    assert list(panels) == [panel.name for panel in OVERVIEW.panels]
    latency = panels["latency"]
    assert (latency["kind"], latency["unit"], latency["now"]) == ("line", "s", 1)
    (line,) = latency["thresholds"]
    alert = ALERTS["DjangoLatencyHigh"]
    assert line["value"] == alert.threshold
    assert line["query"] == 1  # P95, which the alert watches
    assert line["label"] == "alert above 0.5 s"
    assert all(panel["help"].endswith(".") for panel in page["panels"])
    assert {panel for row in page["rows"] for panel in row["panels"]} == set(panels)


@pytest.mark.parametrize(
    ("duration_s", "scrape_s", "step_s"),
    [
        (60, 2, 2),
        (900, 2, 2),
        (901, 2, 5),
        (900, 15, 15),
        (3600, 2, 10),
        (86_400, 15, 300),
        (7 * 86_400, 15, 1800),
        (90 * 86_400, 15, 18_000),
    ],
)
def test_the_step_is_round_and_gives_no_more_points_than_a_chart_can_show(duration_s, scrape_s, step_s):
    assert step_for(duration_s * 1000, scrape_s * 1000) == step_s * 1000
    assert duration_s / step_s <= MAX_POINTS


@pytest.mark.parametrize("value", ['x"} or up{a="', "back\\slash", "new\nline", "${window}", "$selector", "'", "ü {{"])
def test_a_variable_is_one_label_value_whatever_is_in_it(value):
    text = OVERVIEW.panels[0].queries[0].signal.promql(window="5m", selector=selector(OVERVIEW, {"job": value}))
    assert f"{value!r}" in repr(parse(text))


def test_without_a_variable_every_job_is_meant():
    assert selector(OVERVIEW, {}) == selector(OVERVIEW, {"job": ""}) == 'job=~".+"'


def test_equal_questions_are_equal_watches(console):
    one = watch(console, OVERVIEW, TimeRange("now-15m"), {"job": "a"})
    assert one == watch(console, OVERVIEW, TimeRange("now-15m"), {"job": "a"})
    assert watch(console, OVERVIEW, TimeRange("now-15m"), {"job": ""}) == watch(
        console, OVERVIEW, TimeRange("now-15m"), {}
    )
    assert one != watch(console, OVERVIEW, TimeRange("now-15m"), {"job": "b"})
    assert one != watch(console, OVERVIEW, TimeRange("now-30m"), {"job": "a"})


@pytest.mark.parametrize(
    ("range_", "variables", "sentence"),
    [
        (TimeRange("now", "now-5m"), {}, "must be before"),
        (TimeRange("0", "99999999999"), {}, "outside 1970 to 2200"),
        (TimeRange("now-100y", "now"), {}, "outside 1970 to 2200"),
        (TimeRange(), {"colour": "red"}, "variable 'colour' is unknown; this board has job"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(console, range_, variables, sentence):
    with pytest.raises(ValueError, match=sentence):
        watch(console, OVERVIEW, range_, variables)


@pytest.mark.django_db
def test_every_panel_of_the_overview_can_be_evaluated_even_over_nothing(console):
    frame = orjson.loads(orjson.dumps(snapshot(console, OVERVIEW, TimeRange(), {})))
    assert {name for name, panel in frame["panels"].items() if "error" in panel} == set()
    assert len(frame["t"]) == 450
    assert frame["t"][-1] == 1_764_000_000.0
    assert frame["seq"] == 1_764_000_000 // 2


@pytest.mark.django_db
def test_bands_say_when_an_alert_fired_and_travel_again_only_when_they_change(console):
    def at(seconds_ago: int) -> datetime:
        return datetime.fromtimestamp(NOW_MS // 1000 - seconds_ago, UTC)

    incident = Incident.objects.create(
        alert="DjangoLatencyHigh",
        labels={"job": "shop-web"},
        fingerprint="0" * 16,
        severity="critical",
        started_at=at(120),
        fired_at=at(100),
    )
    live = LiveBoard(console, watch(console, OVERVIEW, TimeRange(), {}))
    firing = {
        "from": float(NOW_MS // 1000 - 100),
        "to": None,
        "severity": "critical",
        "alert": "DjangoLatencyHigh",
    }
    assert live.snapshot()["bands"] == {"p95": [firing], "latency": [firing]}
    assert "bands" not in live.delta(live.at_ms + 2000)

    incident.resolved_at = at(-3)
    incident.save()
    resolved = {**firing, "to": float(NOW_MS // 1000 + 3)}
    assert live.delta(live.at_ms + 2000)["bands"] == {"p95": [resolved], "latency": [resolved]}
    assert "bands" not in live.delta(live.at_ms + 2000)


@pytest.mark.django_db
def test_a_snapshot_over_a_range_that_is_past_ends_where_the_range_ends(console):
    end_s = NOW_MS // 1000 - 3600
    frame = snapshot(console, OVERVIEW, TimeRange(str(end_s - 600), str(end_s)), {})
    assert frame["t"][-1] == end_s
    assert frame["t"][0] == end_s - 600 + 2
