"""The shop's assistant: a language model that is given what the shop knows, and a cache of its answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import cache as once
from typing import Any

import httpx
import redis
from django.conf import settings
from django.core.cache import cache
from opsconsole_exporters.llm import PromptCache, Usage
from structlog import get_logger

from .models import Product

log = get_logger(__name__)

MODEL = "gpt-5-mini"
KEPT_S = 3600
TRIES = 2
LONGEST_PAUSE_S = 1.0
_WORTH_ANOTHER_TRY = {429, 500, 502, 503, 504}
_PROVIDER = "openai"
_TIMEOUT = httpx.Timeout(20, connect=2)

_ORDERS = (
    "You answer questions of visitors of Hearth & Tool, a small shop for things that last."
    " Use the facts below and nothing else; if they do not answer the question, say so."
    " Answer in at most three sentences, in the words of the facts, without greeting and without advertising."
)

Prompt = list[dict[str, str]]

_answers = PromptCache("assistant")


class AssistantError(Exception):
    """The model gave no answer.  The message is for the visitor."""


def prompt(product: Product, similar: Iterable[Product], question: str) -> Prompt:
    """The messages for the model.  Numbers that move by themselves (stock) stay out: they would defeat the cache."""
    about = [
        f"The price of the {product.name} is {_euros(product)}.",
        f"It is {'in stock and sent within two days' if product.stock else 'sold out'}; shipping is free.",
        *(f"{sentence.rstrip('.')}." for sentence in product.description.split(". ")),
        f"Similar: {', '.join(f'the {other.name} for {_euros(other)}' for other in similar)}.",
    ]
    facts = "\n".join(f"- {fact}" for fact in about)
    return [
        {"role": "system", "content": f"{_ORDERS}\n\nThe visitor looks at the {product.name}:\n{facts}"},
        {"role": "user", "content": question},
    ]


def _euros(product: Product) -> str:
    return f"€\u00a0{product.price}"


class Reply:
    """One answer: iterate ``pieces`` once; afterwards ``from_cache`` says where it came from."""

    def __init__(self, messages: Prompt, *, anew: bool = False) -> None:
        self._messages = messages
        self._anew = anew
        self._usage: dict[str, Any] = {}
        self._complete = False
        self.from_cache = False

    async def pieces(self) -> AsyncGenerator[str]:
        """Yield the answer as it comes, from the cache in one piece.  Raises ``AssistantError``, perhaps half-way."""
        key = self._key()
        if (kept := await self._kept(key)) is not None:
            self.from_cache = True
            yield kept["text"]
            return
        said = []
        async with aclosing(self._from_model()) as pieces:
            async for piece in pieces:
                said.append(piece)
                yield piece
        if self._complete:
            await _keep(key, {"text": "".join(said), "usage": self._usage})

    async def _kept(self, key: str) -> dict[str, Any] | None:
        if self._anew:
            _answers.bypass()
            return None
        try:
            kept: dict[str, Any] | None = await cache.aget(key)
        except redis.RedisError:
            _answers.error()
            return None
        if kept is None:
            _answers.miss()
        else:
            _answers.hit(provider=_PROVIDER, model=MODEL, usage=_usage(kept["usage"]))
        return kept

    async def _from_model(self) -> AsyncGenerator[str]:
        body = {
            "model": MODEL,
            "messages": self._messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for tries_left in reversed(range(TRIES)):
            try:
                async with _client().stream("POST", "/chat/completions", json=body) as response:
                    if response.is_success:
                        async for line in response.aiter_lines():
                            if piece := self._piece(line):
                                yield piece
                        return
            except (httpx.HTTPError, ValueError, LookupError) as error:  # away, or what it says is no answer
                log.warning("the assistant's model fails", error=type(error).__name__)
                raise AssistantError("The assistant cannot be reached. Please ask again in a minute.") from error
            log.warning("the assistant's model refuses", status=response.status_code, tries_left=tries_left)
            if response.status_code not in _WORTH_ANOTHER_TRY or not tries_left:
                raise AssistantError("The assistant has too much to do. Please ask again in a minute.")
            await asyncio.sleep(min(_seconds(response.headers.get("retry-after", "")), LONGEST_PAUSE_S))

    def _piece(self, line: str) -> str:
        """Return the text of a line of the stream; note the usage and the end if they are in it."""
        if not line.startswith("data: ") or line == "data: [DONE]":
            return ""
        event = json.loads(line.removeprefix("data: "))
        self._usage = event.get("usage") or self._usage
        text = ""
        for choice in event["choices"]:
            self._complete = self._complete or choice["finish_reason"] == "stop"
            text += choice["delta"].get("content") or ""
        return text

    def _key(self) -> str:
        asked = json.dumps([MODEL, self._messages])
        return f"assistant:{hashlib.sha256(asked.encode()).hexdigest()}"


async def _keep(key: str, answer: dict[str, Any]) -> None:
    try:
        await cache.aset(key, answer, timeout=KEPT_S)
    except redis.RedisError:
        _answers.error()


@once
def _client() -> httpx.AsyncClient:
    """One pool of connections a process; its workers have one event loop each."""
    address = settings.ASSISTANT_URL  # type: ignore[misc]  # the checker knows the console's settings only
    return httpx.AsyncClient(base_url=address, timeout=_TIMEOUT, trust_env=False)


def _usage(reported: dict[str, Any]) -> Usage:
    cached = reported.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    return Usage(reported.get("prompt_tokens", 0), reported.get("completion_tokens", 0), cached)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return LONGEST_PAUSE_S
