"""Whatever is down, the service answers, and what could not be told is counted."""

from __future__ import annotations

import socket

import pytest
from opsconsole_exporters.catalog.exporter import SPANS_DROPPED
from opsconsole_exporters.catalog.http import HTTP_RESPONSES

from tests.exporters.conftest import find_free_port
from tests.exporters.matrix.load import ask

pytestmark = pytest.mark.real

REQUESTS = 400
SMALL_QUEUE = {
    "OTEL_BSP_MAX_QUEUE_SIZE": "100",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    "OTEL_TRACES_SAMPLER": "parentbased_always_on",
}


@pytest.mark.parametrize("deployment", ["gunicorn sync", "daphne"])
def test_a_collector_that_hangs_costs_spans_and_no_request(deploy, deployment):
    with socket.socket() as silent:  # accepts, and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        web = deploy(deployment, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **SMALL_QUEUE)
        books = ask(web.port, ["/later/"] * REQUESTS)
        assert books.answered == {("/later/", 200): REQUESTS}
        page = web.scrape()
        assert page.sum(HTTP_RESPONSES, view="later") == REQUESTS
        processes = 1 if deployment == "daphne" else 2
        # Each process keeps one queue and holds one batch in its hands.
        assert page.value(SPANS_DROPPED, reason="full") >= REQUESTS - processes * 150


def test_a_collector_that_is_down_costs_spans_and_no_request(deploy, until):
    endpoint = f"http://127.0.0.1:{find_free_port()}"
    timeout = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    web = deploy("gunicorn threads", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **SMALL_QUEUE, **timeout)
    books = ask(web.port, ["/plain/"] * REQUESTS)
    assert books.answered == {("/plain/", 200): REQUESTS}
    until("batches given up", lambda: (web.scrape().value(SPANS_DROPPED, reason="refused") or 0) > 0)


def test_a_broker_that_is_down_costs_the_gauges_of_the_queues_and_no_request(deploy):
    broker = f"redis://127.0.0.1:{find_free_port()}/0"
    web = deploy("gunicorn sync", BROKER_URL=broker, OPSCONSOLE_METRICS_QUEUES="1")
    books = ask(web.port, ["/plain/"] * 100)
    assert books.answered == {("/plain/", 200): 100}
    assert web.scrape().sum(HTTP_RESPONSES, view="plain") == 100


@pytest.mark.parametrize("deployment", ["gunicorn sync", "uvicorn"])
def test_one_variable_leaves_nothing_of_it(deploy, launch, deployment):
    web = deploy(deployment, OPSCONSOLE_EXPORTERS_DISABLED="1")
    assert ask(web.port, ["/plain/", "/metrics"]).answered == {("/plain/", 200): 1, ("/metrics", 404): 1}
    assert not launch.multiproc_dir.exists()
