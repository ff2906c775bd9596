"""The shop alone, really up: what it answers, and what each switch does to it."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import psutil
import psycopg
import pytest
from opsconsole_exporters.models.reference import Distribution, read_reference

from demo_app.faults.switches import Fault, connect
from demo_app.fraud.features import FEATURES, features
from demo_app.fraud.orders import history
from demo_app.fraud.scoring import version_for
from demo_app.fraud.training import CHALLENGER, CHAMPION, WATCHED, is_trained
from demo_app.shop.catalogue import items
from demo_app.traffic.baskets import Customer, basket, who

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


@pytest.fixture
def no_visitors(shop: Any, wait_until: Wait) -> Iterator[None]:
    """Nobody else is in the shop: what is counted meanwhile is what the test has done."""
    traffic = psutil.Process(shop.run["pids"]["traffic"])
    traffic.suspend()
    try:
        wait_until(lambda: shop.metric("shop-web", "django_http_streams_open") == 0, "nobody waits for an answer")
        yield
    finally:
        traffic.resume()


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
        browser.post("/basket/add/", data={"product": "maple-notebook"}, headers=headers)
        added = browser.post("/basket/add/", data={"product": "maple-notebook", "quantity": "2"}, headers=headers)
        assert "Basket (3)" in added.text
        for wrong in ("0", "21", "-1", "two"):
            form = {"product": "maple-notebook", "quantity": wrong}
            assert browser.post("/basket/add/", data=form, headers=headers).status_code == 400
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


def llm(shop: Any, name: str, *labels: str) -> float:
    return float(shop.metric("shop-web", name, 'model="gpt-5-mini"', *labels))


def cached(shop: Any, result: str) -> float:
    return float(shop.metric("shop-web", "opsconsole_prompt_cache_requests_total", f'result="{result}"'))


def ask(shop: Any, question: str, **params: str) -> str:
    """Return what the page says in answer."""
    page = shop.get("/products/cedar-desk-lamp/ask/", params={"q": question, **params})
    assert page.status_code == 200
    assert page.text.rstrip().endswith("</html>")
    found = re.search(r'aria-live="polite">(.*?)</p>', page.text, re.DOTALL)
    assert found
    return found[1]


def test_the_assistant_answers_from_what_the_shop_knows_and_once_more_from_the_cache(
    shop: Any, wait_until: Wait, no_visitors: None
) -> None:
    cost, saved = llm(shop, "opsconsole_llm_cost_usd_total"), llm(shop, "opsconsole_prompt_cache_saved_usd_total")
    hits, misses, bypassed = cached(shop, "hit"), cached(shop, "miss"), cached(shop, "bypass")
    # A question of our own; now and then the model refuses twice, and then we ask once more.
    said = wait_until(lambda: ask(shop, "Of what, pray, is it made?"), "an answer")
    assert said == "Made of oak and brass, with an E14 socket for bulbs up to 25 W."
    assert cached(shop, "miss") > misses
    assert llm(shop, "opsconsole_llm_cost_usd_total") > cost
    assert llm(shop, "opsconsole_llm_requests_total", 'outcome="ok"') > 0
    assert shop.metric("shop-web", "gen_ai_client_operation_duration_seconds_count", 'error_type=""') > 0
    assert shop.metric("shop-web", "gen_ai_client_operation_time_to_first_chunk_seconds_count") > 0
    assert shop.metric("shop-web", "gen_ai_client_token_usage_sum", 'gen_ai_token_type="output"') > 0
    assert shop.metric("shop-web", "opsconsole_vector_search_duration_seconds_count", "assistant context") > 0

    asked = llm(shop, "opsconsole_llm_requests_total")
    assert ask(shop, "Of what, pray, is it made?") == said
    assert cached(shop, "hit") == hits + 1
    assert llm(shop, "opsconsole_prompt_cache_saved_usd_total") > saved
    assert llm(shop, "opsconsole_llm_requests_total") == asked

    ask(shop, "Of what, pray, is it made?", anew="1")
    assert cached(shop, "bypass") == bypassed + 1
    assert llm(shop, "opsconsole_llm_requests_total") > asked
    assert "<b>" not in ask(shop, "Is it <b>bold</b>?")
    assert shop.get("/products/cedar-desk-lamp/ask/").headers["Location"] == "/products/cedar-desk-lamp/"
    assert shop.get("/products/last-years-calendar/ask/?q=why").status_code == 404


def test_a_slow_model_is_seen_and_who_does_not_wait_for_it_is_counted_apart(
    shop: Any, wait_until: Wait, no_visitors: None
) -> None:
    def gaps() -> tuple[float, float]:
        name = "gen_ai_client_operation_time_per_output_chunk_seconds"
        return shop.metric("shop-web", f"{name}_sum"), shop.metric("shop-web", f"{name}_count")

    def cancelled() -> float:
        return llm(shop, "opsconsole_llm_requests_total", 'outcome="cancelled"')

    def look_in() -> bool:
        """Read the beginning of an answer and leave; whether there was one."""
        params = {"q": "Is there something similar?", "anew": "1"}
        with httpx.stream(
            "GET", f"{shop.run['shop_url']}/products/cedar-desk-lamp/ask/", params=params, trust_env=False, timeout=30
        ) as page:
            seen, pieces = "", page.iter_text()
            while len(seen.partition('aria-live="polite">')[2]) < 30 and "</html>" not in seen:
                seen += next(pieces)
        return "</html>" not in seen

    left, (seconds, count) = cancelled(), gaps()
    estimated = llm(shop, "opsconsole_llm_tokens_total", 'usage_source="estimated"')
    shop.fault("slow-model", "on")
    wait_until(look_in, "an answer begins, piece by piece")
    wait_until(lambda: cancelled() == left + 1, "the visitor who left is counted")
    after_s, after = gaps()
    assert (after_s - seconds) / (after - count) > 0.1  # 0.2 s at least, and 0.02 to 0.04 s when all is well
    assert llm(shop, "opsconsole_llm_tokens_total", 'usage_source="estimated"') > estimated
    assert llm(shop, "opsconsole_llm_streams_ended_early_total", 'ended_by="client"') > 0
    assert shop.metric("shop-web", "django_http_streams_open") == 0


def test_a_model_that_refuses_is_told_to_visitors_and_counted(shop: Any, wait_until: Wait, no_visitors: None) -> None:
    def refused() -> float:
        return llm(shop, "opsconsole_llm_requests_total", 'outcome="rate_limited"')

    before = refused()
    shop.fault("model-refuses", "on")
    wait_until(lambda: "too much to do" in shop.get("/products/elm-candle/ask/?q=Why&anew=1").text, "it refuses")
    assert refused() >= before + 2, "asked again once"
    assert shop.get("/products/elm-candle/").status_code == 200
    shop.fault("model-refuses", "off")
    wait_until(lambda: "beeswax" in shop.get("/products/elm-candle/ask/?q=made+of&anew=1").text, "it answers again")


def test_both_versions_of_the_fraud_model_judge_orders_and_are_compared_with_their_reference(
    shop: Any, wait_until: Wait
) -> None:
    def predicted(version: str, name: str = "predictions", *labels: str) -> float:
        return float(shop.metric("shop-celery", f"opsconsole_ml_{name}_total", f'version="{version}"', *labels))

    for version in (CHAMPION, CHALLENGER):
        wait_until(lambda version=version: predicted(version, "predictions", 'outcome="ok"') > 0, version)
        wait_until(
            lambda version=version: predicted(version) == predicted(version, "prediction_bin") > 0, "in a bin, each one"
        )
        expected = shop.metric("shop-celery", "opsconsole_ml_reference_bin_ratio", f'version="{version}"')
        assert expected == pytest.approx(1, abs=0.01)
        assert predicted(version, "feature_bin", 'feature="total"') > 0
    assert shop.metric("shop-celery", "opsconsole_ml_predictions_total", 'outcome="error"') == 0

    file = shop.data_dir / "models" / "fraud-predictions.jsonl"
    wait_until(file.exists, "a row for later study")
    row = json.loads(file.read_text().splitlines()[0])
    assert tuple(row["features"]) == FEATURES
    assert row["version"] == str(version_for(UUID(row["key"])))
    assert 0 <= row["score"] <= 1
    assert is_trained(shop.data_dir / "models" / "fraud", history())
    assert not is_trained(shop.data_dir / "models" / "fraud", history(seed=8))


def test_new_customers_come_and_what_they_order_drifts_from_the_reference(
    shop: Any, database: psycopg.Connection[Any], wait_until: Wait
) -> None:
    reference = read_reference(shop.data_dir / "models" / "fraud" / CHAMPION / "reference.json")
    prices = {item.slug: item.price for item in items()}
    chance = random.Random(5)

    def psi(feature: str, customer: Callable[[], Customer]) -> float:
        baskets = [basket(customer(), chance).items() for _ in range(1000)]
        rows = [features((quantity, prices[slug]) for slug, quantity in lines) for lines in baskets]
        return stability(reference.features[feature], [row[FEATURES.index(feature)] for row in rows])

    for feature in WATCHED:
        assert psi(feature, lambda: who(chance)) < 0.1
        assert psi(feature, lambda: Customer.NEW) > 0.25

    shop.fault("new-customers", "on")
    newest = """SELECT min(quantity) FROM shop_orderline WHERE order_id IN
                (SELECT id FROM shop_order ORDER BY placed_at DESC LIMIT 4)"""
    # Of regular orders one in five is of several of the same.
    wait_until(lambda: (database.execute(newest).fetchone() or (0,))[0] >= 2, "the last four orders are theirs")


def stability(expected: Distribution, values: list[float]) -> float:
    """The population stability index of ``values``."""
    counts = [0.5] * len(expected.bins)
    for value in values:
        counts[expected.place(value)] += 1
    shares = [count / sum(counts) for count in counts]
    return sum((s - r) * math.log(s / r) for s, r in zip(shares, expected.ratios, strict=True))


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
    wait_until(lambda: shop.get("/products/elm-candle/ask/?q=cost").status_code == 500, "an asynchronous page fails")
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
