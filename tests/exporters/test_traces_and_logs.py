"""Traces that reach a real OTLP endpoint, and logs that carry their ids."""

from __future__ import annotations

import http.client
import json
import socket

import pytest
from opsconsole_exporters.sampler import AT_ONCE

pytestmark = pytest.mark.real

CLIENT, SERVER, PRODUCER, CONSUMER = 3, 2, 4, 5


@pytest.fixture
def traced(launch, otlp_sink):
    """Starts what one test needs alone; ``otlp_sink`` receives its spans."""
    launch.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{otlp_sink.port}"
    launch.environment["OTEL_TRACES_SAMPLER"] = "parentbased_always_on"
    return launch


@pytest.fixture(scope="module")
def sharing(shared_launch, shared_sink):
    shared_launch.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{shared_sink.port}"
    shared_launch.environment["OTEL_TRACES_SAMPLER"] = "parentbased_always_on"
    shared_launch.environment["OTEL_SERVICE_NAME"] = "named-by-operator"
    return shared_launch


@pytest.fixture(scope="module")
def worker(sharing):
    return sharing.worker()


@pytest.fixture(scope="module")
def shared_web(sharing):
    return sharing.web()


@pytest.fixture
def web(shared_web, shared_sink):
    """A web server for which only the spans of this test are in the sink."""
    shared_sink.spans.clear()
    return shared_web


@pytest.mark.parametrize("asgi", [True, False], ids=["asgi", "wsgi"])
def test_a_request_is_a_server_span_with_its_sql_below(traced, otlp_sink, attributes_of, until, asgi):
    traced.environment["OTEL_SERVICE_NAME"] = "named-by-operator"
    web = traced.web(asgi=asgi)
    assert web.get("/item/41/") == (200, "42")
    request = until("the request's span", lambda: otlp_sink.find("GET item/<int:number>/"))
    (query,) = (span for _, span in otlp_sink.spans if span.kind == CLIENT)
    assert query.name == "SELECT"
    said = attributes_of(query)
    assert said["db.query.text"] == "SELECT ?::int + ?"
    assert (said["db.system.name"], said["opsconsole.django.alias"]) == ("postgresql", "default")
    assert request.kind == SERVER
    assert not request.parent_span_id
    named = attributes_of(request)
    assert named["http.route"] == "item/<int:number>/"
    assert named["http.request.method"] == "GET"
    assert named["http.response.status_code"] == 200
    assert (query.kind, query.parent_span_id, query.trace_id) == (CLIENT, request.span_id, request.trace_id)
    assert "41" not in map(str, attributes_of(query).values())
    assert {service for service, _ in otlp_sink.spans} == {"named-by-operator"}


def test_an_unhandled_exception_marks_its_span(web, shared_sink, attributes_of, until):
    web.get("/boom/")
    span = until("the span", lambda: shared_sink.find("GET boom/"))
    assert span.status.code == 2
    assert [attributes_of(event)["exception.type"] for event in span.events] == ["ZeroDivisionError"]
    assert attributes_of(span)["http.response.status_code"] == 500


def test_no_secret_leaves_in_a_span(web, shared_sink, attributes_of, until):
    web.get("/leak/")
    request = until("the request's span", lambda: shared_sink.find("GET leak/"))
    spans = [span for _, span in shared_sink.spans if span.trace_id == request.trace_id]
    inner, query = (next(span for span in spans if span.name.startswith(name)) for name in ("GET /reset", "SELECT"))
    assert not [span for span in spans if b"sesame" in span.SerializeToString()]
    named = attributes_of(request)
    assert named["url.full"] == "https://shop:***@example.com/?page=2&token=***"
    assert named["http.route"] == "leak/", "what is no secret stays"
    assert inner.name == "GET /reset?token=***"
    assert inner.status.message == "ValueError: postgres://shop:***@db:5432/shop is down"
    assert attributes_of(query)["db.query.text"] == "SELECT ?"
    for span in (request, inner):
        told = attributes_of(span.events[0])
        assert told["exception.message"] == "postgres://shop:***@db:5432/shop is down"
        assert "ValueError: postgres://shop:***@db:5432/shop is down" in told["exception.stacktrace"]


