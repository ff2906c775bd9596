"""Calls of language models through real clients and a real server; what is counted is the truth."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opsconsole_exporters.catalog import llm as names
from opsconsole_exporters.llm import Call, Outcome, PromptCache, Usage, instrument_httpx
from opsconsole_exporters.llm import call as call_module
from prometheus_client import REGISTRY

openai = pytest.importorskip("openai", reason="needs the OpenAI client; pip install openai")


def _load_upstream() -> Any:
    spec = importlib.util.spec_from_file_location("llm_upstream", Path(__file__).with_name("llm_upstream.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["llm_upstream"] = module
    spec.loader.exec_module(module)
    return module


upstream = _load_upstream()
QUESTION = [{"role": "user", "content": "What is the answer? " * 4}]  # 80 bytes, 20 tokens


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    instrument_httpx()
    with upstream.serving() as address:
        yield address


@pytest.fixture
def client(base: str) -> Iterator[Any]:
    with openai.OpenAI(api_key="secret", base_url=base, max_retries=0) as client:
        yield client


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(call_module.trace, "get_tracer", provider.get_tracer)
    return exporter


def value(metric: Any, suffix: str = "", **labels: str) -> float:
    """The sum of the samples of a metric that have these labels."""
    name = f"{metric}{suffix}"
    wanted = set(labels.items())
    families = REGISTRY.collect()
    return sum(s.value for f in families for s in f.samples if s.name == name and wanted <= set(s.labels.items()))


def outcomes(model: str) -> dict[str, float]:
    return {o.value: n for o in Outcome if (n := value(names.LLM_REQUESTS, model=model, outcome=o.value))}


def tokens(model: str, source: str) -> dict[str, float]:
    classes = ("input", "cache_read", "cache_write", "output", "reasoning")
    found = {c: value(names.LLM_TOKENS, model=model, token_class=c, usage_source=source) for c in classes}
    return {c: n for c, n in found.items() if n}


def test_an_answer_is_counted_with_its_tokens_by_class(client: Any, spans: InMemorySpanExporter) -> None:
    answer = client.chat.completions.create(model="whole", messages=QUESTION)
    assert answer.choices[0].message.content == "The answer is 42."
    assert outcomes("whole") == {"ok": 1}
    assert tokens("whole", "reported") == {"input": 60, "cache_read": 40, "output": 20, "reasoning": 10}
    of = {"gen_ai_request_model": "whole", "gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai"}
    assert value(names.LLM_DURATION, "_count", **of, error_type="", gen_ai_response_model="whole") == 1
    assert value(names.LLM_TOKEN_USAGE, "_sum", **of, gen_ai_token_type="input") == 100
    assert value(names.LLM_TOKEN_USAGE, "_sum", **of, gen_ai_token_type="output") == 30
    assert value(names.LLM_FIRST_CHUNK, "_count", gen_ai_request_model="whole") == 0
    (span,) = spans.get_finished_spans()
    assert span.name == "chat whole"
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.cache_read.input_tokens"] == 40
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert "answer" not in str(dict(span.attributes))
    assert "secret" not in str(dict(span.attributes))


def test_a_stream_is_measured_chunk_by_chunk_and_its_running_totals_are_not_added(client: Any) -> None:
    stream = client.chat.completions.create(model="streamed", messages=QUESTION, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said == "The answer is 42."
    assert outcomes("streamed") == {"ok": 1}
    assert tokens("streamed", "reported") == {"input": 60, "cache_read": 40, "output": 20, "reasoning": 10}
    assert value(names.LLM_FIRST_CHUNK, "_count", gen_ai_request_model="streamed") == 1
    assert value(names.LLM_NEXT_CHUNK, "_count", gen_ai_request_model="streamed") == len(upstream.WORDS) - 1
    assert value(names.LLM_GENERATION_TOKENS, model="streamed") == 30
    assert value(names.LLM_EARLY_END, model="streamed") == 0


async def test_the_async_client_is_measured_the_same(base: str) -> None:
    async with openai.AsyncOpenAI(api_key="x", base_url=base, max_retries=0) as client:
        stream = await client.chat.completions.create(model="async", messages=QUESTION, stream=True)
        assert len([chunk async for chunk in stream]) == 8
    assert outcomes("async") == {"ok": 1}
    assert value(names.LLM_NEXT_CHUNK, "_count", gen_ai_request_model="async") == len(upstream.WORDS) - 1


def test_a_stream_without_usage_is_estimated_and_says_so(client: Any) -> None:
    for _ in client.chat.completions.create(model="unreported", messages=QUESTION, stream=True):
        pass
    assert outcomes("unreported") == {"ok": 1}
    assert tokens("unreported", "reported") == {}
    assert tokens("unreported", "estimated") == {"input": 20, "output": 5}  # 17 bytes


@pytest.mark.parametrize("way", ["cancel", "close", "forget"])
async def test_a_client_that_goes_away_is_cancelled_and_its_tokens_are_estimated(base: str, way: str) -> None:
    """As under ASGI: the server cancels the view's task, closes its generator, or drops it."""
    model = f"endless-{way}"
    started = asyncio.Event()

    async def view() -> Any:
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"model": model, "messages": QUESTION, "stream": True}
            async with http.stream("POST", f"{base}/chat/completions", json=body) as response:
                async for piece in response.aiter_raw():
                    yield piece
                    if b"more" in piece:
                        started.set()

    async def serve() -> None:
        async for _ in view():
            await asyncio.sleep(0)

    if way == "cancel":
        task = asyncio.create_task(serve())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        pieces = view()
        async for _ in pieces:
            if started.is_set():
                break
        if way == "close":
            await pieces.aclose()
        else:
            del pieces
    gc.collect()
    for _ in range(200):  # a generator that is dropped is closed by the loop, in turns of its own
        if outcomes(model):
            break
        await asyncio.sleep(0.01)
    assert outcomes(model) == {"cancelled": 1}
    assert value(names.LLM_EARLY_END, model=model, ended_by="client") == 1
    found = tokens(model, "estimated")
    assert found["input"] == 20
    assert found["output"] >= len(upstream.WORDS)


