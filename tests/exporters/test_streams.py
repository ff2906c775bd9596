"""What stays open: streaming responses and WebSockets, in real servers, with clients that leave in every way."""

from __future__ import annotations

import contextlib
import socket

import pytest
from opsconsole_exporters.catalog.http import (
    HTTP_ACTIVE,
    HTTP_DURATION,
    HTTP_STREAM_DURATION,
    HTTP_STREAMING,
    HTTP_STREAMS_ENDED,
    HTTP_STREAMS_OPEN,
    WEBSOCKET_DURATION,
    WEBSOCKET_MESSAGES,
    WEBSOCKETS_CLOSED,
    WEBSOCKETS_OPEN,
    WEBSOCKETS_OPENED,
)

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def web(shared_launch, request):
    web = shared_launch.web("--threads", "4", asgi=request.param == "asgi", workers=1)
    yield web
    web.stop()


@pytest.mark.parametrize("view", ["stream", "stream-async"])
def test_a_stream_that_is_read_to_its_end_is_completed(web, view):
    before = web.scrape()
    assert web.get(f"/{view}/short/") == (200, "first\n")
    page = web.scrape() - before
    assert page.value(HTTP_STREAMS_ENDED, view=view, outcome="completed") == 1
    assert page.sum(HTTP_STREAMS_ENDED) == 1
    assert page.value(HTTP_STREAM_DURATION.count, view=view) == 1
    assert page.value(HTTP_STREAMS_OPEN, view=view) == 0
    assert page.value(HTTP_STREAMING) == 1


def test_a_file_that_the_server_sends_is_completed(web, until):
    before = web.scrape()
    assert web.get("/stream/file/")[0] == 200
    ended = {"view": "stream", "outcome": "completed"}
    until("its end", lambda: (web.scrape() - before).value(HTTP_STREAMS_ENDED, **ended) == 1)


