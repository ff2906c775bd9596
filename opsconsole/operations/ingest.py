"""Take what services push, and say how scraping goes."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.ingest.limits import IngestLimits, unpack
from opsconsole.ingest.otlp import decode_traces, encode_response, media_type
from opsconsole.ingest.scrape import TargetStatus
from opsconsole.storage.clickhouse import StoreError

from .console import Console

_LIMITS = IngestLimits()
_LONGEST_WAIT_S = 60.0


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
        try:
            console.spans.offer(traces.body, traces.spans).result(_LONGEST_WAIT_S)
        except TimeoutError:
            raise StoreError(f"the store did not answer within {_LONGEST_WAIT_S:.0f} s") from None
    return encode_response(kind, rejected=traces.rejected, reason=traces.reason)


def targets(console: Console) -> Sequence[TargetStatus]:
    """Every scrape target and how its last scrape went."""
    return console.scraper.status
