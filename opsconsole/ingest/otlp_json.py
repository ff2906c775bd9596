"""OTLP/JSON: protobuf's JSON, but for ids, which are hexadecimal.

Source: OpenTelemetry, specification/protocol/otlp.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from .limits import Malformed

M = TypeVar("M", bound=Message)

_IDS = ("traceId", "spanId", "parentSpanId")


def read(body: bytes, request: M, holders: Callable[[Any], Iterable[dict[str, Any]]]) -> M:
    """Fill ``request``; ``holders(document)`` are the objects that hold ids.  Raises ``Malformed``."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is no valid JSON: {error}") from None
    try:
        for holder in holders(document):
            for name in _IDS:
                if name in holder:
                    holder[name] = base64.b64encode(binascii.unhexlify(holder[name])).decode()
        json_format.ParseDict(document, request, ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, RecursionError, TypeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise Malformed(f"the body is no OTLP/JSON {request.DESCRIPTOR.name}: {reason}") from None
    return request
