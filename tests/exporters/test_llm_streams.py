"""Streamed answers under real ASGI servers whose client leaves in the middle."""

from __future__ import annotations

import json
import socket

import pytest
from opsconsole_exporters.catalog.http import HTTP_STREAMS_OPEN
from opsconsole_exporters.catalog.llm import LLM_DURATION, LLM_EARLY_END, LLM_REQUESTS, LLM_TOKENS

from tests.exporters import llm_upstream

pytest.importorskip("openai", reason="needs the OpenAI client; pip install openai")
pytestmark = pytest.mark.real

WAYS = ["httpx", "openai", "by-hand"]


@pytest.fixture(scope="module")
def provider():
    with llm_upstream.serving() as address:
        yield address


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def web(shared_launch, provider, free_port, until, request):
    port = free_port()
    address = {"daphne": ("-b", "127.0.0.1", "-p"), "uvicorn": ("--host", "127.0.0.1", "--port")}[request.param]
    server = shared_launch.run(
        "-m", request.param, *address, str(port), "watched.asgi:application", port=port, LLM_UPSTREAM=provider
    )  # fmt: skip
    until("the server", server.answers)
    yield server
    assert "never retrieved" not in server.output
    assert "was destroyed but it is pending" not in server.output
    server.kill()


def leave_in_the_middle(web, path):
    """Ask for a stream, read until words of the model have come, and go."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        seen = b""
        while b"42." not in seen:
            piece = client.recv(65536)
            assert piece, seen
            seen += piece


def left_over(web):
    return json.loads(web.get("/left-over/")[1])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["endless", "stalling"])
def test_a_client_that_leaves_ends_the_call_once_and_leaves_nothing_behind(web, until, way, kind):
    """``endless``: the model goes on to speak; ``stalling``: it says nothing more, so nobody notices by writing."""
    model = f"{kind}-{way}-{web.port}"
    tasks = left_over(web)["tasks"]
    leave_in_the_middle(web, f"/answer/{way}/{model}/")
    until("its end", lambda: web.scrape().sum(LLM_REQUESTS, model=model))
    until("the end of its stream", lambda: web.scrape().sum(HTTP_STREAMS_OPEN) == 0)
    until("no connection left", lambda: left_over(web)["connections"] == 0)
    until("no task left", lambda: left_over(web)["tasks"] <= tasks)
    page = web.scrape()
    assert page.sum(LLM_REQUESTS, model=model, outcome="cancelled") == 1
    assert page.sum(LLM_REQUESTS, model=model) == 1
    assert page.sum(LLM_DURATION.count, gen_ai_request_model=model) == 1
    assert page.sum(LLM_EARLY_END, model=model, ended_by="client") == 1
    assert page.sum(LLM_TOKENS, model=model, token_class="input", usage_source="estimated") == 20
    assert page.sum(LLM_TOKENS, model=model, token_class="output", usage_source="estimated") >= len(llm_upstream.WORDS)
    assert page.sum(LLM_TOKENS, model=model, usage_source="reported") == 0