def test_a_task_continues_the_trace_of_the_request_that_sent_it(web, worker, shared_sink, until):
    assert web.get("/order/")[0] == 200
    request = until("the request's span", lambda: shared_sink.find("GET order/"))

    def of_this_trace(name: str):
        """The worker is shared: a task of an earlier test may still send its span."""
        spans = [span for _, span in list(shared_sink.spans) if span.trace_id == request.trace_id]
        return next((span for span in spans if span.name == name), None)

    publish = until("the publisher's span", lambda: of_this_trace("apply_async/watched.tasks.add"))
    task = until("the task's span", lambda: of_this_trace("run/watched.tasks.add"))
    assert (publish.kind, publish.parent_span_id) == (PRODUCER, request.span_id)
    assert (task.kind, task.parent_span_id) == (CONSUMER, publish.span_id)


def test_a_trace_that_began_elsewhere_goes_on(web, shared_sink, until):
    web.get("/later/", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    # A request of an earlier test may still send its span.
    span = until("the span", lambda: shared_sink.find("GET later/", trace_id="a" * 32))
    assert span.parent_span_id.hex() == "b" * 16


def test_metrics_are_not_traced(web, shared_sink, until):
    web.scrape()
    web.get("/plain/")
    until("the request's span", lambda: shared_sink.find("GET plain/"))
    assert not [span for _, span in shared_sink.spans if "metrics" in span.name]


@pytest.mark.parametrize("asgi", [True, False], ids=["asgi", "wsgi"])
def test_a_server_that_is_told_to_stop_sends_its_last_spans(traced, otlp_sink, asgi):
    web = traced.web(asgi=asgi, OTEL_BSP_SCHEDULE_DELAY="600000")
    for _ in range(6):
        web.get("/plain/")
    assert otlp_sink.find("GET plain/") is None
    web.stop()
    assert len([span for _, span in otlp_sink.spans if span.name == "GET plain/"]) == 6


def test_a_worker_that_is_told_to_stop_sends_its_last_spans(traced, otlp_sink, until):
    worker = traced.worker(OTEL_BSP_SCHEDULE_DELAY="600000")
    web = traced.web(OTEL_SDK_DISABLED="true")
    web.get("/order/")
    until("the task", lambda: "added" in worker.output)
    worker.stop()
    assert otlp_sink.find("run/watched.tasks.add") is not None


def test_requests_do_not_wait_for_a_trace_endpoint_that_does_not_answer(launch, until):
    with socket.socket() as silent:  # accepts, and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        web = launch.web(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}", OTEL_BSP_SCHEDULE_DELAY="50"
        )
        connection, _ = silent.accept() if web.get("/plain/")[0] == 200 else (None, None)
        assert connection is not None, "an export is under way and stuck"
        assert {web.get("/plain/")[0] for _ in range(50)} == {200}
        assert web.scrape().sum("django_http_responses_total_by_status_view_method_total", view="plain") == 51
        connection.close()


def test_without_an_endpoint_nothing_is_sent_and_traces_still_have_ids(launch, until):
    web = launch.web(workers=1)
    assert web.get("/item/1/")[0] == 200
    line = until("the log line", lambda: _find(web, "item shown"))
    assert len(line["trace_id"]) == 32


def test_logs_are_json_with_the_ids_of_the_request_they_belong_to(web, shared_sink, until):
    web.get("/item/7/")
    new = until("the structlog line", lambda: _find(web, "item shown", number=7))
    old = until("the stdlib line", lambda: _find(web, "old style 7"))
    # By its trace: a request of an earlier test may still send its span.
    request = until("the request's span", lambda: shared_sink.find("GET item/<int:number>/", trace_id=new["trace_id"]))
    for line in (new, old):
        assert line["trace_id"] == request.trace_id.hex()
        assert line["span_id"] == request.span_id.hex()
        assert line["service"] == "named-by-operator"
    assert (new["level"], new["logger"], new["number"]) == ("info", "watched", 7)
    assert (old["level"], old["logger"]) == ("warning", "watched.old")


def test_a_task_logs_the_ids_of_the_request_that_sent_it(web, worker, until):
    web.get("/order/", {"traceparent": f"00-{'c' * 32}-{'d' * 16}-01"})
    line = until("the task's line", lambda: _find(worker, "added", trace_id="c" * 32))
    assert line["total"] == 3