def test_a_sync_stream_that_its_reader_leaves_is_cancelled_too(client: Any) -> None:
    stream = client.chat.completions.create(model="endless-left", messages=QUESTION, stream=True)
    next(iter(stream))
    stream.response.close()
    assert outcomes("endless-left") == {"cancelled": 1}


@pytest.mark.parametrize(("model", "outcome"), [("broken", "connection"), ("cut", "invalid_response")])
def test_a_provider_that_stops_in_the_middle_is_to_blame(base: str, model: str, outcome: str) -> None:
    body = {"model": model, "messages": QUESTION, "stream": True}
    with httpx.Client() as http, http.stream("POST", f"{base}/chat/completions", json=body) as response:
        try:
            response.read()
            assert model == "cut"
        except httpx.RemoteProtocolError:
            assert model == "broken"
    assert outcomes(model) == {outcome: 1}
    assert value(names.LLM_EARLY_END, model=model, ended_by="provider") == 1
    assert tokens(model, "estimated") == {"input": 20, "output": 3}  # "The ", "answer "


@pytest.mark.parametrize(
    ("model", "outcome"),
    [
        ("status-429-rate_limit_exceeded", "rate_limited"),
        ("status-401-invalid_api_key", "auth"),
        ("status-400-context_length_exceeded", "context_length"),
        ("status-400-content_policy_violation", "content_filter"),
        ("status-400-unknown_parameter", "bad_request"),
        ("status-503-none", "server_error"),
        ("status-504-none", "timeout"),
    ],
)
def test_errors_of_the_provider_have_an_outcome_each(client: Any, model: str, outcome: str) -> None:
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model=model, messages=QUESTION)
    assert outcomes(model) == {outcome: 1}


def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    instrument_httpx()
    with httpx.Client() as http, pytest.raises(httpx.ConnectError):
        http.post("http://127.0.0.1:9/v1/chat/completions", json={"model": "absent", "messages": QUESTION})
    assert outcomes("absent") == {"connection": 1}


def test_an_answer_that_the_provider_filters_is_no_success(client: Any) -> None:
    for _ in client.chat.completions.create(model="filtered", messages=QUESTION, stream=True):
        pass
    assert outcomes("filtered") == {"content_filter": 1}


