"""Where spans go and that the last ones arrive: gRPC, callers and callees over HTTP, and processes told to stop."""

from __future__ import annotations

import http.server
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opsconsole_exporters import otlp

pytestmark = pytest.mark.real

IMPORTER = """
import sys, time
from opsconsole_exporters import instrument
instrument("price-importer")
from opentelemetry import trace
with trace.get_tracer("test").start_as_current_span("imported"):
    pass
print("ready", flush=True)
time.sleep(600)
"""

CALLER = """
import asyncio, sys
from opsconsole_exporters import instrument
instrument("caller")
import httpx, requests
from opentelemetry import trace
address = sys.argv[1]
with trace.get_tracer("test").start_as_current_span("parent"):
    requests.get(f"http://u:pw@{address}/requests?key=sesame#part", timeout=30)
    httpx.get(f"http://{address}/httpx?key=sesame", timeout=30)
    async def ask():
        async with httpx.AsyncClient() as client:
            await client.get(f"http://{address}/async?key=sesame", timeout=30)
    asyncio.run(ask())
"""


@pytest.fixture
def grpc_sink():
    """The port of a collector that takes OTLP over gRPC, and what has arrived."""
    grpc = pytest.importorskip("grpc", reason="needs grpcio; pip install opentelemetry-exporter-otlp-proto-grpc")
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

    names: list[str] = []

    class Take(service.TraceServiceServicer):
        def Export(self, request, context):
            names.extend(
                span.name
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            return messages.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    service.add_TraceServiceServicer_to_server(Take(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port, names
    server.stop(None).wait()


@pytest.fixture
def callee():
    """The address of a server, and the ``traceparent`` of each request by its path."""
    seen: dict[str, str] = {}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen[self.path.partition("?")[0]] = self.headers.get("traceparent", "")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_plain_process_that_is_told_to_stop_sends_its_last_spans_and_ends_as_it_would(launch, otlp_sink, until):
    process = launch.run(
        "-c",
        IMPORTER,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{otlp_sink.port}",
        OTEL_BSP_SCHEDULE_DELAY="600000",
        OPSCONSOLE_RELEASE="7.1",
    )
    until("its span", lambda: "ready" in process.output)
    assert otlp_sink.find("imported") is None
    assert process.stop() == -signal.SIGTERM
    assert otlp_sink.find("imported") is not None


def test_spans_go_over_grpc(launch, grpc_sink, until):
    port, names = grpc_sink
    process = launch.run(
        "-c",
        IMPORTER,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_BSP_SCHEDULE_DELAY="600000",
    )
    until("its span", lambda: "ready" in process.output)
    process.stop()
    assert names == ["imported"]


def test_workers_that_were_forked_send_over_grpc(launch, grpc_sink, until):
    port, names = grpc_sink
    web = launch.web(
        "--preload",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_TRACES_SAMPLER="parentbased_always_on",
    )
    for _ in range(10):
        assert web.get("/plain/")[0] == 200
    until("all spans", lambda: names.count("GET plain/") == 10)
    assert web.stop() == 0


def test_uvicorn_alone_sends_its_last_spans(launch, otlp_sink, free_port, until):
    port = free_port()
    web = launch.run(
        *("-W", "ignore", "-m", "uvicorn", "watched.asgi:application", "--port", str(port), "--lifespan", "off"),
        port=port,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{otlp_sink.port}",
        OTEL_BSP_SCHEDULE_DELAY="600000",
    )
    until("the server", web.answers)
    for _ in range(3):
        web.get("/plain/")
    assert otlp_sink.find("GET plain/") is None
    web.stop()
    assert [span.name for _, span in otlp_sink.spans].count("GET plain/") == 3


def test_a_trace_goes_on_in_the_services_that_are_called(launch, otlp_sink, callee, attributes_of):
    address, seen = callee
    process = launch.run("-c", CALLER, address, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{otlp_sink.port}")
    assert process.popen.wait(60) == 0, process.output
    parent = otlp_sink.find("parent")
    calls = [span for _, span in otlp_sink.spans if span.name == "GET"]
    assert {span.parent_span_id for span in calls} == {parent.span_id}
    # Version, trace, span; then flags, of which the first is "sampled" and the second is for the SDK to set.
    assert {path: header[:52] for path, header in seen.items()} == {
        path: f"00-{parent.trace_id.hex()}-{span.span_id.hex()}"
        for path, span in zip(("/requests", "/httpx", "/async"), calls, strict=True)
    }
    assert all(int(header[53:], 16) & 1 for header in seen.values())
    assert [attributes_of(span)["url.full"] for span in calls] == [f"http://{address}{path}" for path in seen]
    assert len(otlp_sink.spans) == 4, "sending spans is no span"


def test_a_protocol_that_we_cannot_speak_is_said_and_costs_nothing(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    assert otlp.protocol() == otlp.HTTP
    assert "'http/json': give http/protobuf or grpc" in caplog.text
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "GRPC")
    assert otlp.protocol() == otlp.GRPC


def test_a_package_that_is_missing_is_named_once_and_the_service_goes_on(launch, until):
    code = "import sys; sys.modules['opentelemetry.exporter.otlp.proto.grpc'] = None\n" + IMPORTER
    process = launch.run(
        "-c", code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"
    )
    until("the process", lambda: "ready" in process.output)
    assert "pip install 'opsconsole-exporters[grpc]'" in process.output
    assert process.stop() == -signal.SIGTERM
