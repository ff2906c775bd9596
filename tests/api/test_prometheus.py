"""Prometheus' HTTP API over a real engine: the answers to the letter, and every way to ask wrongly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from django.test import Client

from alerts.registry import ALERTS
from opsconsole.api.numbers import number, seconds
from opsconsole.api.wire import exponential
from opsconsole.operations import alerting
from opsconsole.series.labels import Labels

pytestmark = pytest.mark.django_db

NOW_S = 1_764_000_000


def test_an_instant_query_answers_as_prometheus_does(reader):
    answer = reader.get("/api/v1/query", {"query": "up", "time": NOW_S})
    assert answer["Content-Type"] == "application/json"
    assert answer.content == (
        b'{"status":"success","data":{"resultType":"vector","result":['
        b'{"metric":{"__name__":"up","instance":"127.0.0.1:8001","job":"web"},"value":[1764000000,"1"]}]}}'
    )


def test_a_scalar_and_the_samples_of_a_range_vector_have_their_own_types(reader):
    scalar = reader.get("/api/v1/query", {"query": "1 / 3", "time": NOW_S + 0.25}).json()["data"]
    assert scalar == {"resultType": "scalar", "result": [NOW_S + 0.25, "0.3333333333333333"]}
    samples = reader.get("/api/v1/query", {"query": "up[30s]", "time": NOW_S}).json()["data"]
    assert samples["resultType"] == "matrix"
    assert samples["result"][0]["values"] == [[NOW_S - 15, "1"], [NOW_S, "1"]]


def test_without_a_time_it_is_now(reader):
    assert reader.get("/api/v1/query", {"query": "time()"}).json()["data"]["result"] == [NOW_S, str(NOW_S)]


@pytest.mark.parametrize(
    ("expression", "text"),
    [("up / 0", "+Inf"), ("-up / 0", "-Inf"), ("up * 0 / 0", "NaN"), ("up * 1e21", "1e+21"), ("up / 4e6", "2.5e-07")],
)
def test_values_are_texts_as_go_writes_them(reader, expression, text):
    (row,) = reader.get("/api/v1/query", {"query": expression}).json()["data"]["result"]
    assert row["value"][1] == text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_range_query_answers_by_either_method_with_either_notation(reader, method):
    asked = {
        "query": "requests_total",
        "start": "2025-11-24T15:59:00Z",
        "end": "2025-11-24T17:00:00.000+01:00",
        "step": "30s",
    }
    data = getattr(reader, method)("/api/v1/query_range", asked).json()["data"]
    assert data["resultType"] == "matrix"
    (series,) = data["result"]
    assert series["metric"]["path"] == '/a"b\\'
    assert series["values"] == [[NOW_S - 60, "540"], [NOW_S - 30, "570"], [NOW_S, "600"]]
    in_seconds = {**asked, "start": NOW_S - 60, "end": float(NOW_S), "step": "30.0"}
    assert getattr(reader, method)("/api/v1/query_range", in_seconds).json()["data"] == data


def test_a_range_leaves_gaps_out_and_sorts_series_by_their_labels(reader):
    asked = {"query": '{job="web"}', "start": NOW_S - 900, "end": NOW_S - 585, "step": 15}
    result = reader.get("/api/v1/query_range", asked).json()["data"]["result"]
    assert [series["metric"]["__name__"] for series in result] == ["requests_total", "up"]
    assert [stamp for stamp, _ in result[0]["values"]] == [NOW_S - 600, NOW_S - 585]


def test_a_limit_cuts_and_says_so(reader):
    body = reader.get("/api/v1/query", {"query": '{job="web"}', "limit": 1}).json()
    assert len(body["data"]["result"]) == 1
    assert body["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in reader.get("/api/v1/query", {"query": '{job="web"}', "limit": 2}).json()


@pytest.mark.parametrize(
    ("path", "asked", "sentence"),
    [
        ("query", {}, 'invalid parameter "query"'),
        (
            "query",
            {"query": "up", "time": "noon"},
            'invalid parameter "time": Invalid time value for \'time\': cannot parse "noon" to a valid timestamp',
        ),
        ("query", {"query": "up", "time": "NaN"}, 'cannot parse "NaN" to a valid timestamp'),
        ("query", {"query": "up", "time": "1e99"}, 'cannot parse "1e99" to a valid timestamp'),
        ("query", {"query": "up", "time": "2025-11-24T16:00:00"}, "to a valid timestamp"),
        ("query", {"query": "up", "timeout": "soon"}, 'invalid parameter "timeout"'),
        ("query", {"query": "up", "limit": "-1"}, 'invalid parameter "limit"'),
        ("query", {"query": "sum("}, 'invalid parameter "query"'),
        ("query", {"query": "no_such_function(up)"}, "no_such_function"),
        ("query_range", {"query": "up", "end": NOW_S, "step": 1}, 'invalid parameter "start": cannot parse ""'),
        (
            "query_range",
            {"query": "up", "start": 5, "end": 4, "step": 1},
            "end timestamp must not be before start time",
        ),
        ("query_range", {"query": "up", "start": 5, "end": 5}, 'invalid parameter "step": cannot parse ""'),
        ("query_range", {"query": "up", "start": 5, "end": 5, "step": 0}, "zero or negative query resolution step"),
        ("query_range", {"query": "up", "start": 5, "end": 5, "step": "-1"}, "zero or negative query resolution step"),
        ("query_range", {"query": "up", "start": 0, "end": 11_001, "step": 1}, "maximum resolution of 11,000 points"),
        ("series", {}, "no match[] parameter provided"),
        ("series", {"match[]": "sum(up)"}, "is no selector"),
        ("labels", {"match[]": "{"}, 'invalid parameter "match[]"'),
        ("rules", {"type": "both"}, 'invalid parameter "type"'),
    ],
)
def test_a_question_that_makes_no_sense_is_bad_data(reader, path, asked, sentence):
    answer = reader.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", "bad_data")
    assert sentence in body["error"]
    assert "\n" not in body["error"]


def test_eleven_thousand_points_are_not_too_many(reader):
    asked = {"query": "vector(1)", "start": 0, "end": 11_000, "step": 1}
    (series,) = reader.get("/api/v1/query_range", asked).json()["data"]["result"]
    assert len(series["values"]) == 11_001


def test_a_query_that_cannot_be_evaluated_is_an_execution_error(reader):
    answer = reader.get("/api/v1/query", {"query": '{job="web"} + on(job) {job="web"}'})
    assert answer.status_code == 422
    assert answer.json()["errorType"] == "execution"


def test_a_query_over_its_time_is_a_timeout_and_the_next_one_is_answered(reader):
    answer = reader.get("/api/v1/query", {"query": "max_over_time(rate(up[5m:1s])[1h:1s])", "timeout": "1ms"})
    assert (answer.status_code, answer.json()["errorType"]) == (503, "timeout")
    assert answer.json()["error"] == "query timed out in expression evaluation"
    assert reader.get("/api/v1/query", {"query": "up"}).status_code == 200


def test_a_store_that_fails_is_said_without_its_secrets(reader, head, monkeypatch):
    def fail(*arguments):
        raise OSError("password=hunter2")

    monkeypatch.setattr(head, "select", fail)
    answer = reader.get("/api/v1/query", {"query": "up"})
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")
    assert "hunter2" not in answer.content.decode()


def test_series_labels_and_values_come_from_what_is_stored(reader):
    found = reader.get("/api/v1/series", {"match[]": ["up", "up"]}).json()["data"]
    assert found == [{"__name__": "up", "instance": "127.0.0.1:8001", "job": "web"}]
    assert reader.get("/api/v1/labels").json()["data"] == ["__name__", "instance", "job", "path"]
    assert reader.get("/api/v1/label/__name__/values").json()["data"] == ["requests_total", "up"]
    assert reader.get("/api/v1/label/path/values", {"match[]": "up"}).json()["data"] == []
    before = {"start": NOW_S - 7200, "end": NOW_S - 3600}
    assert reader.get("/api/v1/label/job/values", before).json()["data"] == []


def test_targets_are_shown_before_their_first_scrape(reader):
    (target,) = reader.get("/api/v1/targets").json()["data"]["activeTargets"]
    assert target["labels"] == {"instance": "127.0.0.1:8001", "job": "web"}
    assert (target["health"], target["lastScrape"], target["scrapeInterval"]) == (
        "unknown",
        "0001-01-01T00:00:00Z",
        "15s",
    )
    assert reader.get("/api/v1/targets", {"state": "dropped"}).json()["data"]["activeTargets"] == []


def test_rules_and_alerts_say_what_the_last_evaluation_found(reader, console, head):
    down = console.scraper.status[0].target.labels
    head.append(down, NOW_S * 1000 + 1000, [Labels.of(down, __name__="up")], np.array([0.0]))
    alerting.evaluate(console, NOW_S * 1000 + 2000)

    groups = reader.get("/api/v1/rules").json()["data"]["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert set(rules) == {alert.name for alert in ALERTS}
    assert {rule["health"] for rule in rules.values()} == {"ok"}
    rule = rules["TargetDown"]
    assert rule["state"] in ("pending", "firing")
    assert rule["lastEvaluation"] == "2025-11-24T16:00:02.000Z"
    (alert,) = reader.get("/api/v1/alerts").json()["data"]["alerts"]
    assert rule["alerts"] == [alert]
    assert alert["labels"]["alertname"] == "TargetDown"
    assert (alert["value"], alert["activeAt"]) == ("0e+00", "2025-11-24T16:00:02.000Z")
    assert reader.get("/api/v1/rules", {"type": "record"}).json()["data"]["groups"] == []


def test_buildinfo_names_the_product_and_its_version(reader):
    data = reader.get("/api/v1/status/buildinfo").json()["data"]
    assert (data["application"], bool(data["version"])) == ("OpsConsole", True)


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/query_range", "/api/v1/targets", "/api/v1/labels"])
@pytest.mark.parametrize("header", [None, "Bearer guessed", "Basic YTpi", "Bearer"])
def test_without_a_right_token_there_is_one_line_that_says_what_to_do(console, path, header):
    answer = Client(headers={"authorization": header} if header else {}).get(path, {"query": "up"})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", "unauthorized")
    assert "opsconsole token create" in body["error"]


def test_a_token_for_pushing_may_not_read(pusher):
    assert pusher.get("/api/v1/query", {"query": "up"}).status_code == 401


def test_who_is_signed_in_reads_without_a_token_but_posts_only_with_the_csrf_token(person):
    assert person.get("/api/v1/query", {"query": "up"}).status_code == 200
    assert person.post("/api/v1/query", {"query": "up"}).status_code == 403


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/", "/api", "/v1/profiles", "/api/v2/alerts"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_address_answers_as_an_api_does(console, path, method):
    answer = getattr(Client(enforce_csrf_checks=True), method)(path)
    assert answer.status_code == 404
    assert answer.json()["errorType"] == "not_found"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-6, "0.000001"),
        (9.99e-7, "9.99e-07"),
        (123456789012345678.0, "123456789012345680"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_go_s_shortest_text(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0e+00"), (1.0, "1e+00"), (-12.5, "-1.25e+01"), (math.nan, "NaN")])
def test_alerts_give_their_values_with_an_exponent(value, text):
    assert exponential(value) == text


@pytest.mark.parametrize(
    ("at_ms", "text"), [(0, "0"), (1500, "1.5"), (1_435_781_430_781, "1435781430.781"), (10, "0.01"), (-500, "-0.5")]
)
def test_instants_are_seconds_with_the_decimals_they_need(at_ms, text):
    assert seconds(at_ms) == text
