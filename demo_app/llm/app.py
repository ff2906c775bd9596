"""The provider as an ASGI application: it speaks a token at a time, and at times it refuses."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

from ..faults.switches import Fault, Switches
from . import protocol
from .answer import answer
from .protocol import RefusedError, Usage
from .tokens import PrefixCache, tokens

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FIRST_TOKEN_S = (0.25, 0.6)
TOKEN_S = (0.02, 0.04)
SLOW = 10
"""How many times longer each token takes while ``slow-model`` is on."""

RATE_LIMITED, OVERLOADED = 0.015, 0.01
"""Shares of the requests that a good provider refuses on a good day."""

LARGEST_BODY = 1 << 20


class Provider:
    def __init__(self, switches: Switches, chance: random.Random | None = None) -> None:
        self._switches = switches
        self._chance = chance or random.Random()  # noqa: S311  a pace, not a secret
        self._prefixes = PrefixCache()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            match scope["method"], scope["path"]:
                case "GET", "/v1/models":
                    await _json(send, 200, protocol.models())
                case "POST", "/v1/chat/completions":
                    await self._complete(await _body(receive), receive, send)
                case _:
                    raise RefusedError(404, f"Unknown request URL: {scope['path']}", "invalid_request_error")  # noqa: TRY301
        except RefusedError as refused:
            headers = [] if refused.retry_after_s is None else [(b"retry-after", b"%d" % refused.retry_after_s)]
            await _json(send, refused.status, refused.document, headers)

    async def _complete(self, body: bytes, receive: Receive, send: Send) -> None:
        request = protocol.read(body)
        prompt = [token for turn in request.turns for token in (f"<{turn.role}>", *tokens(turn.content))]
        if len(prompt) > protocol.MOST_PROMPT_TOKENS:
            raise protocol.too_long(len(prompt))
        await self._perhaps_refuse()
        said = tokens(answer(request.turns))
        kept = said[: request.most_tokens]
        reason = "stop" if kept == said else "length"
        usage = Usage(len(prompt), self._prefixes.meet(prompt), len(kept))
        slower = SLOW if await self._is_on(Fault.SLOW_MODEL) else 1
        identity, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
        waits = self._waits(len(kept), slower)
        if not request.stream:
            await asyncio.sleep(sum(waits))
            await _json(send, 200, protocol.completion(identity, created, "".join(kept), reason, usage))
            return
        events = [protocol.chunk(identity, created, {"content": token}) for token in kept]
        events.append(protocol.chunk(identity, created, {}, reason))
        if request.with_usage:
            events.append(protocol.usage_chunk(identity, created, usage))
        await send(_start(200, b"text/event-stream; charset=utf-8"))
        await send(_part(_event(protocol.chunk(identity, created, {"role": "assistant", "content": ""}))))
        # Nobody pays for tokens that nobody hears: when the reader has gone the model stops.
        gone = asyncio.ensure_future(_gone(receive))
        try:
            for event in events:
                await asyncio.wait({gone}, timeout=next(waits, 0))
                if gone.done():
                    return
                await send(_part(_event(event)))
            await send(_part(b"data: [DONE]\n\n", more=False))
        finally:
            gone.cancel()

    async def _perhaps_refuse(self) -> None:
        fate = self._chance.random()
        if await self._is_on(Fault.MODEL_REFUSES) or fate < RATE_LIMITED:
            raise protocol.rate_limited()
        if fate < RATE_LIMITED + OVERLOADED:
            raise protocol.overloaded()

    def _waits(self, count: int, slower: int) -> Iterator[float]:
        """Seconds before each of ``count`` tokens."""
        for number in range(count):
            yield self._chance.uniform(*(TOKEN_S if number else FIRST_TOKEN_S)) * slower

    async def _is_on(self, fault: Fault) -> bool:
        return await asyncio.to_thread(self._switches.is_on, fault)


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise RefusedError(413, f"The request is larger than {LARGEST_BODY} bytes.", "invalid_request_error")
    return body


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(document: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % json.dumps(document, separators=(",", ":")).encode()


async def _json(send: Send, status: int, document: dict[str, Any], headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    await send(_start(status, b"application/json", headers))
    await send(_part(json.dumps(document).encode(), more=False))


def _start(status: int, kind: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *headers]}


def _part(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
