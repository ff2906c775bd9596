"""OTLP traces, checked and brought into the one form the store reads: protobuf with flat attribute values."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from . import otlp_json
from .limits import Malformed, UnsupportedEncoding

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

# A key-value pair on the wire whose value is a list (0x2a) or a map (0x32): cheap to look for, rare to find, and a wrong
# guess only costs the walk through the body.
_COMPOUND = re.compile(rb"\x12[\x80-\xff]{0,4}[\x00-\x7f][\x2a\x32](?:\x00|[\x80-\xff]{0,4}[\x00-\x7f]\x0a)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Traces:
    """``body``: an ``ExportTraceServiceRequest`` of ``spans`` spans.  ``rejected`` spans were left out, for ``reason``."""

    body: bytes
    spans: int
    rejected: int = 0
    reason: str = ""


def media_type(content_type: str) -> str:
    """``PROTOBUF`` or ``JSON``.  Raises ``UnsupportedEncoding``."""
    kind = content_type.split(";", 1)[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise UnsupportedEncoding(f"content type {kind or 'missing'} is not supported; send {PROTOBUF} or {JSON}")
    return kind


def decode_traces(body: bytes, content_type: str) -> Traces:
    """Check a request to ``/v1/traces``.  Raises ``Malformed`` with one line, ``UnsupportedEncoding``.

    A span without a valid trace and span id is rejected, the others of its request are taken.
    """
    kind = media_type(content_type)
    if kind == JSON:
        request = otlp_json.read(body, ExportTraceServiceRequest(), _json_ids)
        suspicious = True
    else:
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            raise Malformed("the body is no OTLP ExportTraceServiceRequest; is it cut off?") from None
        suspicious = _COMPOUND.search(body) is not None
    rejected = _drop_spans_without_ids(request)
    flattened = suspicious and _flatten(request)
    if rejected or flattened or kind == JSON:
        body = request.SerializeToString()
    spans = sum(len(scoped.spans) for resource in request.resource_spans for scoped in resource.scope_spans)
    return Traces(body, spans, rejected, "spans need a trace id of 16 bytes and a span id of 8" if rejected else "")


def encode_response(content_type: str, *, rejected: int = 0, reason: str = "") -> bytes:
    """The answer to an accepted request, in the form it came in; a partial success when spans were rejected."""
    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = reason
    if media_type(content_type) == JSON:
        return orjson.dumps(json_format.MessageToDict(response))
    encoded: bytes = response.SerializeToString()
    return encoded


def plain(value: AnyValue) -> Any:
    """The value of an attribute as JSON has it: bytes in base64, numbers that JSON lacks as text."""
    match value.WhichOneof("value"):
        case "array_value":
            return [plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "double_value" if not math.isfinite(value.double_value):
            return json_format.MessageToDict(value)["doubleValue"]  # JSON has no number for it: "NaN", "Infinity"
        case None:
            return None
        case kind:
            return getattr(value, kind)


def _drop_spans_without_ids(request: ExportTraceServiceRequest) -> int:
    dropped = 0
    for resource in request.resource_spans:
        for scoped in resource.scope_spans:
            wrong = [
                position
                for position, span in enumerate(scoped.spans)
                if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id)
            ]
            for position in reversed(wrong):
                del scoped.spans[position]
            dropped += len(wrong)
    return dropped


def _flatten(request: ExportTraceServiceRequest) -> bool:
    """Write list and map values as JSON texts; whether there were any."""
    found = False
    for attribute in _attributes(request):
        if attribute.value.WhichOneof("value") in ("array_value", "kvlist_value"):
            attribute.value.string_value = orjson.dumps(plain(attribute.value)).decode()
            found = True
    return found


def _attributes(request: ExportTraceServiceRequest) -> Iterator[KeyValue]:
    for resource in request.resource_spans:
        yield from resource.resource.attributes
        for scoped in resource.scope_spans:
            for span in scoped.spans:
                yield from span.attributes
                for event in span.events:
                    yield from event.attributes
                for link in span.links:
                    yield from link.attributes


def _json_ids(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in document.get("resourceSpans", ()):
        for scoped in resource.get("scopeSpans", ()):
            for span in scoped.get("spans", ()):
                yield span
                yield from span.get("links", ())
