"""The shop alone, really up: what it answers, and what each switch does to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from demo_app.faults.switches import Fault, connect

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

Wait = Callable[..., Any]


@pytest.fixture(autouse=True)
def everything_off(shop: Any) -> Iterator[None]:
    yield
    switches = connect(json.loads((shop.data_dir / "run.json").read_text())["valkey_faults_url"])
    for fault in switches.read():
        switches.set(fault, on=False)


@pytest.fixture
def database(shop: Any) -> Iterator[psycopg.Connection[Any]]:
    password = (shop.data_dir / "postgres.secret").read_text()
    with psycopg.connect(
        host="127.0.0.1", port=shop.run["ports"]["postgres"], user="shop", dbname="shop", password=password,
        autocommit=True,
    ) as connection:  # fmt: skip
        yield connection


def sleeping(database: psycopg.Connection[Any]) -> int:
    row = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
    ).fetchone()
    assert row
    return int(row[0])


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it ended between being listed and being asked
        return []


def longer_than_half_a_second(shop: Any) -> float:
    name = "django_db_query_duration_seconds"
    return float(shop.metric("shop-web", f"{name}_count") - shop.metric("shop-web", f"{name}_bucket", 'le="0.5"'))


@pytest.fixture(autouse=True)
def healthy(shop: Any, wait_until: Wait) -> None:
    """What the fault of an earlier test has left (workers that look at the switches now and then, a pool that is still
    held) is over; there are two workers.
    """
    wait_until(lambda: all(shop.get("/").status_code == 200 for _ in range(6)), "the shop is well")


def test_each_page_of_the_shop_answers(shop: Any) -> None:
    for path in ("/", "/products/", "/products/?category=desk", "/search/?q=lamp", "/basket/", "/about/", "/shipping/"):
        page = shop.get(path)
        assert page.status_code == 200, path
        assert "Hearth &amp; Tool" in page.text
    assert "Cedar desk lamp" in shop.get("/products/cedar-desk-lamp/").text
    assert shop.get("/products/cedar-desk-lamp/stock.json").json()["product"] == "cedar-desk-lamp"
    assert shop.get("/products/last-years-calendar/").status_code == 404


def test_a_visitor_can_buy_and_the_queues_finish_the_order(shop: Any, wait_until: Wait) -> None:
    with httpx.Client(base_url=shop.run["shop_url"], timeout=30, trust_env=False, follow_redirects=True) as browser:
        browser.get("/products/maple-notebook/")
        headers = {"X-CSRFToken": browser.cookies["shop_csrf"]}
        for _ in range(2):
            added = browser.post("/basket/add/", data={"product": "maple-notebook"}, headers=headers)
        assert "Basket (2)" in added.text
        order = browser.post("/checkout/", data={"email": "somebody@example.com"}, headers=headers)
        assert order.status_code == 200
        assert order.url.path.startswith("/orders/")
        wait_until(
            lambda: re.search("is (paid|confirmed)", browser.get(order.url.path).text), "a worker took the payment"
        )


def test_every_metrics_page_tells_of_the_shop(shop: Any, wait_until: Wait) -> None:
    wait_until(
        lambda: shop.metric("shop-web", "django_http_responses_total_by_status_view_method_total") > 20, "visits"
    )
    assert shop.metric("shop-web", "db_client_connection_max") == 16
    wait_until(lambda: shop.metric("shop-celery", "celery_tasks_total", 'state="succeeded"') > 3, "tasks")
    for queue in ("high", "default", "low"):
        wait_until(
            lambda queue=queue: shop.metric("shop-celery", "celery_workers", f'queue="{queue}"') == 1,
            f"worker of {queue}",
        )
    assert shop.metric("shop-postgres", "pg_settings_max_connections") == 60
    assert shop.metric("shop-postgres", "pg_stat_activity_count", 'datname="shop"') > 0
    assert shop.metric("shop-vectors", "opsconsole_vector_index_operator_right", 'table="shop_product"') == 1


def test_pool_and_vector_searches_are_measured_in_the_shop(shop: Any) -> None:
    name = "opsconsole_vector_search_duration_seconds_count"
    before = shop.metric("shop-web", name, "product search")
    assert shop.get("/search/?q=lamp").status_code == 200
    assert shop.metric("shop-web", name, "product search") >= before + 1
    assert shop.metric("shop-web", "db_client_connection_wait_time_seconds_count") > 0
    assert shop.metric("shop-web", "db_client_connection_use_time_seconds_count") > 0


def test_a_slow_database_makes_postgresql_itself_wait(
    shop: Any, database: psycopg.Connection[Any], wait_until: Wait
) -> None:
    assert sleeping(database) == 0
    shop.fault("slow-database", "on")
    wait_until(lambda: sleeping(database) > 0, "a query sleeps in PostgreSQL")
    # Queries that wait still give their own rows, and the web tier's own metric has seen them.
    assert shop.get("/products/cedar-desk-lamp/stock.json").json()["product"] == "cedar-desk-lamp"
    wait_until(lambda: longer_than_half_a_second(shop) > 0, "slow queries are measured")
    shop.fault("slow-database", "off")
    wait_until(lambda: sleeping(database) == 0, "no query sleeps any more")


def test_exceptions_reach_visitors_as_500_and_are_counted_by_type(shop: Any, wait_until: Wait) -> None:
    shop.fault("exceptions", "on")
    wait_until(lambda: shop.get("/about/").status_code == 500, "a page fails")
    wait_until(
        lambda: shop.metric("shop-web", "django_http_exceptions_total_by_type_total", "PriceListError") > 0, "counted"
    )
    shop.fault("exceptions", "off")
    wait_until(lambda: {shop.get("/about/").status_code for _ in range(20)} == {200}, "no page fails any more")


def test_stopped_workers_are_gone_and_come_back(shop: Any, wait_until: Wait) -> None:
    def workers() -> list[psutil.Process]:
        return [process for process in shop.family() if "worker" in words(process)]

    assert workers()
    shop.fault("stopped-workers", "on")
    wait_until(lambda: not workers(), "no worker process runs")
    wait_until(lambda: shop.metric("shop-celery", "celery_workers") == 0, "the gauge says so")
    wait_until(lambda: shop.metric("shop-celery", "celery_queue_length") > 0, "messages wait")
    assert shop.get("/").status_code == 200
    shop.fault("stopped-workers", "off")
    wait_until(workers, "workers run again")
    wait_until(lambda: shop.metric("shop-celery", "celery_workers") == 3, "each queue has its worker again")
    wait_until(lambda: shop.metric("shop-celery", "celery_queue_length") == 0, "the queues are worked off")


def test_an_exhausted_pool_is_really_held_and_the_switches_still_work(shop: Any, wait_until: Wait) -> None:
    def used() -> float:
        return shop.metric("shop-web", "db_client_connection_count", 'state="used"')

    shop.fault("exhausted-pool", "on")
    wait_until(lambda: used() == shop.metric("shop-web", "db_client_connection_max") == 16, "every connection is held")
    wait_until(lambda: shop.metric("shop-web", "db_client_connection_timeouts_total") > 0, "requests wait in vain")
    wait_until(lambda: shop.get("/products/").status_code == 500, "a page without a connection fails")
    assert shop.get("/faults/").status_code == 200
    shop.fault("exhausted-pool", "off")
    wait_until(lambda: shop.get("/products/").status_code == 200, "pages answer again")
    wait_until(lambda: used() < 16, "connections are free again")


def test_the_page_moves_a_switch_and_the_command_sees_it(shop: Any) -> None:
    with httpx.Client(base_url=shop.run["shop_url"], timeout=30, trust_env=False, follow_redirects=True) as browser:
        page = browser.get("/faults/")
        assert [fault for fault in Fault if fault.value not in page.text] == []
        form = {"fault": "exceptions", "state": "on"}
        assert browser.post("/faults/", data=form).status_code == 403
        headers = {"X-CSRFToken": browser.cookies["shop_csrf"]}
        assert "Switch exceptions off" in browser.post("/faults/", data=form, headers=headers).text
        assert browser.post("/faults/", data={"fault": "flood"}, headers=headers).status_code == 400
    assert re.search(r"^exceptions +on ", shop.fault(), re.MULTILINE)
    assert re.search(r"^slow-database +off ", shop.fault(), re.MULTILINE)
