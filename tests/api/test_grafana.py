"""Grafana's Prometheus data source against the console: the requests it sends, as it sends them.

Source: Grafana, pkg/promlib (client.go, healthcheck.go, heuristics.go) and packages/grafana-prometheus/src (resource_clients.ts).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from opsconsole.operations.access import create_token
from opsconsole.operations.console import Console, install
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.exemplars import ExemplarStore
from opsconsole.storage.head import Head
from opsconsole.storage.metadata import MetadataStore
from opsconsole.storage.recorder import Recorder
from opsconsole.storage.samples import SampleStore
from tests.api import peer
from tests.api.conftest import NOW_MS

pytestmark = pytest.mark.django_db

NOW_S = NOW_MS // 1000
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=["bearer in a custom header", "basic authentication"])
def grafana(
    request: pytest.FixtureRequest, console: Console, head: Head, embedded_engine: ClickHouse
) -> Iterator[Client]:
    """It asks a console that has scraped a service just now."""
    token = create_token("grafana", "read", NOW_MS)
    basic = base64.b64encode(f"grafana:{token}".encode()).decode()
    header = f"Bearer {token}" if request.param.startswith("bearer") else f"Basic {basic}"
    exemplars, metadata = ExemplarStore(), MetadataStore()
    recorder = Recorder(head, SampleStore(embedded_engine), exemplars=exemplars, metadata=metadata)
    with peer.service() as address:
        scraper = peer.scraped(address, recorder, console.clock)
    install(replace(console, scraper=scraper, recorder=recorder, exemplars=exemplars, metadata=metadata))
    yield Client(headers={"authorization": header}, enforce_csrf_checks=True)
    recorder.close()


def post(client: Client, path: str, **form: Any) -> Any:
    answer = client.post(f"/api/v1/{path}", urlencode(form, doseq=True), content_type=FORM)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def get(client: Client, path: str, **asked: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def test_save_and_test(grafana: Client) -> None:
    assert post(grafana, "query", query="1+1", time="4") == {"resultType": "scalar", "result": [4, "2"]}
    found = post_or_get(grafana, "status/buildinfo")
    assert found["version"].split(".")[0] == "3"
    assert "features" not in found, "with features it would be taken for a Mimir"


def post_or_get(client: Client, path: str) -> Any:
    """Resources are tried by POST and, when that is not allowed, by GET."""
    assert client.post(f"/api/v1/{path}", "", content_type=FORM).status_code == 405
    return get(client, path)


def test_completion(grafana: Client) -> None:
    within = {"start": NOW_S - 3600, "end": NOW_S, "limit": 40000}
    assert get(grafana, "label/__name__/values", **within) == [
        "requests_total", "scrape_duration_seconds", "scrape_samples_post_metric_relabeling", "scrape_samples_scraped",
        "scrape_series_added", "shop_latency_seconds_bucket", "shop_latency_seconds_count", "shop_latency_seconds_sum",
        "shop_orders_total", "up",
    ]  # fmt: skip
    assert post(grafana, "labels", **within, **{"match[]": '{__name__="requests_total"}'}) == [
        "__name__", "instance", "job", "path",
    ]  # fmt: skip
    assert get(grafana, "label/U__job/values", **within, **{"match[]": "up"}) == ["shop", "web"]
    assert len(post(grafana, "series", **within, **{"match[]": '{__name__!=""}'})) == 12
    assert get(grafana, "metadata", limit_per_metric=1, limit=40000) == {
        "shop_latency_seconds": [{"type": "histogram", "help": "How long an order takes.", "unit": "seconds"}],
        "shop_orders": [{"type": "counter", "help": "Orders.", "unit": ""}],
    }


def test_explore_and_panels(grafana: Client) -> None:
    span = {"start": f"{NOW_S - 300}", "end": f"{NOW_S}", "step": "15"}
    data = post(grafana, "query_range", query="rate(requests_total[1m0s])", **span, timeout="60s")
    assert [len(row["values"]) for row in data["result"]] == [21]
    assert post(grafana, "query", query='up{job="web"}', time=f"{NOW_S}.25")["result"][0]["value"] == [
        NOW_S + 0.25,
        "1",
    ]
    (found,) = post(
        grafana, "query_exemplars", query="rate(shop_orders_total[1m0s])", start=f"{NOW_S - 300}", end=f"{NOW_S}"
    )
    assert found["seriesLabels"].pop("instance").startswith("127.0.0.1:")
    assert found == {
        "seriesLabels": {"__name__": "shop_orders_total", "job": "shop", "kind": "book"},
        "exemplars": [{"labels": {"trace_id": "4bf92f3577b34da6"}, "value": "1", "timestamp": NOW_S - 9.75}],
    }


def test_the_list_of_alert_rules(grafana: Client) -> None:
    groups = get(grafana, "rules")["groups"]
    assert {rule["type"] for group in groups for rule in group["rules"]} == {"alerting"}
    one = groups[0]
    asked = {"rule_group[]": one["name"], "file[]": one["file"], "exclude_alerts": "true"}
    assert [group["name"] for group in get(grafana, "rules", **asked)["groups"]] == [one["name"]]
    name = one["rules"][0]["name"]
    (group,) = get(grafana, "rules", **{"rule_name[]": name})["groups"]
    assert [rule["name"] for rule in group["rules"]] == [name]
    page = get(grafana, "rules", group_limit=1)
    rest = get(grafana, "rules", group_limit=100, group_next_token=page["groupNextToken"])
    assert [each["name"] for each in page["groups"] + rest["groups"]] == [each["name"] for each in groups]


def test_a_tree_view_of_a_query(grafana: Client) -> None:
    tree = get(grafana, "parse_query", query='sum by (job) (rate(up{a!="b"}[5m])) / on(job) group_left(x) (-c @ end())')
    assert tree["matching"] == {"card": "many-to-one", "labels": ["job"], "on": True, "include": ["x"]}
    assert tree["lhs"]["grouping"] == ["job"]
    assert tree["lhs"]["expr"]["func"] == {
        "name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector",
    }  # fmt: skip
    selector = tree["lhs"]["expr"]["args"][0]
    assert (selector["type"], selector["range"]) == ("matrixSelector", 300_000)
    assert tree["rhs"]["expr"]["expr"]["startOrEnd"] == "end"


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic /w==", "Basic Z3JhZmFuYTo=", "Basic Z3JhZmFuYTpndWVzc2Vk"]
)
def test_a_password_that_is_no_token_lets_nobody_in(console: Console, header: str) -> None:
    assert Client(headers={"authorization": header}).get("/api/v1/query", {"query": "1"}).status_code == 401
