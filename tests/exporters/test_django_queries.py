"""Queries of a request in real servers: how many, which repeat, from where; and the migrations a database lacks."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from opsconsole_exporters.catalog.database import (
    DB_EXECUTED,
    DB_NEW_CONNECTION_ERRORS,
    DB_NEW_CONNECTIONS,
    MIGRATIONS_APPLIED,
    MIGRATIONS_UNAPPLIED,
    REQUEST_QUERIES,
    REQUEST_QUERY_SECONDS,
    REQUEST_REPEATED_QUERIES,
)
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.catalog.http import HTTP_DURATION, HTTP_TEMPLATES

pytestmark = pytest.mark.real

VIEWS = Path(__file__).parent / "project/watched/shop/views.py"


def _create(database, name):
    with psycopg.connect(
        dbname=database["NAME"],
        user=database["USER"],
        host=database["HOST"],
        port=database["PORT"] or None,
        autocommit=True,
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return {**database, "NAME": name}


@pytest.fixture(scope="module")
def shop(shared_launch, shared_sink, database):
    """The service's environment with a migrated database of this module's own, and spans in ``shared_sink``."""
    shared_launch.environment["DATABASE"] = json.dumps(_create(database, "queries"))
    shared_launch.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{shared_sink.port}"
    shared_launch.environment["OTEL_TRACES_SAMPLER"] = "parentbased_always_on"
    migrate = shared_launch.run("-m", "django", "migrate", DJANGO_SETTINGS_MODULE="watched.settings")
    assert migrate.popen.wait(60) == 0, migrate.output
    return shared_launch


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def web(shop, request):
    web = shop.web(asgi=request.param == "asgi", workers=1)
    yield web
    web.stop()


FORWARD = {"model": "shop.Author", "relation": "author", "relation_model": "shop.Book", "relation_kind": "forward"}
SAID = {
    "forward": FORWARD,
    "reverse": {"model": "shop.Book", "relation": "books", "relation_model": "shop.Author", "relation_kind": "reverse"},
    "many": {"model": "shop.Label", "relation": "labels", "relation_model": "shop.Book", "relation_kind": "many"},
    "deferred": {"model": "shop.Book", "relation": "title", "relation_model": "shop.Book", "relation_kind": "deferred"},
    "one_to_one": {
        "model": "shop.Cover",
        "relation": "cover",
        "relation_model": "shop.Book",
        "relation_kind": "forward",
    },
    "in_template": {**FORWARD, "template": "shop/books.html:6"},
    "in_async": {"model": "shop.Author"},
}


@pytest.mark.parametrize("view", SAID)
def test_repeated_queries_are_on_the_span_with_their_relation_and_line(
    web, shop, shared_sink, attributes_of, until, view
):
    shared_sink.spans.clear()
    before = web.scrape()
    assert web.get(f"/shop/{view}/")[0] == 200
    page = web.scrape() - before
    assert page.value(REQUEST_QUERIES.sum, view=view) == 7
    assert page.value(REQUEST_QUERIES.count, view=view) == 1
    assert page.value(REQUEST_REPEATED_QUERIES, view=view) == 5
    assert (page.value(REQUEST_QUERY_SECONDS, view=view) or 0) > 0
    span = until("the span", lambda: shared_sink.find(f"GET shop/{view}/"))
    found = attributes_of(span)
    assert (found["opsconsole.db.queries"], found["opsconsole.db.repeated_queries"]) == (7, 5)
    (event,) = (event for event in span.events if event.name == "opsconsole.db.repeated_query")
    said = attributes_of(event)
    assert said["opsconsole.db.count"] == 6
    assert said["db.query.text"].startswith("SELECT ")
    assert "%s" not in said["db.query.text"]
    assert {key[18:]: value for key, value in said.items() if key.startswith("opsconsole.django.")} == SAID[view]
    if view == "in_async" and "code.file.path" not in said:
        return  # an async view under WSGI: what waits is known to nobody, and a wrong line would be worse
    assert said["code.file.path"] == "watched/shop/views.py"
    assert view in said["code.function.name"]


def test_under_asgi_the_line_of_an_async_view_is_known(shop, shared_sink, attributes_of, until):
    web = shop.web(workers=1)
    shared_sink.spans.clear()
    web.get("/shop/in_async/")
    span = until("the span", lambda: shared_sink.find("GET shop/in_async/"))
    said = attributes_of(span.events[0])
    lines = VIEWS.read_text().splitlines()
    assert "Author.objects.aget" in lines[said["code.line.number"] - 1]
    web.stop()


def test_what_is_fetched_together_is_no_repetition(web, shared_sink, attributes_of, until):
    shared_sink.spans.clear()
    before = web.scrape()
    web.get("/shop/together/")
    page = web.scrape() - before
    assert page.value(REQUEST_REPEATED_QUERIES, view="together") is None
    span = until("the span", lambda: shared_sink.find("GET shop/together/"))
    assert "opsconsole.db.repeated_queries" not in attributes_of(span)
    assert not span.events


def test_statements_connections_routes_and_templates_are_counted(web):
    before = web.scrape()
    web.get("/shop/forward/")
    web.get("/item/5/")
    web.get("/shop/template_response/")
    page = web.scrape() - before
    of = {"alias": "default", "vendor": "postgresql"}
    assert page.value(DB_EXECUTED, **of) == 8
    assert page.value(DB_NEW_CONNECTIONS, **of) == 2
    assert page.value(HTTP_TEMPLATES, templatename="shop/books.html") == 1
    route = {"http_route": "item/<int:number>/", "http_request_method": "GET", "http_response_status_code": "200"}
    assert page.value(HTTP_DURATION.count, **route) == 1


def test_migrations_are_known_for_each_database_that_anybody_migrates(shop, database, tmp_path):
    """A second database that nobody has migrated is somebody else's; a default one is new."""
    web = shop.web(workers=1, OTHER_DATABASE=json.dumps(database), PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    page = web.scrape()
    assert page.value(MIGRATIONS_UNAPPLIED, connection="default") == 0
    assert page.value(MIGRATIONS_APPLIED, connection="default") == 2
    assert page.value(MIGRATIONS_UNAPPLIED, connection="other") is None
    assert page.sum(DB_EXECUTED) == 0, "our own questions are no queries of the service"
    web.stop()
    new = shop.web(workers=1, DATABASE=json.dumps(_create(database, "unmigrated")))
    assert new.scrape().value(MIGRATIONS_UNAPPLIED, connection="default") == 2
    new.stop()


def test_migrations_of_a_database_that_is_down_are_absent_and_the_page_is_served(shop, database, until):
    web = shop.web(workers=1, DATABASE=json.dumps(database | {"HOST": "127.0.0.1", "PORT": "9"}))
    until("the error", lambda: (web.scrape().value(COLLECTOR_ERRORS, collector="migrations") or 0) >= 1)
    page = web.scrape()
    assert page.value(MIGRATIONS_UNAPPLIED, connection="default") is None
    assert page.value(DB_NEW_CONNECTION_ERRORS, alias="default", vendor="postgresql") is None
    assert web.get("/item/1/")[0] == 500
    assert web.scrape().value(DB_NEW_CONNECTION_ERRORS, alias="default", vendor="postgresql") == 1
    web.stop()