@pytest.mark.parametrize("view", ["stream", "stream-async"])
def test_a_stream_whose_body_raises_has_failed(web, until, view):
    before = web.scrape()
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.sendall(f"GET /{view}/failing/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        while client.recv(4096):
            pass
    until("its end", lambda: (web.scrape() - before).sum(HTTP_STREAMS_ENDED) == 1)
    assert (web.scrape() - before).value(HTTP_STREAMS_ENDED, view=view, outcome="failed") == 1


def test_a_stream_whose_client_leaves_has_ended_early(web, until):
    # Django reads a body of the other kind to its end before it sends a byte, and these have none.
    view = "stream-async" if "uvicorn" in web.output.lower() else "stream"
    before = web.scrape()
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.sendall(f"GET /{view}/endless/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert b"200 OK" in client.recv(4096)
        until("an open stream", lambda: web.scrape().value(HTTP_STREAMS_OPEN, view=view) == 1)
        assert web.scrape().value(HTTP_ACTIVE) == 0, "a request is in flight until its response begins"
    until("its end", lambda: (web.scrape() - before).value(HTTP_STREAMS_ENDED, view=view, outcome="ended_early") == 1)
    assert web.scrape().value(HTTP_STREAMS_OPEN, view=view) == 0


def test_a_request_whose_client_does_not_wait_is_a_499(shared_launch, until):
    web = shared_launch.web(workers=1)
    labels = {"http_route": "hold/", "http_request_method": "GET", "http_response_status_code": "499"}
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.sendall(b"GET /hold/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        until("the request in flight", lambda: web.scrape().value(HTTP_ACTIVE) == 1)
    until("its end", lambda: web.scrape().value(HTTP_DURATION.count, **labels) == 1)
    assert web.scrape().value(HTTP_ACTIVE) == 0
    web.stop()


ECHO = "watched.sockets.Echo"


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def sockets(shared_launch, free_port, until, request):
    pytest.importorskip("websockets", reason="needs websockets; pip install websockets")
    port = free_port()
    address = {"daphne": ("-b", "127.0.0.1", "-p"), "uvicorn": ("--host", "127.0.0.1", "--port")}[request.param]
    server = shared_launch.run(
        "-W", "ignore", "-m", request.param, *address, str(port), "watched.sockets:application", port=port
    )  # fmt: skip
    until("the server", server.answers)
    yield server
    server.kill()


@pytest.fixture
def connect(sockets):
    from websockets.sync.client import connect

    return lambda path: connect(f"ws://127.0.0.1:{sockets.port}/{path}/")


def test_an_open_socket_and_its_messages_are_counted_by_consumer(sockets, connect, until):
    before = sockets.scrape()
    with connect("echo") as socket_:
        for _ in range(3):
            socket_.send("hello")
            assert socket_.recv() == "hello"
        page = sockets.scrape() - before
        assert page.value(WEBSOCKETS_OPEN, consumer=ECHO) == 1
        assert page.value(WEBSOCKETS_OPENED, consumer=ECHO) == 1
        assert page.value(WEBSOCKET_MESSAGES, consumer=ECHO, direction="received") == 3
        assert page.value(WEBSOCKET_MESSAGES, consumer=ECHO, direction="sent") == 3
    until("its end", lambda: (sockets.scrape() - before).sum(WEBSOCKETS_CLOSED) == 1)
    page = sockets.scrape() - before
    assert page.value(WEBSOCKETS_CLOSED, consumer=ECHO, code_class="normal") == 1
    assert page.value(WEBSOCKETS_OPEN, consumer=ECHO) == 0
    assert page.value(WEBSOCKET_DURATION.count, consumer=ECHO) == 1


@pytest.mark.parametrize(
    ("says", "code_class"),
    # A client that vanishes has no code: servers say so in two ways.
    [("close", {"application"}), ("fail", {"failed"}), (None, {"abnormal", "no_code"})],
    ids=["close", "fail", "vanish"],
)
def test_a_socket_ends_with_the_class_of_its_code(sockets, connect, until, says, code_class):
    before = sockets.scrape()
    with contextlib.suppress(OSError), connect("echo") as client:
        if says is None:
            client.socket.shutdown(socket.SHUT_RDWR)  # without a word of farewell
        else:
            client.send(says)
            with pytest.raises(Exception, match=r"received|close"):
                client.recv(timeout=30)
    until("its end", lambda: (sockets.scrape() - before).sum(WEBSOCKETS_CLOSED) == 1)
    page = sockets.scrape() - before
    ended = {
        dict(labels)["code_class"] for (name, labels), n in page.samples.items() if name == WEBSOCKETS_CLOSED.name and n
    }
    assert ended <= code_class, page
    assert page.value(WEBSOCKETS_OPEN, consumer=ECHO) == 0


def test_a_socket_that_was_refused_was_never_open(sockets, connect, until):
    before = sockets.scrape()
    with pytest.raises(Exception, match="HTTP 403"):
        connect("refuse")
    refusing = "watched.sockets.Refusing"
    closed = {"consumer": refusing, "code_class": "rejected"}
    until("its end", lambda: (sockets.scrape() - before).value(WEBSOCKETS_CLOSED, **closed) == 1)
    assert sockets.scrape().value(WEBSOCKETS_OPENED, consumer=refusing) is None


@pytest.mark.parametrize(
    ("path", "consumer", "answer"),
    [("sync", "watched.sockets.SyncEcho", "hi"), ("raw", "<no consumer>", "raw"), ("both", ECHO, "hi")],
)
def test_sync_consumers_plain_applications_and_both_around_each_other_count_once(
    sockets, connect, until, path, consumer, answer
):
    before = sockets.scrape()
    with connect(path) as client:
        client.send("hi")
        assert client.recv() == answer
    until("its end", lambda: (sockets.scrape() - before).sum(WEBSOCKETS_CLOSED) == 1)
    page = sockets.scrape() - before
    assert page.value(WEBSOCKETS_OPENED, consumer=consumer) == 1
    assert page.sum(WEBSOCKET_MESSAGES) == 2
    assert page.sum(WEBSOCKETS_OPEN) == 0
