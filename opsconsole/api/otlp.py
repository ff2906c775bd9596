"""The OTLP/HTTP receivers of traces and metrics.

Answers are in the form the request came in: protobuf or JSON, errors as a ``google.rpc.Status`` whose message is one line.
Source: OpenTelemetry, specification/protocol/otlp.md, "OTLP/HTTP Response".
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from opsconsole.ingest.otlp import JSON, PROTOBUF
from opsconsole.operations import ingest
from opsconsole.operations.console import Console, current
from opsconsole.records.models import ApiToken

from .auth import token_required
from .receive import plain, receive, unauthorized

Accept = Callable[[Console, bytes, str, str], bytes]


def _failure(request: HttpRequest, status: int, message: str) -> HttpResponse:
    if request.content_type == PROTOBUF:
        return HttpResponse(_status_message(message), content_type=PROTOBUF, status=status)
    if request.content_type == JSON:
        return HttpResponse(orjson.dumps({"message": message}), content_type=JSON, status=status)
    return plain(request, status, message)


def _status_message(message: str) -> bytes:
    """A ``google.rpc.Status`` with its field 2, ``message``: a tag, a length as varint, and the text."""
    text = message.encode()
    length = bytearray()
    rest = len(text)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return b"\x12" + bytes(length) + bytes([rest]) + text


@require_POST
@token_required(ApiToken.Scope.INGEST, unauthorized(_failure))
def traces(request: HttpRequest) -> HttpResponse:
    """Acknowledged means stored: the answer waits for the commit."""
    return _receive(request, ingest.accept_traces)


@require_POST
@token_required(ApiToken.Scope.INGEST, unauthorized(_failure))
def metrics(request: HttpRequest) -> HttpResponse:
    """Acknowledged means stored, here too."""
    return _receive(request, ingest.accept_metrics)


def _receive(request: HttpRequest, accept: Accept) -> HttpResponse:
    headers = request.headers

    def answer(body: bytes) -> HttpResponse:
        encoded = accept(current(), body, headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))
        return HttpResponse(encoded, content_type=request.content_type)

    return receive(request, answer, _failure)
