"""``POST /v1/traces`` into a real embedded store."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import replace
from threading import BoundedSemaphore

import pytest
from django.test import AsyncClient, Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from opsconsole.api import otlp, receive
from opsconsole.operations.console import install
from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.commit import CommitPolicy
from opsconsole.storage.spans import SpanStore

pytestmark = pytest.mark.django_db(transaction=True)

PROTOBUF = "application/x-protobuf"
NOW_NS = 1_764_000_000_000_000_000
_numbers = itertools.count(1)


def new_trace_id() -> str:
    return f"{next(_numbers):032x}"


def request_of(*trace_ids: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for trace_id in trace_ids:
        start = {"start_time_unix_nano": NOW_NS, "end_time_unix_nano": NOW_NS + 5}
        spans.add(trace_id=bytes.fromhex(trace_id), span_id=b"\1" * 8, name="GET /", **start)
    return request


def message_of(answer) -> str:
    """The text of a ``google.rpc.Status`` on the wire: its field 2, whose length fits in two bytes at most."""
    assert answer.content[:1] == b"\x12"
    return answer.content[2 if answer.content[1] < 0x80 else 3 :].decode()


@pytest.mark.parametrize("zipped", [False, True])
def test_protobuf_is_stored_before_it_is_acknowledged(pusher, console, zipped):
    trace_id = new_trace_id()
    body = request_of(trace_id).SerializeToString()
    headers = {"content-encoding": "gzip"} if zipped else {}
    answer = pusher.post("/v1/traces", gzip.compress(body) if zipped else body, content_type=PROTOBUF, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (200, PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    assert [span.name for span in console.spans.trace(trace_id)] == ["GET /"]


def test_json_gets_json_back(pusher, console):
    trace_id = new_trace_id()
    span = {"traceId": trace_id, "spanId": "0000000000000001", "name": "task", "startTimeUnixNano": str(NOW_NS)}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{**span, "endTimeUnixNano": str(NOW_NS + 5)}]}]}]}
    answer = pusher.post("/v1/traces", document, content_type="application/json; charset=utf-8")
    assert (answer.status_code, answer["Content-Type"], answer.json()) == (200, "application/json", {})
    assert [span.name for span in console.spans.trace(trace_id)] == ["task"]


async def test_it_answers_the_same_through_asgi(pusher, console):
    trace_id = new_trace_id()
    header = {"authorization": pusher.defaults["HTTP_AUTHORIZATION"]}
    body = request_of(trace_id).SerializeToString()
    answer = await AsyncClient().post("/v1/traces", body, content_type=PROTOBUF, headers=header)
    assert answer.status_code == 200
    assert len(console.spans.trace(trace_id)) == 1


def test_spans_without_an_id_are_rejected_and_the_others_taken(pusher, console):
    trace_id = new_trace_id()
    request = request_of(trace_id, new_trace_id())
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
    answer = pusher.post("/v1/traces", request.SerializeToString(), content_type=PROTOBUF)
    assert answer.status_code == 200
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1
    assert "span id" in partial.error_message
    assert len(console.spans.trace(trace_id)) == 1


def test_a_truncated_body_is_refused_and_the_next_one_taken(pusher, console):
    trace_id = new_trace_id()
    body = request_of(trace_id).SerializeToString()
    answer = pusher.post("/v1/traces", body[:-3], content_type=PROTOBUF)
    assert (answer.status_code, answer["Content-Type"]) == (400, PROTOBUF)
    assert message_of(answer) == "the body is no OTLP ExportTraceServiceRequest; is it cut off?"
    assert pusher.post("/v1/traces", body, content_type=PROTOBUF).status_code == 200
    assert len(console.spans.trace(trace_id)) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status", "sentence"),
    [
        (b"{", "application/json", "", 400, "no valid JSON"),
        (b"[]", "application/json", "", 400, "no OTLP/JSON"),
        (b"\x1f\x8bnothing", "application/json", "gzip", 400, "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], "application/json", "gzip", 400, "ends too early"),
        (b"{}", "application/json", "br", 415, "send gzip or none"),
        (b"spans", "text/plain", "", 415, "send application/x-protobuf or application/json"),
        (gzip.compress(bytes(40_000_000)), "application/json", "gzip", 413, "send smaller batches"),
        (bytes(32_000_001), "application/json", "", 413, "send smaller batches"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_line(pusher, body, content_type, encoding, status, sentence):
    headers = {"content-encoding": encoding} if encoding else {}
    answer = pusher.post("/v1/traces", body, content_type=content_type, headers=headers)
    assert answer.status_code == status
    message = answer.json()["message"] if content_type == "application/json" else answer.content.decode().rstrip("\n")
    assert sentence in message
    assert "\n" not in message


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer"])
@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json", "text/plain"])
def test_without_a_right_token_one_line_says_how_to_get_one(console, content_type, header):
    client = Client(headers={"authorization": header} if header else {}, enforce_csrf_checks=True)
    answer = client.post("/v1/traces", b"", content_type=content_type)
    assert answer.status_code == 401
    text = answer.content.decode()
    assert "opsconsole token create" in text
    assert "\n" not in text.rstrip("\n")


def test_a_token_for_reading_may_not_push_nor_may_a_browser(reader, person):
    assert reader.post("/v1/traces", b"", content_type=PROTOBUF).status_code == 401
    assert person.post("/v1/traces", b"", content_type=PROTOBUF).status_code == 401


def test_only_post_is_allowed(pusher):
    assert pusher.get("/v1/traces").status_code == 405


def test_too_many_at_once_are_asked_to_come_again(pusher, monkeypatch):
    monkeypatch.setattr(receive, "_places", BoundedSemaphore(1))
    receive._places.acquire()
    answer = pusher.post("/v1/traces", b"{}", content_type="application/json")
    assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    assert "retry in 1 s" in answer.json()["message"]
    receive._places.release()
    assert pusher.post("/v1/traces", b"{}", content_type="application/json").status_code == 200


def test_a_store_that_fails_is_503_with_a_time_to_come_again_and_without_details(pusher, console):
    class Broken:
        embedded = True

        def insert_raw(self, *_: object, **__: object) -> None:
            raise StoreError("Code: 999. user=default password=hunter2")

    store = SpanStore(Broken(), CommitPolicy(what="spans", batch=10, pending=10, delay_s=0.01, attempts=1))
    install(replace(console, spans=store))
    answer = pusher.post("/v1/traces", request_of(new_trace_id()).SerializeToString(), content_type=PROTOBUF)
    store.close()
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert message_of(answer) == "the telemetry store does not take data right now; retry in 5 s"


def test_a_message_over_127_bytes_has_a_length_of_two_bytes():
    wire = otlp._status_message("x" * 300)
    assert wire == b"\x12\xac\x02" + b"x" * 300
