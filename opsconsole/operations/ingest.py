"""Take what services push, and say how scraping goes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from opsconsole.ingest import otlp_metrics, remote_write, snappy
from opsconsole.ingest.limits import IngestLimits, Malformed, UnsupportedEncoding, unpack
from opsconsole.ingest.otlp import decode_traces, encode_response, media_type
from opsconsole.ingest.push import Push, Refused
from opsconsole.ingest.scrape import TargetStatus
from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.intake import Intake

from .console import Console

_LIMITS = IngestLimits()
_LONGEST_WAIT_S = 60.0
_SENDERS = Labels()  # under which the metadata of whoever pushes is kept


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where pushed metrics go, and who reads them."""

    intake: Intake
    remote_write: remote_write.RemoteWriteDecoder
    otlp_metrics: otlp_metrics.OtlpMetricsDecoder


def accept_traces(console: Console, body: bytes, content_type: str, content_encoding: str) -> bytes:
    """Take an OTLP traces request; the bytes of the answer, in the form the request came in, a partial success when
    some spans were rejected.  Blocks until the spans are stored, a second or so: acknowledged means durable.

    Raises ``Malformed`` (HTTP 400), ``TooLarge`` (413) and ``UnsupportedEncoding`` (415) for what is not to be sent again
    as it is; ``Overloaded`` (429) when more waits than we take and ``StoreError`` (503) when the store fails, both to
    be sent again later.
    """
    kind = media_type(content_type)
    traces = decode_traces(unpack(body, content_encoding, _LIMITS.push_bytes), kind)
    if traces.spans:
        _wait(console.spans.offer(traces.body, traces.spans))
    return encode_response(kind, rejected=traces.rejected, reason=traces.reason)


def accept_remote_write(console: Console, body: bytes, content_type: str, content_encoding: str) -> Refused:
    """Take a remote-write request; what of it was refused, while all else is stored.  Blocks and raises as above."""
    remote_write.check_content_type(content_type)
    if content_encoding.strip().lower() not in ("", "snappy"):  # old senders leave it out
        raise UnsupportedEncoding(f"content encoding {content_encoding!r} is not supported; send snappy (block format)")
    receivers = _receivers(console)
    return _take(console, receivers.remote_write.decode(snappy.unpack(body, _LIMITS.push_bytes)))


def accept_metrics(console: Console, body: bytes, content_type: str, content_encoding: str) -> bytes:
    """Take an OTLP metrics request; answers, blocks and raises as ``accept_traces``."""
    media_type(content_type)  # a wrong one is said before a wrong encoding
    unpacked = unpack(body, content_encoding, _LIMITS.push_bytes)
    push = _receivers(console).otlp_metrics.decode(unpacked, content_type, console.clock.now_ms())
    return otlp_metrics.encode_response(content_type, _take(console, push))


def _take(console: Console, push: Push) -> Refused:
    """Store ``push`` and hand on what came with it."""
    offered = _receivers(console).intake.offer(push)
    _wait(offered.stored)
    if console.exemplars is not None and push.exemplars:
        console.exemplars.append(push.exemplars)
    if console.metadata is not None and push.metadata:
        console.metadata.put(_SENDERS, {**console.metadata.of(_SENDERS), **push.metadata})
    return offered.refused


def _receivers(console: Console) -> Receivers:
    if console.receivers is None:
        raise Malformed("this console reads metrics from METRICS_URL and keeps none; push them to that server")
    return console.receivers


def _wait(stored: Future[None]) -> None:
    try:
        stored.result(_LONGEST_WAIT_S)
    except TimeoutError:
        raise StoreError(f"the store did not answer within {_LONGEST_WAIT_S:.0f} s") from None


def targets(console: Console) -> Sequence[TargetStatus]:
    """Every scrape target and how its last scrape went."""
    return console.scraper.status