@pytest.mark.parametrize("path", ["/item/3/", "/later/"], ids=["sync", "async"])
def test_a_response_has_the_id_of_its_request(web, path):
    assert response_to(web, path, "ticket-17") == "ticket-17"
    own = response_to(web, path, 'no"thing')
    assert len(own) == 32
    assert response_to(web, path, None) not in {own, "ticket-17"}


def test_the_id_of_a_request_is_on_its_lines_and_on_those_of_its_tasks(web, worker, until):
    response_to(web, "/item/9/", "item-9")
    assert until("the structlog line", lambda: _find(web, "item shown", number=9))["request_id"] == "item-9"
    assert until("the stdlib line", lambda: _find(web, "old style 9"))["request_id"] == "item-9"
    response_to(web, "/boom/", "boom-1")
    until("the error", lambda: _find(web, "Internal Server Error: /boom/", request_id="boom-1"))
    response_to(web, "/order/", "order-5")
    until("the task's line", lambda: _find(worker, "added", request_id="order-5"))
    web.get("/order/")
    other = until(
        "another task's line", lambda: _find(worker, "added", request_id="order-5") and _other(worker, "order-5")
    )
    assert len(other["request_id"]) == 32


def test_an_exception_is_logged_as_one_line_without_the_query_string(web, until):
    web.get("/boom/?token=sesame")
    line = until("the error", lambda: _find(web, "Internal Server Error: /boom/"))
    assert "ZeroDivisionError: on purpose" in line["exception"]
    assert "sesame" not in json.dumps(line)


def test_logs_stay_as_they_were_when_switched_off(launch, until):
    web = launch.web(workers=1, OPSCONSOLE_LOGS="off")
    web.get("/item/1/")
    worker = launch.worker(OPSCONSOLE_LOGS="off")
    assert _find(web, "old style 1") is None
    assert "INFO/MainProcess] w1@test ready" in worker.output


def test_a_dead_endpoint_does_not_hold_up_a_stop(launch):
    web = launch.web(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    web.get("/plain/")
    assert web.stop() == 0
    assert "SIGKILL" not in web.output, "gunicorn lost patience"


def test_every_worker_sends_spans_of_an_application_loaded_before_the_fork(traced, otlp_sink, until):
    web = traced.web("--preload")
    assert len({web.get("/plain/")[1] for _ in range(30)}) == 2
    until("all spans", lambda: len([span for _, span in otlp_sink.spans if span.name == "GET plain/"]) == 30)


def test_of_a_burst_only_so_many_traces_are_kept_and_every_line_has_its_id(launch, otlp_sink, until):
    endpoint = f"http://127.0.0.1:{otlp_sink.port}"
    web = launch.web(workers=1, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OPSCONSOLE_TRACES_PER_SECOND="0.001")
    for number in range(AT_ONCE + 5):
        web.get(f"/item/{number}/")
    web.stop()
    requests = [span for _, span in otlp_sink.spans if span.kind == SERVER]
    assert len(requests) == AT_ONCE
    assert all(_find(web, f"old style {number}")["trace_id"] for number in range(AT_ONCE + 5))


def test_a_request_whose_client_has_gone_still_ends_its_span(web, shared_sink, attributes_of, until):
    connection = http.client.HTTPConnection("127.0.0.1", web.port)
    connection.request("GET", "/hold/", headers={"Host": "127.0.0.1"})
    until("the request in flight", lambda: web.scrape().value("http_server_active_requests") == 1)
    connection.close()
    span = until("its span", lambda: shared_sink.find("GET hold/"))
    assert attributes_of(span)["http.response.status_code"] == 499
    until("nothing in flight", lambda: web.scrape().value("http_server_active_requests") == 0)


def response_to(web, path, request_id):
    """The ``X-Request-ID`` of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    connection.request(
        "GET", path, headers={"Host": "127.0.0.1", **({"X-Request-ID": request_id} if request_id else {})}
    )
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.headers["X-Request-ID"]


def _other(process, request_id):
    """A task's line with another request's id."""
    lines = (json.loads(line) for line in process.output.splitlines() if line.startswith("{"))
    return next(
        (line for line in lines if line["event"] == "added" and line.get("request_id") not in {None, request_id}), None
    )


def _find(process, event, **fields):
    for line in process.output.splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if {"event": event, **fields}.items() <= entry.items():
            return entry
    return None
