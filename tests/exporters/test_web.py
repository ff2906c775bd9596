"""The Django app in real servers: gunicorn with two uvicorn workers, and with WSGI workers."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest
from opsconsole_exporters.catalog.database import DB_ERRORS, DB_QUERY_DURATION
from opsconsole_exporters.catalog.http import (
    HTTP_ACTIVE,
    HTTP_DURATION,
    HTTP_EXCEPTIONS,
    HTTP_LATENCY,
    HTTP_REQUESTS,
    HTTP_REQUESTS_BEFORE,
    HTTP_RESPONSES,
)
from opsconsole_exporters.catalog.pools import POOL_CONNECTIONS, POOL_MAX, POOL_PENDING, POOL_TIMEOUTS
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def web(shared_launch):
    return shared_launch.web()


def test_two_workers_give_one_answer_that_counts_every_request(web, until):
    until("both workers", lambda: len({web.get("/plain/")[1] for _ in range(20)}) == 2)
    before = web.scrape()
    seen = {web.get(path)[1] for path in ["/plain/", "/later/"] * 40}
    assert len(seen) == 2, "both workers should have answered"

    for _ in range(10):  # whichever worker answers
        page = web.scrape() - before
        for view in ("plain", "later"):
            assert page.value(HTTP_REQUESTS, view=view, transport="http", method="GET") == 40
            assert page.value(HTTP_RESPONSES, status="200", view=view, method="GET") == 40
            assert page.value(HTTP_LATENCY.count, view=view, method="GET") == 40
        assert page.value(HTTP_ACTIVE) == 0
        assert "pid" not in page.label_names()


def test_a_killed_worker_takes_its_gauges_along_and_leaves_its_counters(launch, until):
    web = launch.web()
    holds = [threading.Thread(target=_ignore_errors, args=(web, "/hold/")) for _ in range(6)]
    for hold in holds:
        hold.start()
    until("six requests in flight", lambda: web.scrape().value(HTTP_ACTIVE) == 6)
    by_worker = {}
    while len(by_worker) < 2:
        by_worker.setdefault(web.get("/plain/")[1], True)
    before = web.scrape().sum(HTTP_RESPONSES, view="plain")

    # Counters never go down, while one worker after the other dies and is replaced.
    for pid in by_worker:
        os.kill(int(pid), signal.SIGKILL)
        until("its gauges to vanish", lambda pid=pid: not list(launch.multiproc_dir.glob(f"gauge_live*_{pid}.db")))
        until("the web server", web.answers)
        assert web.scrape().sum(HTTP_RESPONSES, view="plain") >= before
    assert web.scrape().value(HTTP_ACTIVE) == 0
    for hold in holds:
        hold.join()


def test_an_unhandled_exception_counts_once_everywhere(web):
    before = web.scrape()
    for _ in range(5):
        assert web.get("/boom/")[0] == 500
        assert web.get("/lookup/")[0] == 418
        assert web.get("/no/such/page/")[0] == 404
    page = web.scrape() - before
    assert page.value(HTTP_EXCEPTIONS, type="ZeroDivisionError") == 5
    assert page.value(HTTP_RESPONSES, status="500", view="boom", method="GET") == 5
    assert page.value(HTTP_LATENCY.count, view="boom", method="GET") == 5
    assert page.value(HTTP_EXCEPTIONS, type="LookupError") is None, "a middleware has handled it"


def test_a_method_nobody_knows_makes_no_series_of_its_own(web):
    odd = ("PURGE", "LOCK", "COPY")  # which HTTP parsers let through
    for method in odd:
        web.get("/plain/", method=method)
    page = web.scrape()
    assert not any(value in odd for _, labels in page.samples for _, value in labels)
    assert page.value(HTTP_LATENCY.count, view="plain", method="<invalid method>") == 3


def test_wsgi_workers_count_the_same(launch):
    web = launch.web(asgi=False)
    for path in ["/plain/", "/later/"] * 10 + ["/boom/"] * 3:
        web.get(path)
    page = web.scrape()
    assert page.value(HTTP_REQUESTS, view="later", transport="http", method="GET") == 10
    assert page.value(HTTP_LATENCY.count, view="boom", method="GET") == 3
    assert page.value(HTTP_EXCEPTIONS, type="ZeroDivisionError") == 3
    assert page.value(HTTP_ACTIVE) == 0


def test_an_application_loaded_before_the_fork_counts_the_same(launch):
    web = launch.web("--preload")
    assert len({web.get("/plain/")[1] for _ in range(40)}) == 2
    assert web.scrape().sum(HTTP_RESPONSES, view="plain") == 40


def test_metrics_are_answered_before_redirects_and_are_not_counted(launch):
    web = launch.web(SSL_REDIRECT="1")
    assert web.get("/plain/")[0] == 301
    first, second = web.scrape(), web.scrape()
    assert first.value(HTTP_REQUESTS_BEFORE) == second.value(HTTP_REQUESTS_BEFORE) == 1


def test_metrics_can_move_and_ask_for_a_token(launch):
    web = launch.web(OPSCONSOLE_METRICS_PATH="/internal/metrics/", OPSCONSOLE_METRICS_TOKEN="sesame")
    assert web.get("/metrics")[0] == 404
    assert web.get("/internal/metrics")[0] == 401
    assert web.get("/internal/metrics", {"Authorization": "Bearer wrong"})[0] == 401
    assert web.get("/internal/metrics", {"Authorization": "Bearer sesame"})[0] == 200
    assert web.get("/internal/metrics", {"Authorization": "Bearer sesame"}, method="POST")[0] == 405


def test_openmetrics_is_served_to_who_asks_for_it(web):
    status, body = web.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})
    assert (status, body.rstrip().rpartition("\n")[2]) == (200, "# EOF")


def test_durations_carry_traces_of_requests_that_any_worker_has_served(launch, until):
    web = launch.web(asgi=False)
    served_by: dict[str, str] = {}

    def exemplars_of_both():
        """Each bucket shows one request: go on until one shows a request of the one worker and one of the other."""
        for path in ("/plain/", "/later/"):
            trace = f"{len(served_by) + 1:032x}"
            served_by[trace] = web.get(path, {"traceparent": f"00-{trace}-{'b' * 16}-01"})[1]
        _, body = web.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})
        samples = [sample for family in openmetrics(body) for sample in family.samples if sample.exemplar]
        traces = {sample.exemplar.labels["trace_id"] for sample in samples if sample.name == HTTP_DURATION.bucket}
        assert traces <= served_by.keys()
        return len({served_by[trace] for trace in traces}) == 2

    until("exemplars of both workers", exemplars_of_both)
    assert " # {" not in web.get("/metrics")[1], "only OpenMetrics' format has room for them"


@pytest.mark.parametrize("several", [True, False], ids=["shared", "alone"])
@pytest.mark.parametrize("asgi", [True, False], ids=["asgi", "wsgi"])
def test_durations_carry_the_trace_of_a_request_as_exemplar(launch, asgi, several):
    web = launch.web(asgi=asgi, workers=1, **({} if several else {"PROMETHEUS_MULTIPROC_DIR": ""}))
    assert web.get("/plain/", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})[0] == 200
    assert web.get("/later/", {"traceparent": f"00-{'c' * 32}-{'d' * 16}-00"})[0] == 200
    _, body = web.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})
    found = {
        (sample.name, sample.exemplar.labels["trace_id"])
        for family in openmetrics(body)
        for sample in family.samples
        if sample.exemplar
    }
    assert found == {(HTTP_DURATION.bucket, "a" * 32), (HTTP_LATENCY.bucket, "a" * 32)}, (
        "what is not kept is no example"
    )


def test_queries_are_timed_and_their_errors_named(web):
    before = web.scrape()
    for number in range(4):
        assert web.get(f"/item/{number}/") == (200, str(number + 1))
    assert web.get("/broken-sql/")[0] == 500
    page = web.scrape() - before
    of = {"alias": "default", "vendor": "postgresql"}
    assert page.value(DB_QUERY_DURATION.count, **of) == 5
    assert page.value(DB_ERRORS, **of, type="ProgrammingError") == 1


def test_the_pool_shows_its_use_its_queue_and_its_timeouts(launch, database, until):
    pool = {"min_size": 1, "max_size": 2, "timeout": 0.5}
    web = launch.web(workers=1, DATABASE=json.dumps({**database, "OPTIONS": {"pool": pool}}))
    assert web.get("/item/1/")[0] == 200
    name = {"db_client_connection_pool_name": "default"}
    until("the pool's size", lambda: web.scrape().value(POOL_MAX, **name) == 2)

    holds = [threading.Thread(target=_ignore_errors, args=(web, "/hold-connection/")) for _ in range(2)]
    for hold in holds:
        hold.start()
    used = {**name, "db_client_connection_state": "used"}
    until("an exhausted pool", lambda: web.scrape().value(POOL_CONNECTIONS, **used) == 2)
    assert web.get("/item/1/")[0] == 500, "no connection within half a second"
    until("the timeout", lambda: (web.scrape().value(POOL_TIMEOUTS, **name) or 0) >= 1)

    waiting = threading.Event()
    asking = [threading.Thread(target=_ask_until, args=(web, waiting)) for _ in range(4)]
    for ask in asking:
        ask.start()
    until("requests that wait for the pool", lambda: (web.scrape().value(POOL_PENDING, **name) or 0) > 0)
    waiting.set()
    for ask in asking:
        ask.join()
    web.kill()
    for hold in holds:
        hold.join()


def test_several_workers_without_a_shared_directory_are_warned_about(launch, until):
    web = launch.web(PROMETHEUS_MULTIPROC_DIR="")
    until("the warning", lambda: "PROMETHEUS_MULTIPROC_DIR is not set" in web.output)
    assert web.scrape().names() >= {"process_cpu_seconds_total"}
    assert web.output.count("PROMETHEUS_MULTIPROC_DIR is not set") == 1


def test_a_directory_that_cannot_be_made_costs_the_metrics_and_not_the_service(launch, until, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    web = launch.web(PROMETHEUS_MULTIPROC_DIR=str(blocked / "metrics"))
    assert web.get("/plain/")[0] == 200
    assert web.get("/metrics")[0] == 404
    assert "HTTP metrics failed; the service goes on without it" in web.output


def test_everything_can_be_switched_off(launch):
    web = launch.web(OPSCONSOLE_EXPORTERS_DISABLED="1")
    assert web.get("/plain/")[0] == 200
    assert web.get("/metrics")[0] == 404


def _ignore_errors(web, path):
    try:
        web.get(path)
    except OSError:
        return


def _ask_until(web, done):
    while not done.is_set():
        _ignore_errors(web, "/item/1/")
