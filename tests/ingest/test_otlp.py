from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from opsconsole.ingest.limits import Malformed, UnsupportedEncoding
from opsconsole.ingest.otlp import JSON, PROTOBUF, decode_traces, encode_response


def request_of(*spans: tuple[bytes, bytes]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    for trace_id, span_id in spans:
        scoped.spans.add(trace_id=trace_id, span_id=span_id, name="x")
    return request


GOOD = (b"\x01" * 16, b"\x02" * 8)


def test_spans_are_counted_and_the_body_is_passed_on_as_it_is() -> None:
    body = request_of(GOOD, GOOD).SerializeToString()
    traces = decode_traces(body, "application/x-protobuf; charset=x")
    assert (traces.spans, traces.rejected) == (2, 0)
    assert traces.body is body


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_truncated_body_is_malformed(cut: int) -> None:
    body = request_of(GOOD, GOOD).SerializeToString()
    with pytest.raises(Malformed, match="cut off") as refused:
        decode_traces(body[:-cut], PROTOBUF)
    assert "\n" not in str(refused.value)


def test_an_empty_request_holds_no_spans() -> None:
    assert decode_traces(b"", PROTOBUF).spans == 0


@pytest.mark.parametrize("bad", [(b"", GOOD[1]), (GOOD[0], b"\x01"), (bytes(16), GOOD[1]), (GOOD[0], bytes(8))])
def test_a_span_without_valid_ids_is_rejected_and_the_others_are_taken(bad: tuple[bytes, bytes]) -> None:
    traces = decode_traces(request_of(bad, GOOD, bad).SerializeToString(), PROTOBUF)
    assert (traces.spans, traces.rejected) == (1, 2)
    left = ExportTraceServiceRequest.FromString(traces.body)
    assert [span.trace_id for span in left.resource_spans[0].scope_spans[0].spans] == [GOOD[0]]
    answer = ExportTraceServiceResponse.FromString(
        encode_response(PROTOBUF, rejected=traces.rejected, reason=traces.reason)
    )
    assert answer.partial_success.rejected_spans == 2
    assert "trace id of 16 bytes" in answer.partial_success.error_message


def test_a_full_success_is_an_empty_answer() -> None:
    assert encode_response(PROTOBUF) == b""
    assert encode_response(JSON) == b"{}"


def test_a_partial_success_in_json_has_the_names_of_otlp() -> None:
    answer = json.loads(encode_response(JSON, rejected=2, reason="why"))
    assert answer == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "why"}}


scalars = st.one_of(
    st.text(max_size=200),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def fill(into: AnyValue, value: object) -> None:
    match value:
        case bool():
            into.bool_value = value
        case str():
            into.string_value = value
        case int():
            into.int_value = value
        case float():
            into.double_value = value
        case list():
            into.array_value.SetInParent()
            for one in value:
                fill(into.array_value.values.add(), one)
        case dict():
            into.kvlist_value.SetInParent()
            for key, one in value.items():
                pair = into.kvlist_value.values.add(key=key)
                pair.value.SetInParent()
                fill(pair.value, one)


@given(
    st.lists(st.tuples(st.text(max_size=200), values), max_size=6),
    st.sampled_from(["span", "resource", "event", "link"]),
)
def test_list_and_map_values_become_json_texts_wherever_they_stand(pairs: list[tuple[str, object]], where: str) -> None:
    request = request_of(GOOD)
    resource = request.resource_spans[0]
    span = resource.scope_spans[0].spans[0]
    holder = {"span": span, "resource": resource.resource}.get(where) or (
        span.events.add() if where == "event" else span.links.add()
    )
    for key, value in pairs:
        fill(holder.attributes.add(key=key).value, value)
    decoded = ExportTraceServiceRequest.FromString(decode_traces(request.SerializeToString(), PROTOBUF).body)
    resource = decoded.resource_spans[0]
    span = resource.scope_spans[0].spans[0]
    found = {"span": [span], "resource": [resource.resource], "event": span.events, "link": span.links}[where]
    attributes = [attribute for one in found for attribute in one.attributes]
    assert len(attributes) == len(pairs)
    for attribute, (key, value) in zip(attributes, pairs, strict=True):
        assert attribute.key == key
        if isinstance(value, list | dict):
            assert json.loads(attribute.value.string_value) == value
        else:
            plain = AnyValue()
            fill(plain, value)
            assert attribute.value == plain


def test_an_infinity_within_a_list_keeps_its_name() -> None:
    request = request_of(GOOD)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="list").value.array_value.values.add(double_value=float("-inf"))
    decoded = ExportTraceServiceRequest.FromString(decode_traces(request.SerializeToString(), PROTOBUF).body)
    assert decoded.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.string_value == '["-Infinity"]'


def test_bytes_within_a_list_are_base64() -> None:
    request = request_of(GOOD)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="list").value.array_value.values.add(bytes_value=b"\x00\xff")
    decoded = ExportTraceServiceRequest.FromString(decode_traces(request.SerializeToString(), PROTOBUF).body)
    assert decoded.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.string_value == '["AP8="]'


def test_json_ids_are_hexadecimal_and_unknown_fields_are_read_over() -> None:
    document = {
        "new": 1,
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "spanId": "eee19b7ec3c1b174",
                                "name": "I'm a server span",
                                "startTimeUnixNano": "1544712660000000000",
                                "endTimeUnixNano": 1544712661000000000,
                                "kind": 2,
                                "status": {"code": 2},
                                "links": [
                                    {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
                                ],
                                "attributes": [{"key": "n", "value": {"intValue": "5"}}],
                            }
                        ]
                    }
                ]
            }
        ],
    }
    traces = decode_traces(json.dumps(document).encode(), JSON)
    (span,) = ExportTraceServiceRequest.FromString(traces.body).resource_spans[0].scope_spans[0].spans
    assert traces.spans == 1
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert span.links[0].span_id.hex() == "eee19b7ec3c1b174"
    assert (span.end_time_unix_nano, span.attributes[0].value.int_value) == (1544712661000000000, 5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"resourceSpans": 7}',
        b'{"resourceSpans": [7]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"links": 5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
    ],
)
def test_json_that_is_no_request_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        decode_traces(body, JSON)
    assert "\n" not in str(refused.value)


@given(st.binary(max_size=300), st.sampled_from([PROTOBUF, JSON]))
def test_any_bytes_are_taken_or_malformed(body: bytes, kind: str) -> None:
    message = ""
    try:
        decode_traces(body, kind)
    except Malformed as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["", "text/html"])
def test_another_content_type_says_what_to_send(kind: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="send application/x-protobuf or application/json"):
        decode_traces(b"", kind)