def test_the_usage_of_a_body_too_large_to_keep_is_still_read(client: Any) -> None:
    answer = client.embeddings.create(model="large-embedding", input="hello", encoding_format="float")
    assert len(answer.data) == 5
    assert outcomes("large-embedding") == {"ok": 1}
    assert tokens("large-embedding", "reported") == {"input": 8}


def test_responses_and_messages_are_read_too(client: Any, base: str) -> None:
    for _ in client.responses.create(model="resp", input="hello", stream=True):
        pass
    assert outcomes("resp") == {"ok": 1}
    assert tokens("resp", "reported") == {"input": 12, "output": 3, "reasoning": 1}
    body = {"model": "claude-x-20260131", "messages": QUESTION, "stream": True}
    httpx.post(f"{base}/messages", json=body, headers={"anthropic-version": "2023-06-01"})
    assert outcomes("claude-x") == {"ok": 1}
    assert value(names.LLM_REQUESTS, provider="anthropic", model="claude-x") == 1
    assert tokens("claude-x", "reported") == {"input": 10, "cache_read": 70, "cache_write": 20, "output": 9}


def test_a_request_that_only_looks_like_one_is_left_alone(base: str) -> None:
    before = value(names.LLM_REQUESTS)
    httpx.post(f"{base}/messages", json={"model": "sms"})
    assert value(names.LLM_REQUESTS) == before


def test_the_bytes_are_those_of_the_server(base: str) -> None:
    body = {"model": "same", "messages": QUESTION, "stream": True}
    observed = httpx.post(f"{base}/chat/completions", json=body).content
    import urllib.request

    request = urllib.request.Request(f"{base}/chat/completions", httpx.Request("POST", base, json=body).content)
    with urllib.request.urlopen(request) as response:
        assert observed == response.read()


def test_an_unknown_model_is_counted_and_a_known_one_is_priced(client: Any) -> None:
    client.chat.completions.create(model="never-heard-of", messages=QUESTION)
    assert value(names.LLM_UNPRICED, model="never-heard-of") == 1
    assert value(names.LLM_COST, model="never-heard-of") == 0
    client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    assert value(names.LLM_UNPRICED, model="gpt-4o-mini") == 0
    dollars = (60 * 0.15 + 40 * 0.075 + 30 * 0.6) / 1e6
    assert value(names.LLM_COST, model="gpt-4o-mini") == pytest.approx(dollars)


def test_a_call_wrapped_by_hand_is_not_counted_again_inside(client: Any) -> None:
    with Call("chat", provider="openai", model="by-hand") as call:
        client.chat.completions.create(model="inner", messages=QUESTION)
        call.used(Usage(input=1, output=2))
    assert outcomes("by-hand") == {"ok": 1}
    assert outcomes("inner") == {}


async def test_a_stream_wrapped_by_hand_survives_its_reader() -> None:
    async def parts() -> Any:
        try:
            while True:
                yield "word "
        finally:
            closed.append(True)

    closed: list[bool] = []
    call = Call("chat", provider="local", model="own-stream", stream=True)
    stream = call.astream(parts(), text=str)
    assert await anext(stream) == "word "
    await stream.aclose()
    assert closed == [True]
    assert outcomes("own-stream") == {"cancelled": 1}
    assert tokens("own-stream", "estimated") == {"output": 2}


def test_errors_of_a_call_wrapped_by_hand_go_on_to_the_host() -> None:
    with pytest.raises(TimeoutError), Call("chat", provider="local", model="slow"):
        raise TimeoutError
    assert outcomes("slow") == {"timeout": 1}


def test_a_hit_of_the_prompt_cache_saves_what_its_call_would_have_cost() -> None:
    cache = PromptCache("answers")
    cache.miss()
    cache.hit(provider="openai", model="gpt-4o-mini", usage=Usage(input=1_000_000, output=1_000_000))
    assert value(names.PROMPT_CACHE_REQUESTS, cache="answers", result="hit") == 1
    assert value(names.PROMPT_CACHE_REQUESTS, cache="answers", result="miss") == 1
    assert value(names.PROMPT_CACHE_SAVED, cache="answers") == pytest.approx(0.75)
    assert trace.get_current_span() is trace.INVALID_SPAN
