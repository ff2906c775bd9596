"""Take what services push, and say how scraping goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from opsconsole.ingest.limits import IngestLimits, Malformed, TooLarge, UnsupportedEncoding, unpack
from opsconsole.ingest.otlp import JSON, PROTOBUF, Traces, decode_traces, encode_response, media_type
from opsconsole.ingest.scrape import TargetStatus
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.commit import Overloaded

from .console import Console

log = structlog.get_logger(__name__)

_LIMITS = IngestLimits()
_RETRY_AFTER_S = 5  # a store that failed three times needs a moment
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored: HTTP 200.  ``body`` is the answer, of ``content_type``; a partial success when some spans were rejected."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never to be sent again as it is: HTTP ``status`` 400, 413 or 415, and one line."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """To be sent again: HTTP ``status`` 429 (more than we take) or 503 (the store fails), with ``Retry-After``."""

    status: int
    message: str
    retry_after_s: int


Outcome = Accepted | Rejected | Deferred


def accept_traces(console: Console, body: bytes, content_type: str, content_encoding: str) -> Outcome:
    """Take an OTLP traces request.  Blocks until it is stored, half a second or so: acknowledged means durable."""
    taken = _take(console, body, content_type, content_encoding)
    if not isinstance(taken, _Taken):
        return taken
    try:
        taken.done.result(_LONGEST_WAIT_S)
    except (StoreError, TimeoutError) as error:
        return _store_failed(error)
    return _accepted(taken)


async def aaccept_traces(console: Console, body: bytes, content_type: str, content_encoding: str) -> Outcome:
    """``accept_traces`` for the event loop: waits for the store without a thread."""
    taken = await asyncio.to_thread(_take, console, body, content_type, content_encoding)
    if not isinstance(taken, _Taken):
        return taken
    try:
        # Shielded: a sender that hangs up must not cancel a write that its retry may share.
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(taken.done)), _LONGEST_WAIT_S)
    except (StoreError, TimeoutError) as error:
        return _store_failed(error)
    return _accepted(taken)


def targets(console: Console) -> Sequence[TargetStatus]:
    """Every scrape target and how its last scrape went."""
    return console.scraper.status


@dataclass(frozen=True, slots=True)
class _Taken:
    traces: Traces
    content_type: str
    done: Future[None]


def _take(console: Console, body: bytes, content_type: str, content_encoding: str) -> _Taken | Rejected | Deferred:
    try:
        answer_type = PROTOBUF if media_type(content_type) == PROTOBUF else JSON
        traces = decode_traces(unpack(body, content_encoding, _LIMITS.push_bytes), content_type)
    except Malformed as error:
        return Rejected(400, str(error))
    except TooLarge as error:
        return Rejected(413, str(error))
    except UnsupportedEncoding as error:
        return Rejected(415, str(error))
    if traces.spans == 0:
        done: Future[None] = Future()
        done.set_result(None)
        return _Taken(traces, answer_type, done)
    try:
        return _Taken(traces, answer_type, console.spans.offer(traces.body, traces.spans))
    except Overloaded as error:
        return Deferred(429, str(error), error.retry_after_s)


def _accepted(taken: _Taken) -> Accepted:
    traces = taken.traces
    return Accepted(
        encode_response(taken.content_type, rejected=traces.rejected, reason=traces.reason), taken.content_type
    )


def _store_failed(error: Exception) -> Deferred:
    log.warning("traces_not_stored", error=str(error))
    return Deferred(503, "the telemetry store does not take data right now; retry later", _RETRY_AFTER_S)
