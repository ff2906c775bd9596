"""httpx, and with it every client that is built upon it: OpenAI's, Anthropic's, Mistral's, and their relatives.

The transports of ``httpx`` and of ``httpx2`` (which newer clients bring) are wrapped where the bytes come from the network, so
the reader's own code, retries and helpers stay what they are.  A service that imports neither pays for neither.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

from opentelemetry import trace
from wrapt import register_post_import_hook

from opsconsole_exporters.llm.exchange import Exchange, begin
from opsconsole_exporters.shield import shielded

LIBRARIES = ("httpx", "httpx2")
_MARK = "_opsconsole_observed"


def instrument_httpx() -> None:
    """Observe the calls of language models in this process, once it has imported a library.  Safe to call again."""
    for name in LIBRARIES:
        register_post_import_hook(_instrument, name)


@shielded("LLM metrics")
def _instrument(library: ModuleType) -> None:
    if not hasattr(library.HTTPTransport.handle_request, _MARK):
        library.HTTPTransport.handle_request = _observed(library.HTTPTransport.handle_request, library)
        handle = library.AsyncHTTPTransport.handle_async_request
        library.AsyncHTTPTransport.handle_async_request = _async_observed(handle, library)


def _observed(handle: Any, library: ModuleType) -> Any:
    stream = type("ObservedStream", (ObservedStream, library.SyncByteStream), {})

    @functools.wraps(handle)
    def handle_request(self: Any, request: Any) -> Any:
        exchange = _begin(request)
        if exchange is None:
            return handle(self, request)
        try:
            with _current(exchange):
                response = handle(self, request)
        except BaseException as error:
            exchange.closed(error)
            raise
        _answered(exchange, response, stream)
        return response

    setattr(handle_request, _MARK, True)
    return handle_request


def _async_observed(handle: Any, library: ModuleType) -> Any:
    stream = type("AsyncObservedStream", (AsyncObservedStream, library.AsyncByteStream), {})

    @functools.wraps(handle)
    async def handle_async_request(self: Any, request: Any) -> Any:
        exchange = _begin(request)
        if exchange is None:
            return await handle(self, request)
        try:
            with _current(exchange):
                response = await handle(self, request)
        except BaseException as error:
            exchange.closed(error)
            raise
        _answered(exchange, response, stream)
        return response

    return handle_async_request


class ObservedStream:
    """A response's stream of bytes; combined with the library's own class, which httpx asks for."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._stream:
                self._exchange.passed(piece)
                yield piece
        except GeneratorExit:
            self._exchange.closed()
            raise
        except BaseException as error:
            self._exchange.closed(error)
            raise
        self._exchange.ended()

    def close(self) -> None:
        self._exchange.closed()
        self._stream.close()

    def __del__(self) -> None:
        # A response that nobody has read or closed ends with its object.
        self._exchange.closed()


class AsyncObservedStream:
    """The same for ``async for``.  A client that goes away cancels, closes or forgets it: each of them ends the call."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                self._exchange.passed(piece)
                yield piece
        except GeneratorExit:
            self._exchange.closed()
            raise
        except BaseException as error:
            self._exchange.closed(error)
            raise
        self._exchange.ended()

    async def aclose(self) -> None:
        self._exchange.closed()
        await self._stream.aclose()

    def __del__(self) -> None:
        self._exchange.closed()


@shielded("LLM metrics")
def _begin(request: Any) -> Exchange | None:
    if request.method != "POST":
        return None
    try:
        body = request.content
    except RuntimeError:  # a body that is itself a stream is not read ahead of its time
        return None
    return begin(request.method, request.url.host, request.url.path, request.headers, body)


@shielded("LLM metrics")
def _answered(exchange: Exchange, response: Any, stream: Any) -> None:
    exchange.answered(response.status_code, response.headers)
    response.stream = stream(response.stream, exchange)


def _current(exchange: Exchange) -> Any:
    """Makes the call's span the parent of what the client traces itself; errors are ours to record."""
    return trace.use_span(exchange.call.span, record_exception=False, set_status_on_exception=False)
