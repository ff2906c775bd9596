"""Streaming responses: how many are open, how long they last, and which end before their body does.

The body is watched from inside, because what happens to it after the view is known nowhere else: a response that is
closed before its iterator is exhausted has lost its reader.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from time import perf_counter
from typing import Any

from django.http import HttpResponseBase

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.http import HTTP_STREAM_DURATION, HTTP_STREAMS_ENDED, HTTP_STREAMS_OPEN
from opsconsole_exporters.shield import shielded


class Outcome(StrEnum):
    COMPLETED = "completed"
    ENDED_EARLY = "ended_early"
    FAILED = "failed"


class Stream:
    """One streaming response from its beginning to the first of its ends."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._started = perf_counter()
        self._ended = False
        self._open = metrics.gauge(HTTP_STREAMS_OPEN).labels(view)
        self._open.inc()

    @shielded("streaming metrics")
    def end(self, outcome: Outcome) -> None:
        if self._ended:
            return
        self._ended = True
        self._open.dec()
        metrics.histogram(HTTP_STREAM_DURATION).labels(self._view).observe(perf_counter() - self._started)
        metrics.counter(HTTP_STREAMS_ENDED).labels(self._view, outcome).inc()


class Body:
    """What both kinds of body share: they are closed by Django, or forgotten when sending fails."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def close(self) -> None:
        self._stream.end(Outcome.ENDED_EARLY)

    def __del__(self) -> None:
        self.close()


class SyncBody(Body):
    def __init__(self, stream: Stream, parts: Iterator[bytes]) -> None:
        super().__init__(stream)
        self._parts = parts

    def __iter__(self) -> SyncBody:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except StopIteration:
            self._stream.end(Outcome.COMPLETED)
            raise
        except Exception:
            self._stream.end(Outcome.FAILED)
            raise


class AsyncBody(Body):
    def __init__(self, stream: Stream, parts: AsyncIterator[bytes]) -> None:
        super().__init__(stream)
        self._parts = parts

    def __aiter__(self) -> AsyncBody:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._parts)
        except StopAsyncIteration:
            self._stream.end(Outcome.COMPLETED)
            raise
        except Exception:  # a cancelled task is no Exception: it ends early
            self._stream.end(Outcome.FAILED)
            raise


@shielded("streaming metrics")
def watch(response: HttpResponseBase, view: str) -> None:
    """Watch the body of a streaming response.

    A file keeps its body, which the server may hand to the kernel: it counts as completed when it is closed.
    """
    body: Any = response
    stream = Stream(view)
    if getattr(response, "file_to_stream", None) is not None:
        body._resource_closers.append(lambda: stream.end(Outcome.COMPLETED))  # noqa: SLF001 - as Django's own request does
    elif body.is_async:
        body.streaming_content = AsyncBody(stream, body.streaming_content)
    else:
        body.streaming_content = SyncBody(stream, body.streaming_content)
